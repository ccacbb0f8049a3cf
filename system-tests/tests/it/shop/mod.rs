//! A whole shop through the shipped binary: imported over REST, carried to the end by the sagas, read over GraphQL.

mod as_of;
mod generated;
mod invoices;
mod kills;
mod ledger;
mod month;
pub(crate) mod rebuilt;
mod sample;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value, json};
use system_tests::{Client, Headwater, binary, eventually};

/// A busy machine may take some minutes for a hundred thousand commands; what stands still is found much sooner by
/// its tests.
const CARRIED_OUT_WITHIN: Duration = Duration::from_secs(600);

/// The products of a page.
const PAGE: usize = 100;

/// Imports a file as an operator does, and gives the summary.
async fn import(running: &Headwater, file: &Path) -> Result<Value> {
    let mut command = Command::new(binary()?);
    command.args(["import", "retail", "--json", "--url", &format!("http://{}", running.public)]).arg(file);
    let output = tokio::task::spawn_blocking(move || command.stdin(Stdio::null()).output()).await??;
    let printed = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the import failed: {printed}\n{said}\n{}", running.output());
    serde_json::from_str(&printed).with_context(|| printed.into_owned())
}

/// The sum of one count over all kinds of an import's summary.
fn total(summary: &Value, count: &str) -> u64 {
    let kinds = summary["kinds"].as_object().map(Map::values).into_iter().flatten();
    kinds.filter_map(|counts| counts[count].as_u64()).sum()
}

/// Asks and insists on an answer without errors.
async fn ask(client: &Client, document: &str, variables: &Value) -> Result<Value> {
    let answer = client.query(document, variables, None).await?;
    ensure!(answer.body.get("errors").is_none(), "{document}\n{variables}\n{}", answer.body);
    Ok(answer.body["data"].clone())
}

/// How many orders have this status; all when none is given.
async fn orders(client: &Client, status: Option<&str>) -> Result<u64> {
    let document =
        "query($status: OrderStatus) { orders(filter: { status: $status }, first: 1) { totalCount } }";
    let data = ask(client, document, &json!({ "status": status })).await?;
    data["orders"]["totalCount"].as_u64().context("a count")
}

/// Waits until every one of so many orders has come to its end, and gives how many were cancelled.
async fn every_order_ended(client: &Client, expected: u64) -> Result<u64> {
    eventually("every order at its end", CARRIED_OUT_WITHIN, async || {
        let cancelled = orders(client, Some("CANCELLED")).await?;
        let ended = orders(client, Some("DELIVERED")).await? + cancelled;
        Ok((ended == expected).then_some(cancelled))
    })
    .await
}

/// Waits until this many units are in the house, none of them reserved; gives the units of each product. The last
/// returns come back to the shelf by a saga of their own.
async fn stock_settled(client: &Client, on_hand: i64) -> Result<Map<String, Value>> {
    let settled = eventually("the stock settled", CARRIED_OUT_WITHIN, async || {
        let (units, reserved) = stock(client).await?;
        let sum: i64 = units.values().filter_map(Value::as_i64).sum();
        Ok((sum == on_hand && reserved == 0).then_some(units))
    });
    let settled = settled.await;
    if settled.is_err() {
        let (units, reserved) = stock(client).await?;
        let sum: i64 = units.values().filter_map(Value::as_i64).sum();
        ensure!((sum, reserved) == (on_hand, 0), "{sum} units on hand and {reserved} reserved");
    }
    settled
}

/// Units on hand by product, and the units that are reserved in all.
async fn stock(client: &Client) -> Result<(Map<String, Value>, i64)> {
    let document = "query($after: String) { products(first: 100, after: $after) {
        nodes { sku onHand reserved } pageInfo { hasNextPage endCursor } } }";
    let (mut units, mut reserved, mut after) = (Map::new(), 0, Value::Null);
    loop {
        let page = ask(client, document, &json!({ "after": after })).await?["products"].take();
        let nodes = page["nodes"].as_array().context("products")?;
        ensure!(nodes.len() <= PAGE, "a page of {}", nodes.len());
        for product in nodes {
            units.insert(product["sku"].as_str().context("a SKU")?.to_owned(), product["onHand"].clone());
            reserved += product["reserved"].as_i64().context("a count")?;
        }
        if page["pageInfo"]["hasNextPage"] != true {
            return Ok((units, reserved));
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

/// Everything that GraphQL says of the sales of these days.
async fn figures(client: &Client, from: &str, to: &str) -> Result<Value> {
    let document = "query($from: Date!, $to: Date!) {
        salesSummary(from: $from, to: $to) {
            orders guestOrders returns unitsSold gross { amount } returned { amount } net { amount currency } }
        salesByDay(from: $from, to: $to) {
            day orders gross { amount } returned { amount } net { amount } }
        salesByCountry(from: $from, to: $to, first: 100) { country orders gross { amount } }
        byUnits: topProducts(from: $from, to: $to, by: UNITS, first: 100) { sku units revenue { amount } }
        byRevenue: topProducts(from: $from, to: $to, by: REVENUE, first: 100) { sku units revenue { amount } }
        topCustomers(from: $from, to: $to, first: 100) { customerNumber orders gross { amount } }
    }";
    ask(client, document, &json!({ "from": from, "to": to })).await
}

/// Where the log ends, as the projections see it once all of them are there.
async fn head(client: &Client) -> Result<String> {
    eventually("every projection at the head", Duration::from_secs(60), async || {
        let rows = ask(client, "{ projections { position headPosition state } }", &json!({})).await?;
        let rows = rows["projections"].as_array().context("projections")?.clone();
        let head = rows.first().map(|row| row["headPosition"].clone());
        let there = rows.iter().all(|row| row["state"] == "LIVE" && Some(&row["position"]) == head.as_ref());
        Ok(head.filter(|_| there).and_then(|head| head.as_str().map(str::to_owned)))
    })
    .await
}
