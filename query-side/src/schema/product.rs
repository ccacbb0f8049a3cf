//! Products with their stock.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, Result};
use contract::PublicId;
use postgres_types::ToSql;
use read_model::catalogue::{CATALOGUE, PRODUCTS, ProductRow, ProductStatus as Status};
use tokio_postgres::Row;
use uuid::Uuid;

use super::page::{Conditions, DEFAULT_SIZE, KeyType, Order, Page, PageOf, SortDirection, cost};
use super::scalar::{AsOf, BigInt, DateTime, Money, Revision};
use super::{or_null, parked_since, read_context};
use crate::error::Failure;

/// The kind in ids.
pub(super) const KIND: &str = "Product";

/// A product and its stock.
pub(crate) struct Product(ProductRow);

impl Product {
    fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        ProductRow::read(row).map(Self)
    }

    fn read_all(rows: &[Row]) -> Result<Vec<Self>, tokio_postgres::Error> {
        rows.iter().map(Self::read).collect()
    }

    /// The one product of which a column has this value.
    async fn find(
        ctx: &Context<'_>,
        column: &'static str,
        value: &(dyn ToSql + Sync),
    ) -> Result<Option<Self>, Failure> {
        let row = read_context(ctx).row(&CATALOGUE, &PRODUCTS, column, value).await?;
        Ok(row.as_ref().map(Self::read).transpose()?)
    }

    /// By its id, for `node`.
    pub(super) async fn by_id(ctx: &Context<'_>, id: Uuid) -> Result<Option<Self>, Failure> {
        Self::find(ctx, "product_id", &id).await
    }

    /// All with these SKUs that are there, in one statement.
    pub(super) async fn by_skus(ctx: &Context<'_>, skus: &[&str]) -> Result<HashMap<String, Self>, Failure> {
        let rows = read_context(ctx).rows(&CATALOGUE, &PRODUCTS, "sku", "sku", skus).await?;
        let products = rows.iter().map(|row| Self::read(row).map(|found| (found.0.sku.clone(), found)));
        Ok(products.collect::<Result<_, _>>()?)
    }

    /// All of these that are there, in one statement.
    pub(super) async fn by_ids(ctx: &Context<'_>, ids: &[Uuid]) -> Result<HashMap<Uuid, Self>, Failure> {
        let rows = read_context(ctx).rows(&CATALOGUE, &PRODUCTS, "product_id", "product_id", ids).await?;
        let products = rows.iter().map(|row| Self::read(row).map(|found| (found.0.product_id, found)));
        Ok(products.collect::<Result<_, _>>()?)
    }
}

/// A product and its stock.
#[Object]
impl Product {
    /// Names it among everything that `node` finds.
    pub(super) async fn id(&self) -> ID {
        ID(PublicId::new(KIND, self.0.product_id).to_string())
    }

    /// Its stock keeping unit, which no other product has.
    async fn sku(&self) -> &str {
        &self.0.sku
    }

    /// What it is called, if it was given a name.
    async fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// What is said of it, if anything.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// What one costs.
    async fn price(&self) -> Money {
        self.0.price.into()
    }

    /// Whether it can be ordered.
    async fn status(&self) -> ProductStatus {
        self.0.status.into()
    }

    /// Pieces in the warehouse, reserved ones included.
    async fn on_hand(&self) -> BigInt {
        BigInt(self.0.on_hand)
    }

    /// Pieces promised to orders.
    async fn reserved(&self) -> BigInt {
        BigInt(self.0.reserved)
    }

    /// On hand and not reserved; negative after an adjustment that leaves fewer pieces than are promised.
    async fn available(&self) -> BigInt {
        BigInt(self.0.on_hand.saturating_sub(self.0.reserved))
    }

    /// When it was listed first.
    async fn listed_at(&self) -> DateTime {
        DateTime(self.0.listed_at)
    }

    /// Of the product: for `If-Match` on commands to it.
    async fn revision(&self) -> Revision {
        Revision(self.0.revision)
    }

    /// Since when events of it wait, because one cannot be shown yet: what is shown here is from before. Null when none do.
    async fn parked_since(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        parked_since(ctx, self.0.product_id).await
    }

