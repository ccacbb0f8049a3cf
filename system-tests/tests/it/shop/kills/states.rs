//! Where the orders stand, by the saga's own table.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use serde_json::Value;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

/// A part of the saga's state, and a value that it has.
pub type Standing = (String, String);

/// Every value that a row can have. Those that are left out are gone on from in the same fold: a payment or a shipment
/// that is requested, a payment that is authorized.
const STANDINGS: [(&str, &str); 5] = [
    ("step", "RESERVING PAYING SHIPPING DELIVERING DELIVERED CANCELLING CANCELLED"),
    ("order", "PLACED RESERVED PAID SHIPPED DELIVERED CANCELLED"),
    ("item", "RESERVING REFUSED RESERVED RELEASING RELEASED SHIPPING SHIPPED"),
    ("payment", "NONE REQUESTING AUTHORIZING CAPTURING CAPTURED DECLINING DECLINED REFUNDING REFUNDED"),
    ("shipment", "NONE REQUESTING DISPATCHING DISPATCHED TRACKING DELIVERED FAILING FAILED"),
];

const ROWS: &str = "SELECT saga_id, step, state FROM headwater.fulfilment_v1";

/// While a transaction holds this, the saga's worker comes to no end of its own. Whoever lets go of it and takes it
/// again sees the table after one more of the worker's transactions at most: the worker waits in line.
const HOLD: &str = "BEGIN; LOCK TABLE headwater.fulfilment_v1 IN SHARE MODE";

/// Where one order stands.
pub struct Standings {
    pub order: Uuid,
    pub all: BTreeSet<Standing>,
}

impl Standings {
    pub fn has(&self, part: &str, value: &str) -> bool {
        self.all.contains(&standing(part, value))
    }

    pub fn is_over(&self) -> bool {
        self.has("step", "DELIVERED") || self.has("step", "CANCELLED")
    }

    fn of(row: &Row) -> Result<Self> {
        let state: Value = row.try_get("state")?;
        let text = |value: &Value| value.as_str().context("a text").map(str::to_owned);
        let mut all = BTreeSet::from([("step".to_owned(), row.try_get("step")?)]);
        for part in ["order", "payment", "shipment"] {
            all.insert((part.to_owned(), text(&state[part])?));
        }
        for item in state["items"].as_array().context("items")? {
            all.insert(("item".to_owned(), text(&item["step"])?));
        }
        Ok(Self { order: row.try_get("saga_id")?, all })
    }
}

pub fn standing(part: &str, value: &str) -> Standing {
    (part.to_owned(), value.to_owned())
}

/// All there are.
pub fn all() -> BTreeSet<Standing> {
    let values = |(part, values): (&'static str, &'static str)| {
        values.split(' ').map(move |value| standing(part, value))
    };
    STANDINGS.into_iter().flat_map(values).collect()
}

/// Those that some order has now.
pub async fn seen(database: &Client) -> Result<BTreeSet<Standing>> {
    let mut seen = BTreeSet::new();
    for row in &database.query(ROWS, &[]).await? {
        seen.extend(Standings::of(row)?.all);
    }
    Ok(seen)
}

/// Where these orders stand, as far as the saga knows of them.
pub async fn of(database: &Client, orders: &[Uuid]) -> Result<Vec<Standings>> {
    let rows = database.query(&format!("{ROWS} WHERE saga_id = ANY($1)"), &[&orders]).await?;
    rows.iter().map(Standings::of).collect()
}

/// How many orders the saga knows of.
pub async fn orders(database: &Client) -> Result<u64> {
    let row = database.query_one("SELECT count(*) FROM headwater.fulfilment_v1", &[]).await?;
    Ok(row.try_get::<_, i64>(0)?.cast_unsigned())
}

/// Lets the saga's worker come no further than it is.
pub async fn hold(database: &Client) -> Result<()> {
    Ok(database.batch_execute(HOLD).await?)
}

/// Lets it go on.
pub async fn let_go(database: &Client) -> Result<()> {
    Ok(database.batch_execute("COMMIT").await?)
}
