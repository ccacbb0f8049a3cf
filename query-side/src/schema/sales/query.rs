//! Questions about sales.

use async_graphql::{Context, Object, Result};

use super::best::{CountrySales, CustomerSales, ProductSales, TopProductsBy};
use super::days::Days;
use super::sums::{DaySales, SalesSummary};
use crate::schema::page::{DEFAULT_SIZE, MAX_SIZE, checked_size, cost};
use crate::schema::scalar::{AsOf, Date};

/// Questions about sales. Days are those of the shop's time zone; the last one is included.
#[derive(Default)]
pub(in crate::schema) struct SalesQuery;

#[Object]
impl SalesQuery {
    /// What was sold and what came back from one day to another, both included; at most 3,660 days.
    async fn sales_summary(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first day.")] from: Date,
        #[graphql(desc = "The last day.")] to: Date,
        #[graphql(name = "asOf", desc = "As of when; now when it is left out.")] _as_of: Option<AsOf>,
    ) -> Result<SalesSummary> {
        Ok(SalesSummary::read(ctx, Days::new(from, to)?).await?)
    }

    /// The same day by day, in their order, without days on which nothing was sold and nothing came back.
    // Its items are a few numbers of one table: it costs what the largest page costs, however many days it has.
    #[graphql(complexity = "cost(Some(MAX_SIZE), child_complexity)")]
    async fn sales_by_day(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first day.")] from: Date,
        #[graphql(desc = "The last day.")] to: Date,
        #[graphql(name = "asOf", desc = "As of when; now when it is left out.")] _as_of: Option<AsOf>,
    ) -> Result<Vec<DaySales>> {
        Ok(DaySales::read(ctx, Days::new(from, to)?).await?)
    }

    /// The countries with the highest gross, 20 unless said otherwise; equal ones by name.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn sales_by_country(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first day.")] from: Date,
        #[graphql(desc = "The last day.")] to: Date,
        #[graphql(default_with = "Some(DEFAULT_SIZE)", desc = "How many, 1 to 100.")] first: Option<i32>,
        #[graphql(name = "asOf", desc = "As of when; now when it is left out.")] _as_of: Option<AsOf>,
    ) -> Result<Vec<CountrySales>> {
        Ok(CountrySales::read(ctx, Days::new(from, to)?, checked_size(first)?).await?)
    }

    /// The products that sold best, 20 unless said otherwise; equal ones by SKU.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn top_products(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first day.")] from: Date,
        #[graphql(desc = "The last day.")] to: Date,
        #[graphql(desc = "What counts.")] by: TopProductsBy,
        #[graphql(default_with = "Some(DEFAULT_SIZE)", desc = "How many, 1 to 100.")] first: Option<i32>,
        #[graphql(name = "asOf", desc = "As of when; now when it is left out.")] _as_of: Option<AsOf>,
    ) -> Result<Vec<ProductSales>> {
        Ok(ProductSales::read(ctx, Days::new(from, to)?, by, checked_size(first)?).await?)
    }

    /// The registered customers with the highest gross, 20 unless said otherwise; equal ones by number.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn top_customers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first day.")] from: Date,
        #[graphql(desc = "The last day.")] to: Date,
        #[graphql(default_with = "Some(DEFAULT_SIZE)", desc = "How many, 1 to 100.")] first: Option<i32>,
        #[graphql(name = "asOf", desc = "As of when; now when it is left out.")] _as_of: Option<AsOf>,
    ) -> Result<Vec<CustomerSales>> {
        Ok(CustomerSales::read(ctx, Days::new(from, to)?, checked_size(first)?).await?)
    }
}
