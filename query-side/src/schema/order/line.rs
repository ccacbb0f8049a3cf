//! The lines of orders and returns, and the products on them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use async_graphql::{Context, Object, Result};
use contract::{Currency, ErrorCode};
use read_model::View;
use read_model::shop::{LineRow, SHOP};
use uuid::Uuid;

use crate::error::Failure;
use crate::schema::once::Once;
use crate::schema::product::Product;
use crate::schema::scalar::{BigInt, Money};
use crate::schema::{or_null, read_context};

/// The lines of the documents of one page, read in one statement.
pub(super) struct LinesOf {
    view: &'static View,
    /// Documents with their currency.
    documents: HashMap<Uuid, Currency>,
    /// How many lines they have together.
    count: usize,
    lines: Once<HashMap<Uuid, Vec<Line>>>,
}

impl LinesOf {
    /// For documents whose lines stand in a view: their ids, currencies and numbers of lines.
    pub(super) fn new(view: &'static View, documents: impl Iterator<Item = (Uuid, Currency, i64)>) -> Self {
        let mut count = 0_usize;
        let documents = documents.map(|(id, currency, lines)| {
            count = count.saturating_add(usize::try_from(lines).unwrap_or_default());
            (id, currency)
        });
        let documents = documents.collect();
        Self { view, documents, count, lines: Once::default() }
    }

    /// The lines of a document.
    pub(super) async fn of(&self, ctx: &Context<'_>, document: Uuid) -> Result<&[Line], Failure> {
        let all = self.lines.get(self.read(ctx)).await?;
        Ok(all.get(&document).map_or(&[], Vec::as_slice))
    }

    async fn read(&self, ctx: &Context<'_>) -> Result<HashMap<Uuid, Vec<Line>>, Failure> {
        let context = read_context(ctx);
        context.count_items(self.count)?;
        let key = self.view.key[0];
        let ids: Vec<Uuid> = self.documents.keys().copied().collect();
        let mut found: Vec<(Uuid, Currency, Vec<LineRow>)> = Vec::with_capacity(ids.len());
        for row in context.rows(&SHOP, self.view, key, key, &ids).await? {
            let id = row.try_get(key)?;
            if let Some(currency) = self.documents.get(&id) {
                found.push((id, *currency, LineRow::read_all(&row)?));
            }
        }
        let ids: BTreeSet<Uuid> =
            found.iter().flat_map(|(.., rows)| rows.iter().map(|row| row.product_id)).collect();
        let products = Arc::new(Products { ids: ids.into_iter().collect(), found: Once::default() });
        let lines = found.into_iter().map(|(id, currency, rows)| {
            let line = |row| Line { row, currency, products: products.clone() };
            (id, rows.into_iter().map(line).collect())
        });
        Ok(lines.collect())
    }
}

/// The products on the lines of one page, read in one statement when one is asked for.
struct Products {
    ids: Vec<Uuid>,
    found: Once<HashMap<Uuid, Product>>,
}

/// A line, with the products on all lines of its page.
pub(crate) struct Line {
    row: LineRow,
    currency: Currency,
    products: Arc<Products>,
}

/// A line of an order or a return.
#[Object]
impl Line {
    /// The product as it is now; null when nothing is known of it.
    async fn product(&self, ctx: &Context<'_>) -> Option<Result<&Product>> {
        let all = self.products.found.get(Product::by_ids(ctx, &self.products.ids)).await;
        or_null(all.map(|found| found.get(&self.row.product_id)))
    }

    /// The stock keeping unit on the line.
    async fn sku(&self) -> &str {
        &self.row.sku
    }

    /// What the line says it is, if anything.
    async fn description(&self) -> Option<&str> {
        self.row.description.as_deref()
    }

    /// How many pieces.
    async fn quantity(&self) -> BigInt {
        BigInt(self.row.quantity)
    }

    /// What one piece costs here.
    async fn unit_price(&self) -> Money {
        contract::Money::new(self.row.unit_price_minor, self.currency).into()
    }

    /// What all pieces cost.
    async fn total(&self) -> Result<Money> {
        let price = contract::Money::new(self.row.unit_price_minor, self.currency);
        let total = price.checked_mul(self.row.quantity);
        Ok(total.map(Money::from).map_err(|_| Failure::from(ErrorCode::AmountOverflow))?)
    }
}
