//! Rows of returns.

use contract::Money;
use jiff::Timestamp;
use jiff::civil::Date;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::View;
use crate::column::CurrencyColumn;

/// A row of [`super::RETURNS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnRow {
    /// Which return.
    pub return_id: Uuid,
    /// Its number on paper, which no other return has.
    pub number: Option<String>,
    /// Of which order, if it names one.
    pub order_id: Option<Uuid>,
    /// Who sent it; none when that is not known.
    pub customer_id: Option<Uuid>,
    /// The sender's number; none when that is not known.
    pub customer_number: Option<String>,
    /// Where it comes from.
    pub country: String,
    /// Whether the goods are on the shelf again.
    pub restocked: bool,
    /// Whether the money was given back.
    pub refunded: bool,
    /// When it came in.
    pub received_at: Timestamp,
    /// That moment's day in the shop's time zone.
    pub return_day: Date,
    /// What it is worth; in the columns `returned_minor` and `currency`.
    pub returned: Money,
    /// Pieces on all lines.
    pub units: i64,
    /// How many lines it has.
    pub line_count: i64,
    /// Of the return's stream.
    pub revision: i64,
    /// The event that changed the row last.
    pub updated_position: i64,
}

impl ReturnRow {
    /// Reads a row selected with [`View::column_list`] of [`super::RETURNS`].
    ///
    /// # Errors
    /// A column has another type.
    pub fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        let CurrencyColumn(currency) = row.try_get("currency")?;
        Ok(Self {
            return_id: row.try_get("return_id")?,
            number: row.try_get("number")?,
            order_id: row.try_get("order_id")?,
            customer_id: row.try_get("customer_id")?,
            customer_number: row.try_get("customer_number")?,
            country: row.try_get("country")?,
            restocked: row.try_get("restocked")?,
            refunded: row.try_get("refunded")?,
            received_at: row.try_get("received_at")?,
            return_day: row.try_get("return_day")?,
            returned: Money::new(row.try_get("returned_minor")?, currency),
            units: row.try_get("units")?,
            line_count: row.try_get("line_count")?,
            revision: row.try_get("revision")?,
            updated_position: row.try_get(View::POSITION)?,
        })
    }
}
