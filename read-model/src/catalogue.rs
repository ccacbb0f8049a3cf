//! Projection `catalogue`: products with their stock, and their texts for the search index.

use contract::Money;
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::column::{CurrencyColumn, names};
use crate::{Past, Projection, View};

/// The projection.
pub const CATALOGUE: Projection =
    Projection { name: "catalogue", folds: &[1], views: &[PRODUCTS, PRODUCT_TEXTS], later: &[] };

/// Products with their stock.
pub const PRODUCTS: View = View {
    name: "products",
    key: &["product_id"],
    data: &[
        "sku",
        "name",
        "description",
        "price_minor",
        "currency",
        "status",
        "on_hand",
        "reserved",
        "listed_at",
        "revision",
        "stock_revision",
    ],
    past: Past::Rows,
};

/// What is searched for.
pub const PRODUCT_TEXTS: View = View {
    name: "product_texts",
    key: &["product_id"],
    data: &["sku", "name", "description", "deleted"],
    past: Past::Nothing,
};

names! {
    /// Whether a product can be ordered.
    ProductStatus {
        /// It can.
        Listed = "LISTED",
        /// It could once.
        Delisted = "DELISTED",
    }
}

/// A row of [`PRODUCTS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductRow {
    /// Which product.
    pub product_id: Uuid,
    /// Its stock keeping unit, which no other product has.
    pub sku: String,
    /// What it is called.
    pub name: Option<String>,
    /// What is said of it.
    pub description: Option<String>,
    /// What one costs; in the columns `price_minor` and `currency`.
    pub price: Money,
    /// Whether it can be ordered.
    pub status: ProductStatus,
    /// Pieces in the warehouse, reserved ones included.
    pub on_hand: i64,
    /// Pieces promised to orders.
    pub reserved: i64,
    /// When it was listed first.
    pub listed_at: Timestamp,
    /// Of the product's stream.
    pub revision: i64,
    /// Of the stock's stream; none before the first movement.
    pub stock_revision: Option<i64>,
    /// The event that changed the row last.
    pub updated_position: i64,
}

impl ProductRow {
    /// Reads a row selected with [`View::column_list`] of [`PRODUCTS`].
    ///
    /// # Errors
    /// A column has another type, or holds a name that this binary does not know.
    pub fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        let CurrencyColumn(currency) = row.try_get("currency")?;
        Ok(Self {
            product_id: row.try_get("product_id")?,
            sku: row.try_get("sku")?,
            name: row.try_get("name")?,
            description: row.try_get("description")?,
            price: Money::new(row.try_get("price_minor")?, currency),
            status: row.try_get("status")?,
            on_hand: row.try_get("on_hand")?,
            reserved: row.try_get("reserved")?,
            listed_at: row.try_get("listed_at")?,
            revision: row.try_get("revision")?,
            stock_revision: row.try_get("stock_revision")?,
            updated_position: row.try_get(View::POSITION)?,
        })
    }
}

/// A row of [`PRODUCT_TEXTS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductTextRow {
    /// Which product.
    pub product_id: Uuid,
    /// Its stock keeping unit.
    pub sku: String,
    /// What it is called.
    pub name: Option<String>,
    /// What is said of it.
    pub description: Option<String>,
    /// Whether the search shall not find it any more.
    pub deleted: bool,
    /// The event that changed the row last.
    pub updated_position: i64,
}

impl ProductTextRow {
    /// Reads a row selected with [`View::column_list`] of [`PRODUCT_TEXTS`].
    ///
    /// # Errors
    /// A column has another type.
    pub fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            product_id: row.try_get("product_id")?,
            sku: row.try_get("sku")?,
            name: row.try_get("name")?,
            description: row.try_get("description")?,
            deleted: row.try_get("deleted")?,
            updated_position: row.try_get(View::POSITION)?,
        })
    }
}
