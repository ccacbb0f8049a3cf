//! Rows of orders.

use contract::Money;
use jiff::Timestamp;
use jiff::civil::Date;
use tokio_postgres::Row;
use uuid::Uuid;

use super::OrderStatus;
use crate::View;
use crate::column::CurrencyColumn;

/// A row of [`super::ORDERS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRow {
    /// Which order.
    pub order_id: Uuid,
    /// Its number on paper, which no other order has.
    pub number: Option<String>,
    /// Who bought; none for a guest.
    pub customer_id: Option<Uuid>,
    /// The buyer's number; none for a guest.
    pub customer_number: Option<String>,
    /// Where it goes.
    pub country: String,
    /// How far it is.
    pub status: OrderStatus,
    /// Why it was called off.
    pub cancel_reason: Option<String>,
    /// When somebody bought.
    pub placed_at: Timestamp,
    /// That moment's day in the shop's time zone.
    pub sale_day: Date,
    /// What it costs; in the columns `gross_minor` and `currency`.
    pub gross: Money,
    /// Pieces on all lines.
    pub units: i64,
    /// How many lines it has.
    pub line_count: i64,
    /// Of the order's stream.
    pub revision: i64,
    /// The event that changed the row last.
    pub updated_position: i64,
}

impl OrderRow {
    /// Reads a row selected with [`View::column_list`] of [`super::ORDERS`].
    ///
    /// # Errors
    /// A column has another type, or holds a name that this binary does not know.
    pub fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        let CurrencyColumn(currency) = row.try_get("currency")?;
        Ok(Self {
            order_id: row.try_get("order_id")?,
            number: row.try_get("number")?,
            customer_id: row.try_get("customer_id")?,
            customer_number: row.try_get("customer_number")?,
            country: row.try_get("country")?,
            status: row.try_get("status")?,
            cancel_reason: row.try_get("cancel_reason")?,
            placed_at: row.try_get("placed_at")?,
            sale_day: row.try_get("sale_day")?,
            gross: Money::new(row.try_get("gross_minor")?, currency),
            units: row.try_get("units")?,
            line_count: row.try_get("line_count")?,
            revision: row.try_get("revision")?,
            updated_position: row.try_get(View::POSITION)?,
        })
    }
}
