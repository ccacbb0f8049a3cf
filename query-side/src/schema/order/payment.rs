//! Payments of orders.

use async_graphql::{Context, Enum, ID, Object, Result};
use contract::PublicId;
use read_model::shop::{PAYMENTS, PaymentRow, PaymentStatus as Status, SHOP};
use uuid::Uuid;

use crate::error::Failure;
use crate::schema::scalar::{DateTime, Money, Revision};
use crate::schema::{parked_since, read_context};

/// The kind in ids.
pub(in crate::schema) const KIND: &str = "Payment";

/// A payment of an order.
pub(crate) struct Payment(pub(super) PaymentRow);

impl Payment {
    /// By its id, for `node`.
    pub(in crate::schema) async fn by_id(ctx: &Context<'_>, id: Uuid) -> Result<Option<Self>, Failure> {
        let row = read_context(ctx).row(&SHOP, &PAYMENTS, "payment_id", &id).await?;
        Ok(row.as_ref().map(PaymentRow::read).transpose()?.map(Self))
    }
}

/// A payment of an order.
#[Object]
impl Payment {
    /// Names it among everything that `node` finds.
    pub(in crate::schema) async fn id(&self) -> ID {
        ID(PublicId::new(KIND, self.0.payment_id).to_string())
    }

    /// The order that it is for.
    async fn order_id(&self) -> ID {
        ID(PublicId::new(super::KIND, self.0.order_id).to_string())
    }

    /// What was asked for.
    async fn amount(&self) -> Money {
        self.0.amount.into()
    }

    /// How far it is.
    async fn status(&self) -> PaymentStatus {
        self.0.status.into()
    }

    /// What the gateway calls it; null before it has answered.
    async fn reference(&self) -> Option<&str> {
        self.0.reference.as_deref()
    }

    /// Why there will be none; null unless it was declined.
    async fn decline_reason(&self) -> Option<&str> {
        self.0.decline_reason.as_deref()
    }

    /// What was given back so far.
    async fn refunded(&self) -> Money {
        self.0.refunded.into()
    }

    /// When it was asked for.
    async fn requested_at(&self) -> DateTime {
        DateTime(self.0.requested_at)
    }

    /// For `If-Match` on commands to it.
    async fn revision(&self) -> Revision {
        Revision(self.0.revision)
    }

    /// Since when events of it wait, because one cannot be shown yet: what is shown here is from before. Null when none do.
    async fn parked_since(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        parked_since(ctx, self.0.payment_id).await
    }
}

/// How far a payment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Status")]
pub(crate) enum PaymentStatus {
    /// The money was asked for.
    Requested,
    /// The gateway holds it.
    Authorized,
    /// The gateway has taken it.
    Captured,
    /// There will be none.
    Declined,
}
