//! Orders with what belongs to them.

mod line;
mod mates;
mod payment;
mod query;
mod returns;
mod shipment;

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, Result};
use contract::PublicId;
use postgres_types::ToSql;
use read_model::shop::{ORDERS, OrderRow, OrderStatus as Status, SHOP};
use tokio_postgres::Row;
use uuid::Uuid;

use self::line::Line;
use self::mates::Mates;
pub(super) use self::payment::{KIND as PAYMENT, Payment};
pub(super) use self::query::OrderQuery;
pub(super) use self::returns::{KIND as RETURN, Return};
pub(super) use self::shipment::{KIND as SHIPMENT, Shipment};
use super::customer::Customer;
use super::scalar::{BigInt, DateTime, Money, Revision};
use super::{or_null, parked_since, read_context};
use crate::error::Failure;

/// The kind in ids.
pub(super) const KIND: &str = "Order";

/// The kinds in ids of everything here.
pub(super) const KINDS: [&str; 4] = [KIND, PAYMENT, SHIPMENT, RETURN];

/// An order, with the others of its page.
pub(crate) struct Order {
    row: OrderRow,
    mates: Arc<Mates>,
}

impl Order {
    fn read_all(rows: &[Row]) -> Result<Vec<Self>, tokio_postgres::Error> {
        let rows = rows.iter().map(OrderRow::read).collect::<Result<Vec<_>, _>>()?;
        let mates = Arc::new(Mates::new(&rows));
        Ok(rows.into_iter().map(|row| Self { row, mates: mates.clone() }).collect())
    }

    /// The one order of which a column has this value.
    async fn find(
        ctx: &Context<'_>,
        column: &'static str,
        value: &(dyn ToSql + Sync),
    ) -> Result<Option<Self>, Failure> {
        let row = read_context(ctx).row(&SHOP, &ORDERS, column, value).await?;
        Ok(Self::read_all(row.as_slice())?.pop())
    }

    /// By its id, for `node`.
    pub(super) async fn by_id(ctx: &Context<'_>, id: Uuid) -> Result<Option<Self>, Failure> {
        Self::find(ctx, "order_id", &id).await
    }
}

/// An order, of a registered customer or of a guest.
#[Object]
impl Order {
    /// Names it among everything that `node` finds.
    pub(super) async fn id(&self) -> ID {
        ID(PublicId::new(KIND, self.row.order_id).to_string())
    }

    /// Its number on paper, which no other order has; null when it was given none.
    async fn number(&self) -> Option<&str> {
        self.row.number.as_deref()
    }

    /// How far it is.
    async fn status(&self) -> OrderStatus {
        self.row.status.into()
    }

    /// Why it was called off; null while it was not.
    async fn cancel_reason(&self) -> Option<&str> {
        self.row.cancel_reason.as_deref()
    }

    /// Where it goes.
    async fn country(&self) -> &str {
        &self.row.country
    }

    /// When somebody bought.
    async fn placed_at(&self) -> DateTime {
        DateTime(self.row.placed_at)
    }

    /// What it costs.
    async fn gross(&self) -> Money {
        self.row.gross.into()
    }

    /// Pieces on all its lines together.
    async fn units(&self) -> BigInt {
        BigInt(self.row.units)
    }

    /// What was bought, in the order of the lines on paper.
    async fn lines(&self, ctx: &Context<'_>) -> Result<&[Line]> {
        Ok(self.mates.lines.of(ctx, self.row.order_id).await?)
    }

    /// Who bought; null for a guest.
    async fn customer(&self, ctx: &Context<'_>) -> Option<Result<&Customer>> {
        let id = self.row.customer_id?;
        or_null(self.mates.customer(ctx, id).await)
    }

    /// The buyer's number, as the order has it; null for a guest.
    async fn customer_number(&self) -> Option<&str> {
        self.row.customer_number.as_deref()
    }

    /// Its payments, oldest first.
    async fn payments(&self, ctx: &Context<'_>) -> Result<&[Payment]> {
        Ok(self.mates.payments(ctx, self.row.order_id).await?)
    }

    /// Its shipments, oldest first.
    async fn shipments(&self, ctx: &Context<'_>) -> Result<&[Shipment]> {
        Ok(self.mates.shipments(ctx, self.row.order_id).await?)
    }

    /// The returns that name it, oldest first.
    async fn returns(&self, ctx: &Context<'_>) -> Result<&[Return]> {
        Ok(self.mates.returns(ctx, self.row.order_id).await?)
    }

    /// For `If-Match` on commands to it.
    async fn revision(&self) -> Revision {
        Revision(self.row.revision)
    }

    /// Since when events of it wait, because one cannot be shown yet: what is shown here is from before. Null when none do.
    async fn parked_since(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        parked_since(ctx, self.row.order_id).await
    }
}

/// How far an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Status")]
pub(crate) enum OrderStatus {
    /// Somebody bought.
    Placed,
    /// Everything it needs is set aside.
    Reserved,
    /// It is paid.
    Paid,
    /// It left the house.
    Shipped,
    /// It arrived.
    Delivered,
    /// It was called off.
    Cancelled,
}
