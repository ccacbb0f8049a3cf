//! What the sandbox was asked, by its own account.

use anyhow::{Context as _, Result};
use serde_json::Value;
use system_tests::{Client, Headwater};

/// The calls of one kind with one outcome: their lines of the summary added up.
#[derive(Debug, Default, PartialEq)]
struct Total {
    calls: u64,
    repeated: u64,
    orders: u64,
    minor: i64,
}

async fn total(running: &Headwater, kind: &str, outcome: &str) -> Result<Total> {
    let sandbox = Client::new(&format!("http://{}", running.sandbox));
    let answer = sandbox.get("/ledger/summary").await?;
    let lines = answer.body.as_array().context("a summary")?;
    let line = lines.iter().find(|line| line["kind"] == kind && line["outcome"] == outcome);
    let number = |line: &Value, name: &str| line[name].as_u64().context("a number");
    match line {
        None => Ok(Total::default()),
        Some(line) => Ok(Total {
            calls: number(line, "calls")?,
            repeated: number(line, "repeated")?,
            orders: number(line, "orders")?,
            minor: line["amounts"]["GBP"].as_i64().context("an amount")?,
        }),
    }
}

/// One capture an order, which together come to `gross`; nothing was asked twice, nothing went back.
pub async fn each_order_was_captured_once(running: &Headwater, orders: u64, gross: i64) -> Result<()> {
    let captured = total(running, "CAPTURE", "CAPTURED").await?;
    assert_eq!(captured, Total { calls: orders, repeated: 0, orders, minor: gross });
    assert_eq!(total(running, "AUTHORIZE", "AUTHORIZED").await?.calls, orders);
    assert_eq!(total(running, "REFUND", "REFUNDED").await?, Total::default());
    Ok(())
}

/// What was captured less what went back is `gross`, and no order was captured twice.
pub async fn what_was_kept(running: &Headwater, gross: i64) -> Result<()> {
    let captured = total(running, "CAPTURE", "CAPTURED").await?;
    assert_eq!(captured.calls - captured.repeated, captured.orders, "one capture an order");
    let refunded = total(running, "REFUND", "REFUNDED").await?;
    assert_eq!(captured.minor - refunded.minor, gross);
    Ok(())
}