    /// Of its stock: for `If-Match` on commands to that. Null before the first movement.
    async fn stock_revision(&self) -> Option<Revision> {
        self.0.stock_revision.map(Revision)
    }
}

/// Whether a product can be ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Status")]
pub(crate) enum ProductStatus {
    /// It can.
    Listed,
    /// It could once.
    Delisted,
}

/// Which products; what is left out does not matter.
#[derive(Debug, Clone, Default, InputObject)]
struct ProductFilter {
    /// Only with this status.
    status: Option<ProductStatus>,
    /// Only with pieces available, or only without.
    in_stock: Option<bool>,
    /// Only these, at most 100.
    #[graphql(validator(max_items = 100))]
    skus: Option<Vec<String>>,
}

impl ProductFilter {
    fn conditions(&self) -> Conditions {
        let mut conditions = Conditions::default();
        if let Some(status) = self.status {
            let at = conditions.parameter(Arc::new(Status::from(status).as_str()));
            conditions.add(format!("status = ${at}"));
        }
        if let Some(in_stock) = self.in_stock {
            conditions.add(if in_stock { "on_hand > reserved" } else { "on_hand <= reserved" });
        }
        if let Some(skus) = &self.skus {
            let at = conditions.parameter(Arc::new(skus.clone()));
            conditions.add(format!("sku = ANY (${at})"));
        }
        conditions
    }
}

/// What products are ordered by; equal ones always stand in the same order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
enum ProductSortKey {
    /// The SKU, by code point.
    Sku,
    /// The name, by code point; those without one count as having an empty one.
    Name,
    /// The price.
    Price,
    /// When it was listed first.
    ListedAt,
}

/// The order of products.
#[derive(Debug, Clone, InputObject)]
struct ProductSort {
    /// By what.
    #[graphql(default_with = "ProductSortKey::Sku")]
    by: ProductSortKey,
    /// Which way.
    #[graphql(default_with = "SortDirection::Asc")]
    direction: SortDirection,
}

impl Default for ProductSort {
    fn default() -> Self {
        Self { by: ProductSortKey::Sku, direction: SortDirection::Asc }
    }
}

impl ProductSort {
    fn order(&self) -> Order {
        let (name, column, key) = match self.by {
            ProductSortKey::Sku => ("sku", "sku", KeyType::Text),
            ProductSortKey::Name => ("name", "coalesce(name, '')", KeyType::Text),
            ProductSortKey::Price => ("price", "price_minor", KeyType::Number),
            ProductSortKey::ListedAt => ("listed", "listed_at", KeyType::Moment),
        };
        Order {
            name: format!("{name}:{:?}", self.direction),
            column,
            key,
            id: "product_id",
            direction: self.direction,
        }
    }
}

/// Questions about products.
#[derive(Default)]
pub(super) struct ProductQuery;

#[Object]
impl ProductQuery {
    /// The product with this SKU; null when there is none.
    async fn product(
        &self,
        ctx: &Context<'_>,
        sku: String,
        #[graphql(name = "asOf", desc = "As of when; now when it is left out.")] _as_of: Option<AsOf>,
    ) -> Option<Result<Product>> {
        or_null(Product::find(ctx, "sku", &sku).await)
    }

    /// Products, 20 a page unless said otherwise.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn products(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which; all when it is left out.")] filter: Option<ProductFilter>,
        #[graphql(default_with = "Some(ProductSort::default())", desc = "In which order.")] sort: Option<
            ProductSort,
        >,
        #[graphql(default_with = "Some(DEFAULT_SIZE)", desc = "How many, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "A cursor of this very query: the page begins behind it.")] after: Option<String>,
        #[graphql(name = "asOf", desc = "As of when; now when it is left out.")] _as_of: Option<AsOf>,
    ) -> Result<PageOf<Product>> {
        let page = Page::new(first, after.as_deref(), sort.unwrap_or_default().order())?;
        let filter = filter.unwrap_or_default();
        Ok(page.read(ctx, (&CATALOGUE, &PRODUCTS), || filter.conditions(), Product::read_all).await?)
    }
}
