//! Lines of orders and returns.

use postgres_types::Json;
use serde::Deserialize;
use tokio_postgres::Row;
use uuid::Uuid;

/// A line, as it stands in the column `lines` of [`super::ORDER_LINES`] and [`super::RETURN_LINES`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LineRow {
    /// Which product.
    pub product_id: Uuid,
    /// Its stock keeping unit.
    pub sku: String,
    /// What the line says it is, if anything.
    pub description: Option<String>,
    /// How many pieces.
    pub quantity: i64,
    /// What one piece costs, minor units of the document's currency.
    pub unit_price_minor: i64,
}

impl LineRow {
    /// The lines of a row, in their order on the document.
    ///
    /// # Errors
    /// The column has another type, or holds something else than lines.
    pub fn read_all(row: &Row) -> Result<Vec<Self>, tokio_postgres::Error> {
        let Json(lines) = row.try_get("lines")?;
        Ok(lines)
    }
}
