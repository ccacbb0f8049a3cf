//! Returns of orders.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, Result};
use contract::PublicId;
use read_model::shop::{RETURN_LINES, RETURNS, ReturnRow, SHOP};
use uuid::Uuid;

use super::line::{Line, LinesOf};
use crate::error::Failure;
use crate::schema::scalar::{BigInt, DateTime, Money, Revision};
use crate::schema::{parked_since, read_context};

/// The kind in ids.
pub(in crate::schema) const KIND: &str = "Return";

/// A return, with the lines of all that were read with it.
pub(crate) struct Return {
    row: ReturnRow,
    lines: Arc<LinesOf>,
}

impl Return {
    /// Returns that were read together.
    pub(super) fn with_mates(rows: Vec<ReturnRow>) -> Vec<Self> {
        let documents = rows.iter().map(|row| (row.return_id, row.returned.currency, row.line_count));
        let lines = Arc::new(LinesOf::new(&RETURN_LINES, documents));
        rows.into_iter().map(|row| Self { row, lines: lines.clone() }).collect()
    }

    /// By its id, for `node`.
    pub(in crate::schema) async fn by_id(ctx: &Context<'_>, id: Uuid) -> Result<Option<Self>, Failure> {
        let row = read_context(ctx).row(&SHOP, &RETURNS, "return_id", &id).await?;
        let row = row.as_ref().map(ReturnRow::read).transpose()?;
        Ok(Self::with_mates(row.into_iter().collect()).pop())
    }

    /// The order that it names.
    pub(super) fn order(&self) -> Option<Uuid> {
        self.row.order_id
    }
}

/// Goods that came back.
#[Object]
impl Return {
    /// Names it among everything that `node` finds.
    pub(in crate::schema) async fn id(&self) -> ID {
        ID(PublicId::new(KIND, self.row.return_id).to_string())
    }

    /// Its number on paper, which no other return has; null when it was given none.
    async fn number(&self) -> Option<&str> {
        self.row.number.as_deref()
    }

    /// The order that the goods are from; null when it names none.
    async fn order_id(&self) -> Option<ID> {
        self.row.order_id.map(|id| ID(PublicId::new(super::KIND, id).to_string()))
    }

    /// The number of the customer who sent them; null when that is not known.
    async fn customer_number(&self) -> Option<&str> {
        self.row.customer_number.as_deref()
    }

    /// Where they come from.
    async fn country(&self) -> &str {
        &self.row.country
    }

    /// When they came in.
    async fn received_at(&self) -> DateTime {
        DateTime(self.row.received_at)
    }

    /// What they are worth.
    async fn returned(&self) -> Money {
        self.row.returned.into()
    }

    /// Pieces on all its lines together.
    async fn units(&self) -> BigInt {
        BigInt(self.row.units)
    }

    /// What came back, in the order of the lines on paper.
    async fn lines(&self, ctx: &Context<'_>) -> Result<&[Line]> {
        Ok(self.lines.of(ctx, self.row.return_id).await?)
    }

    /// Whether the goods are on the shelf again.
    async fn restocked(&self) -> bool {
        self.row.restocked
    }

    /// Whether the money was given back.
    async fn refunded(&self) -> bool {
        self.row.refunded
    }

    /// For `If-Match` on commands to it.
    async fn revision(&self) -> Revision {
        Revision(self.row.revision)
    }

    /// Since when events of it wait, because one cannot be shown yet: what is shown here is from before. Null when none do.
    async fn parked_since(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        parked_since(ctx, self.row.return_id).await
    }
}
