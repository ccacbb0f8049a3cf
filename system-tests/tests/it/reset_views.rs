//! Another log in the place of the one that was folded is refused, and the command that the refusal names mends it:
//! everything is folded again, and nobody is asked twice for what the log has answered.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use system_tests::{Client, Headwater, Options, binary, eventually};

use crate::home;

const PATIENCE: Duration = Duration::from_secs(30);

const SHOP: &str = "{ product(sku: \"MUG-1\") { onHand reserved } orders { nodes { number status } }
    salesSummary(from: \"2010-12-01\", to: \"2010-12-31\") { orders gross { amount } } }";

/// `headwater reset-views` for a data directory.
async fn reset_views(data_dir: &Path) -> Result<Output> {
    let mut command = Command::new(binary()?);
    command.args(["reset-views", "--data-dir"]).arg(data_dir).env_remove("DATABASE_URL");
    Ok(tokio::task::spawn_blocking(move || command.stdin(Stdio::null()).output()).await??)
}

/// A mug on the shelf, and an order of one that has reached its end.
async fn shop_a_little(client: &Client) -> Result<()> {
    let mug = json!({ "sku": "MUG-1", "price": { "amount": "4.50", "currency": "GBP" } });
    let listed = client.post("/v1/products", &[], &mug).await?;
    let id = listed.body["id"].as_str().context("an id")?;
    client.post(&format!("/v1/stock/{id}/receive"), &[], &json!({ "quantity": 3 })).await?;
    let order = json!({ "number": "1", "country": "France", "currency": "GBP", "occurredAt": "2010-12-24T12:00:00Z",
                        "lines": [{ "sku": "MUG-1", "quantity": 1 }] });
    let placed = client.post("/v1/orders", &[], &order).await?;
    assert_eq!(placed.status, 201, "{}", placed.body);
    Ok(())
}

fn shopped() -> Value {
    json!({ "product": { "onHand": 2, "reserved": 0 }, "orders": { "nodes": [{ "number": "1", "status": "DELIVERED" }] },
            "salesSummary": { "orders": 1, "gross": { "amount": "4.50" } } })
}

async fn shows(client: &Client, expected: &Value) -> Result<()> {
    let mut last = Value::Null;
    let shown = eventually("the shop as it should be", PATIENCE, async || {
        last = client.query(SHOP, &json!({}), None).await?.body["data"].take();
        Ok((last == *expected).then_some(()))
    });
    shown.await.with_context(|| last.to_string())
}

async fn calls(running: &Headwater) -> Result<usize> {
    let page = running.sandbox().get("/ledger").await?;
    Ok(page.body["calls"].as_array().context("calls")?.len())
}

/// Starts, and gives what a start that is refused has printed.
async fn refused(options: &Options) -> Result<String> {
    let mut failing = Headwater::spawn(options)?;
    assert!(!failing.ended().await?.success());
    Ok(failing.output())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_log_is_refused_with_the_command_that_mends_it() -> Result<()> {
    let home = home()?;
    let options = Options::at(&home.path().join("data"));
    let running = Headwater::start(&options).await?;
    shop_a_little(&running.client()).await?;
    shows(&running.client(), &shopped()).await?;
    let asked = calls(&running).await?;

    let too_early = reset_views(&options.data_dir).await?;
    assert!(!too_early.status.success());
    assert!(String::from_utf8_lossy(&too_early.stderr).contains("running on this data"), "{too_early:?}");
    assert!(running.stop().await?.success());

    let (node, aside) = (options.data_dir.join("node"), home.path().join("aside"));
    std::fs::rename(&node, &aside)?;
    let foreign = refused(&options).await?;
    assert!(foreign.contains("headwater reset-views"), "{foreign}");
    assert!(reset_views(&options.data_dir).await?.status.success());
    let running = Headwater::start(&options).await?;
    let nothing = json!({ "product": null, "orders": { "nodes": [] },
                          "salesSummary": { "orders": 0, "gross": { "amount": "0.00" } } });
    shows(&running.client(), &nothing).await?;
    assert!(running.stop().await?.success());

    std::fs::remove_dir_all(&node)?;
    std::fs::rename(&aside, &node)?;
    assert!(refused(&options).await?.contains("headwater reset-views"));
    assert!(reset_views(&options.data_dir).await?.status.success());
    let running = Headwater::start(&options).await?;
    shows(&running.client(), &shopped()).await?;
    assert_eq!(calls(&running).await?, asked, "the sagas folded again and asked for nothing");
    assert!(running.stop().await?.success());
    Ok(())
}
