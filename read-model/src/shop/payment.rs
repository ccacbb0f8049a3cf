//! Rows of payments.

use contract::Money;
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use super::PaymentStatus;
use crate::View;
use crate::column::CurrencyColumn;

/// A row of [`super::PAYMENTS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentRow {
    /// Which payment.
    pub payment_id: Uuid,
    /// For which order.
    pub order_id: Uuid,
    /// What was asked for; in the columns `amount_minor` and `currency`.
    pub amount: Money,
    /// How far it is.
    pub status: PaymentStatus,
    /// What the gateway calls it.
    pub reference: Option<String>,
    /// Why there will be none.
    pub decline_reason: Option<String>,
    /// What was given back, in the same currency; in the column `refunded_minor`.
    pub refunded: Money,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// Of the payment's stream.
    pub revision: i64,
    /// The event that changed the row last.
    pub updated_position: i64,
}

impl PaymentRow {
    /// Reads a row selected with [`View::column_list`] of [`super::PAYMENTS`].
    ///
    /// # Errors
    /// A column has another type, or holds a name that this binary does not know.
    pub fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        let CurrencyColumn(currency) = row.try_get("currency")?;
        Ok(Self {
            payment_id: row.try_get("payment_id")?,
            order_id: row.try_get("order_id")?,
            amount: Money::new(row.try_get("amount_minor")?, currency),
            status: row.try_get("status")?,
            reference: row.try_get("reference")?,
            decline_reason: row.try_get("decline_reason")?,
            refunded: Money::new(row.try_get("refunded_minor")?, currency),
            requested_at: row.try_get("requested_at")?,
            revision: row.try_get("revision")?,
            updated_position: row.try_get(View::POSITION)?,
        })
    }
}
