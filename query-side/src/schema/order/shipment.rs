//! Shipments of orders.

use async_graphql::{Context, Enum, ID, Object, Result};
use contract::PublicId;
use read_model::shop::{SHIPMENTS, SHOP, ShipmentRow, ShipmentStatus as Status};
use uuid::Uuid;

use crate::error::Failure;
use crate::schema::scalar::{DateTime, Revision};
use crate::schema::{parked_since, read_context};

/// The kind in ids.
pub(in crate::schema) const KIND: &str = "Shipment";

/// A shipment of an order.
pub(crate) struct Shipment(pub(super) ShipmentRow);

impl Shipment {
    /// By its id, for `node`.
    pub(in crate::schema) async fn by_id(ctx: &Context<'_>, id: Uuid) -> Result<Option<Self>, Failure> {
        let row = read_context(ctx).row(&SHOP, &SHIPMENTS, "shipment_id", &id).await?;
        Ok(row.as_ref().map(ShipmentRow::read).transpose()?.map(Self))
    }
}

/// A shipment of an order.
#[Object]
impl Shipment {
    /// Names it among everything that `node` finds.
    pub(in crate::schema) async fn id(&self) -> ID {
        ID(PublicId::new(KIND, self.0.shipment_id).to_string())
    }

    /// The order that it brings.
    async fn order_id(&self) -> ID {
        ID(PublicId::new(super::KIND, self.0.order_id).to_string())
    }

    /// How far it is.
    async fn status(&self) -> ShipmentStatus {
        self.0.status.into()
    }

    /// What the carrier calls it; null before it has the goods.
    async fn reference(&self) -> Option<&str> {
        self.0.reference.as_deref()
    }

    /// Why the goods did not arrive; null unless it failed.
    async fn failure_reason(&self) -> Option<&str> {
        self.0.failure_reason.as_deref()
    }

    /// When the carrier was asked.
    async fn requested_at(&self) -> DateTime {
        DateTime(self.0.requested_at)
    }

    /// When the carrier got the goods; null before.
    async fn dispatched_at(&self) -> Option<DateTime> {
        self.0.dispatched_at.map(DateTime)
    }

    /// When the goods arrived; null before.
    async fn delivered_at(&self) -> Option<DateTime> {
        self.0.delivered_at.map(DateTime)
    }

    /// For `If-Match` on commands to it.
    async fn revision(&self) -> Revision {
        Revision(self.0.revision)
    }

    /// Since when events of it wait, because one cannot be shown yet: what is shown here is from before. Null when none do.
    async fn parked_since(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        parked_since(ctx, self.0.shipment_id).await
    }
}

/// How far a shipment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Status")]
pub(crate) enum ShipmentStatus {
    /// The carrier was asked for it.
    Requested,
    /// The carrier has the goods.
    Dispatched,
    /// The goods arrived.
    Delivered,
    /// The goods did not arrive, or could not be sent.
    Failed,
}
