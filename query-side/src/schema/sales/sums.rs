//! Sums of sales, over all days asked for and day by day.

use async_graphql::{Context, SimpleObject};
use contract::{Currency, ErrorCode};
use read_model::shop::{SALES_BY_DAY, SHOP};
use tokio_postgres::Row;

use super::days::Days;
use crate::error::Failure;
use crate::schema::read_context;
use crate::schema::scalar::{BigInt, Date, Money};

/// What was sold and what came back. An order counts on the day when it was placed, and not at all once it is
/// cancelled; a return counts on the day when it was received.
#[derive(Debug, SimpleObject)]
pub(super) struct SalesSummary {
    /// Orders.
    orders: BigInt,
    /// Those of them that guests placed.
    guest_orders: BigInt,
    /// Returns.
    returns: BigInt,
    /// Pieces on the orders.
    units_sold: BigInt,
    /// What the orders cost.
    gross: Money,
    /// What the returns are worth.
    returned: Money,
    /// Gross without what was returned; negative when more came back than was sold.
    net: Money,
}

impl SalesSummary {
    /// Adds up the days.
    pub(super) async fn read(ctx: &Context<'_>, days: Days) -> Result<Self, Failure> {
        let (snapshot, table) = read_context(ctx).table(&SHOP, &SALES_BY_DAY).await?;
        let sums = ["orders", "guest_orders", "returns", "units", "gross", "returned"]
            .map(|column| format!("coalesce(sum({column}), 0)::text AS {column}"))
            .join(", ");
        let sql = format!("SELECT {sums} FROM {table} WHERE day BETWEEN $1 AND $2");
        let rows = snapshot.query(&sql, &[&days.from, &days.to]).await?;
        let row = rows.first().ok_or(ErrorCode::Internal)?;
        let currency = shop_currency(ctx);
        let (gross, returned) = (whole(row, "gross")?, whole(row, "returned")?);
        Ok(Self {
            orders: BigInt(whole(row, "orders")?),
            guest_orders: BigInt(whole(row, "guest_orders")?),
            returns: BigInt(whole(row, "returns")?),
            units_sold: BigInt(whole(row, "units")?),
            gross: money(gross, currency),
            returned: money(returned, currency),
            net: money(difference(gross, returned)?, currency),
        })
    }
}

/// The sales of one day.
#[derive(Debug, SimpleObject)]
pub(super) struct DaySales {
    /// Which day, in the shop's time zone.
    day: Date,
    /// Orders placed on it and not cancelled since.
    orders: BigInt,
    /// What they cost.
    gross: Money,
    /// What the returns that were received on it are worth.
    returned: Money,
    /// Gross without what was returned; negative when more came back than was sold.
    net: Money,
}

impl DaySales {
    /// The days on which something was sold or came back, in their order.
    pub(super) async fn read(ctx: &Context<'_>, days: Days) -> Result<Vec<Self>, Failure> {
        let (snapshot, table) = read_context(ctx).table(&SHOP, &SALES_BY_DAY).await?;
        let sql = format!(
            "SELECT day, orders, gross, returned FROM {table} WHERE day BETWEEN $1 AND $2 ORDER BY day"
        );
        let rows = snapshot.query(&sql, &[&days.from, &days.to]).await?;
        let currency = shop_currency(ctx);
        let day = |row: &Row| {
            let (gross, returned) = (row.try_get("gross")?, row.try_get("returned")?);
            Ok(Self {
                day: Date(row.try_get("day")?),
                orders: BigInt(row.try_get("orders")?),
                gross: money(gross, currency),
                returned: money(returned, currency),
                net: money(difference(gross, returned)?, currency),
            })
        };
        rows.iter().map(day).collect()
    }
}

/// The currency of every sum: a shop has one.
pub(super) fn shop_currency(ctx: &Context<'_>) -> Currency {
    *ctx.data_unchecked()
}

/// An amount of minor units.
pub(super) fn money(minor: i64, currency: Currency) -> Money {
    contract::Money::new(minor, currency).into()
}

/// A sum, which Postgres gives with as many digits as it has and the statement turns into text.
pub(super) fn whole(row: &Row, column: &str) -> Result<i64, Failure> {
    let digits: &str = row.try_get(column)?;
    digits.parse().map_err(|_| ErrorCode::AmountOverflow.into())
}

fn difference(gross: i64, returned: i64) -> Result<i64, Failure> {
    gross.checked_sub(returned).ok_or_else(|| ErrorCode::AmountOverflow.into())
}
