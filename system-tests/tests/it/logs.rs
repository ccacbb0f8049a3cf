//! What a machine reads of a running system: log lines that are JSON, and metrics of every service.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use system_tests::{Headwater, Options, eventually};

use crate::home;

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn log_lines_are_json_that_leads_to_the_request_and_tells_nothing_of_persons() -> Result<()> {
    let home = home()?;
    let options = Options::at(&home.path().join("data"));
    std::fs::create_dir(&options.data_dir)?;
    std::fs::write(
        options.data_dir.join("headwater.toml"),
        "log-format = \"json\"\nlog-filter = \"trace\"\n",
    )?;
    let running = Headwater::start(&options).await?;
    let client = running.client();
    let user = json!({ "customerNumber": "17850", "country": "France", "name": "Ada Lovelace",
                       "email": "ada@example.org" });
    let registered = client.post("/v1/users", &[("x-request-id", "the-first")], &user).await?;
    assert_eq!(registered.status, 201, "{}", registered.body);
    let shown = client
        .query("{ customer(number: \"17850\") { name } }", &json!({}), Some(registered.position()))
        .await?;
    assert_eq!(shown.body["data"]["customer"]["name"], "Ada Lovelace");
    // A line per request, written after its answer.
    eventually("the line of the request", PATIENCE, async || {
        Ok(running.output().contains("the-first").then_some(()))
    })
    .await?;

    let output = running.output();
    let lines = output.lines().filter(|line| line.starts_with('{')).map(serde_json::from_str::<Value>);
    let lines = lines.collect::<Result<Vec<_>, _>>()?;
    for line in &lines {
        assert!(
            line["timestamp"].is_string() && line["level"].is_string() && line["target"].is_string(),
            "{line}"
        );
    }
    let request = lines.iter().find(|line| line["request_id"] == "the-first" && line["status"].is_u64());
    let request = request.context("the line of the request")?;
    assert_eq!((&request["route"], &request["status"]), (&json!("/v1/users"), &json!(201)), "{request}");
    for personal in ["Ada", "Lovelace", "example.org"] {
        let told: Vec<_> = output.lines().filter(|line| line.contains(personal)).collect();
        assert!(told.is_empty(), "{personal} stands in the log: {told:#?}");
    }
    assert!(running.stop().await?.success());
    Ok(())
}

/// One histogram of each service, and where they count events.
const METRICS: &[&str] = &[
    "http_server_request_duration_seconds_bucket",
    "command_duration_seconds_bucket",
    "headwater_eventstore_append_duration_seconds_bucket",
    "headwater_node_append_duration_seconds_bucket",
    "headwater_node_append_events_bucket",
    "headwater_node_read_duration_seconds_bucket",
    "headwater_node_disk_bytes",
    "projection_events_total",
    "saga_dispatch_seconds_bucket",
    "gateway_call_duration_seconds_bucket",
    "graphql_operation_duration_seconds_bucket",
];

#[tokio::test(flavor = "multi_thread")]
async fn one_page_holds_the_metrics_of_every_service() -> Result<()> {
    let home = home()?;
    let running = Headwater::start(&Options::at(&home.path().join("data"))).await?;
    let client = running.client();
    let mug = json!({ "sku": "MUG-1", "price": { "amount": "4.50", "currency": "GBP" } });
    let listed = client.post("/v1/products", &[], &mug).await?;
    let id = listed.body["id"].as_str().context("an id")?;
    client.post(&format!("/v1/stock/{id}/receive"), &[], &json!({ "quantity": 1 })).await?;
    let order =
        json!({ "country": "France", "currency": "GBP", "lines": [{ "sku": "MUG-1", "quantity": 1 }] });
    client.post("/v1/orders", &[], &order).await?;
    client.query("{ orders { nodes { status } } }", &json!({}), None).await?;
    let mut missing = METRICS.to_vec();
    let all = eventually("every metric", PATIENCE, async || {
        let page = reqwest::get(format!("http://{}/metrics", running.admin)).await?.text().await?;
        missing.retain(|name| !page.lines().any(|line| line.starts_with(name)));
        Ok(missing.is_empty().then_some(()))
    });
    all.await.with_context(|| format!("{missing:?}"))?;
    assert!(running.stop().await?.success());
    Ok(())
}
