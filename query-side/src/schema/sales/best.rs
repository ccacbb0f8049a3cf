//! What and who sold and bought most. Equal ones stand in the order of their names, by code point.

use async_graphql::{Context, Enum, SimpleObject};
use read_model::View;
use read_model::catalogue::{CATALOGUE, PRODUCTS};
use read_model::shop::{SALES_BY_COUNTRY, SALES_BY_CUSTOMER, SALES_BY_PRODUCT, SHOP};
use tokio_postgres::Row;

use super::days::Days;
use super::sums::{money, shop_currency, whole};
use crate::error::Failure;
use crate::schema::read_context;
use crate::schema::scalar::{BigInt, Money};

/// What was sold to one country.
#[derive(Debug, SimpleObject)]
pub(super) struct CountrySales {
    /// The country that the orders name.
    country: String,
    /// How many orders.
    orders: BigInt,
    /// What they cost.
    gross: Money,
}

impl CountrySales {
    /// The countries with the highest gross.
    pub(super) async fn read(ctx: &Context<'_>, days: Days, size: i64) -> Result<Vec<Self>, Failure> {
        let currency = shop_currency(ctx);
        let sales = |row: &Row| {
            Ok(Self {
                country: row.try_get("country")?,
                orders: BigInt(whole(row, "orders")?),
                gross: money(whole(row, "gross")?, currency),
            })
        };
        by_gross(ctx, &SALES_BY_COUNTRY, "country", days, size).await?.iter().map(sales).collect()
    }
}

/// What one registered customer bought.
#[derive(Debug, SimpleObject)]
pub(super) struct CustomerSales {
    /// The number that the orders name.
    customer_number: String,
    /// How many orders.
    orders: BigInt,
    /// What they cost.
    gross: Money,
}

impl CustomerSales {
    /// The customers with the highest gross.
    pub(super) async fn read(ctx: &Context<'_>, days: Days, size: i64) -> Result<Vec<Self>, Failure> {
        let currency = shop_currency(ctx);
        let sales = |row: &Row| {
            Ok(Self {
                customer_number: row.try_get("customer_number")?,
                orders: BigInt(whole(row, "orders")?),
                gross: money(whole(row, "gross")?, currency),
            })
        };
        by_gross(ctx, &SALES_BY_CUSTOMER, "customer_number", days, size).await?.iter().map(sales).collect()
    }
}

/// The names with the highest gross in a view that has orders and gross of a name on a day.
async fn by_gross(
    ctx: &Context<'_>,
    view: &View,
    name: &'static str,
    days: Days,
    size: i64,
) -> Result<Vec<Row>, Failure> {
    let (snapshot, table) = read_context(ctx).table(&SHOP, view).await?;
    let sql = format!(
        "SELECT {name}, sum(orders)::text AS orders, sum(gross)::text AS gross FROM {table} \
         WHERE day BETWEEN $1 AND $2 GROUP BY {name} ORDER BY sum(gross) DESC, {name} LIMIT $3"
    );
    Ok(snapshot.query(&sql, &[&days.from, &days.to, &size]).await?)
}

/// What makes a product a top product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(super) enum TopProductsBy {
    /// The pieces sold.
    Units,
    /// What they cost together.
    Revenue,
}

/// What was sold of one product.
#[derive(Debug, SimpleObject)]
pub(super) struct ProductSales {
    /// The stock keeping unit that the orders name.
    sku: String,
    /// What the product is called now; null when it has no name.
    name: Option<String>,
    /// Pieces.
    units: BigInt,
    /// What they cost together, each at the price on its line.
    revenue: Money,
}

impl ProductSales {
    /// The products with the most pieces sold, or with the highest revenue.
    pub(super) async fn read(
        ctx: &Context<'_>,
        days: Days,
        by: TopProductsBy,
        size: i64,
    ) -> Result<Vec<Self>, Failure> {
        let (_, products) = read_context(ctx).table(&CATALOGUE, &PRODUCTS).await?;
        let (snapshot, table) = read_context(ctx).table(&SHOP, &SALES_BY_PRODUCT).await?;
        let measure = match by {
            TopProductsBy::Units => "units",
            TopProductsBy::Revenue => "revenue",
        };
        let sql = format!(
            "SELECT best.sku, products.name, best.units::text AS units, best.revenue::text AS revenue \
             FROM (SELECT product_id, sku, sum(units) AS units, sum(revenue) AS revenue FROM {table} \
                   WHERE day BETWEEN $1 AND $2 GROUP BY product_id, sku \
                   ORDER BY {measure} DESC, sku LIMIT $3) AS best \
             LEFT JOIN {products} ON products.product_id = best.product_id \
             ORDER BY best.{measure} DESC, best.sku"
        );
        let rows = snapshot.query(&sql, &[&days.from, &days.to, &size]).await?;
        let currency = shop_currency(ctx);
        let sales = |row: &Row| {
            Ok(Self {
                sku: row.try_get("sku")?,
                name: row.try_get("name")?,
                units: BigInt(whole(row, "units")?),
                revenue: money(whole(row, "revenue")?, currency),
            })
        };
        rows.iter().map(sales).collect()
    }
}
