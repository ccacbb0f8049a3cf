//! An order that nobody moves on by hand, through the binary, and the sandbox that outlives every end.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use system_tests::{Client, Headwater, Options, eventually};

use crate::home;

const PATIENCE: Duration = Duration::from_secs(30);

/// Lists a mug and receives so many.
async fn stock_up(client: &Client, quantity: i64) -> Result<()> {
    let mug = json!({ "sku": "MUG-1", "price": { "amount": "4.50", "currency": "GBP" } });
    let listed = client.post("/v1/products", &[("idempotency-key", "mug")], &mug).await?;
    let id = listed.body["id"].as_str().context("an id")?;
    let received =
        client.post(&format!("/v1/stock/{id}/receive"), &[], &json!({ "quantity": quantity })).await?;
    assert_eq!(received.status, 200, "{}", received.body);
    Ok(())
}

/// Orders a mug; gives the order's id.
async fn order(client: &Client, payment_token: Option<&str>) -> Result<String> {
    let lines = json!([{ "sku": "MUG-1", "quantity": 1 }]);
    let order =
        json!({ "country": "France", "currency": "GBP", "lines": lines, "paymentToken": payment_token });
    let placed = client.post("/v1/orders", &[], &order).await?;
    assert_eq!(placed.status, 201, "{}", placed.body);
    Ok(placed.body["id"].as_str().context("an id")?.to_owned())
}

async fn becomes(client: &Client, order: &str, status: &str) -> Result<()> {
    eventually(status, PATIENCE, async || {
        let found = client.get(&format!("/v1/orders/{order}")).await?;
        Ok((found.body["status"] == status).then_some(()))
    })
    .await
}

/// The kinds of calls that the sandbox has received for an order.
async fn calls(sandbox: &Client, order: &str) -> Result<Vec<Value>> {
    let page = sandbox.get(&format!("/ledger?order={order}")).await?;
    let calls = page.body["calls"].as_array().context("a page of calls")?;
    Ok(calls.iter().map(|call| call["kind"].clone()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_reach_their_end_and_the_ledger_outlives_a_kill() -> Result<()> {
    let home = home()?;
    let options = Options::at(&home.path().join("data"));
    let running = Headwater::start(&options).await?;
    // Again at the same address: a sandbox that was left behind must not keep it.
    let options = Options { sandbox: Some(running.sandbox), ..options };
    stock_up(&running.client(), 3).await?;
    let delivered = order(&running.client(), None).await?;
    let declined = order(&running.client(), Some("decline")).await?;
    becomes(&running.client(), &delivered, "DELIVERED").await?;
    becomes(&running.client(), &declined, "CANCELLED").await?;
    let asked = calls(&running.sandbox(), &delivered).await?;
    assert_eq!(asked, ["AUTHORIZE", "CAPTURE", "CARRY", "TRACK"]);
    let stuck = running.operations().get("/sagas").await?;
    assert_eq!((stuck.status, stuck.body), (200, json!({ "stuck": [] })));
    running.kill().await?;

    let running = Headwater::start(&options).await?;
    assert_eq!(
        calls(&running.sandbox(), &delivered).await?,
        asked,
        "nothing is gone, and nothing asked again"
    );
    let another = order(&running.client(), None).await?;
    becomes(&running.client(), &another, "DELIVERED").await?;
    let summary = running.sandbox().get("/ledger/summary").await?;
    let captured = summary.body.as_array().and_then(|lines| {
        lines.iter().find(|line| line["kind"] == "CAPTURE" && line["outcome"] == "CAPTURED").cloned()
    });
    let captured = captured.context("captures")?;
    assert_eq!((&captured["orders"], &captured["amounts"]["GBP"]), (&json!(2), &json!(900)), "{captured}");
    let sandbox = running.sandbox();
    assert!(running.stop().await?.success());
    assert!(sandbox.get("/ledger").await.is_err(), "it stops with its parent");
    Ok(())
}
