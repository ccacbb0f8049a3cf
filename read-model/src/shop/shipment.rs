//! Rows of shipments.

use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use super::ShipmentStatus;
use crate::View;

/// A row of [`super::SHIPMENTS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShipmentRow {
    /// Which shipment.
    pub shipment_id: Uuid,
    /// Of which order.
    pub order_id: Uuid,
    /// How far it is.
    pub status: ShipmentStatus,
    /// What the carrier calls it.
    pub reference: Option<String>,
    /// Why it did not arrive.
    pub failure_reason: Option<String>,
    /// When the carrier was asked.
    pub requested_at: Timestamp,
    /// When the carrier got the goods.
    pub dispatched_at: Option<Timestamp>,
    /// When they arrived.
    pub delivered_at: Option<Timestamp>,
    /// Of the shipment's stream.
    pub revision: i64,
    /// The event that changed the row last.
    pub updated_position: i64,
}

impl ShipmentRow {
    /// Reads a row selected with [`View::column_list`] of [`super::SHIPMENTS`].
    ///
    /// # Errors
    /// A column has another type, or holds a name that this binary does not know.
    pub fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            shipment_id: row.try_get("shipment_id")?,
            order_id: row.try_get("order_id")?,
            status: row.try_get("status")?,
            reference: row.try_get("reference")?,
            failure_reason: row.try_get("failure_reason")?,
            requested_at: row.try_get("requested_at")?,
            dispatched_at: row.try_get("dispatched_at")?,
            delivered_at: row.try_get("delivered_at")?,
            revision: row.try_get("revision")?,
            updated_position: row.try_get(View::POSITION)?,
        })
    }
}
