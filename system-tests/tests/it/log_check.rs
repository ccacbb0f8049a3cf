//! `headwater log check` on a log with events that this binary cannot read, while the system runs and after it.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result};
use event_store::{EventId, EventStore, Expected, Metadata, NewEvent, StreamId};
use serde_json::{Value, json};
use system_tests::{Headwater, Options, binary};
use uuid::Uuid;

use crate::home;

/// `headwater log check --json` for a data directory, whose node listens on this port while it runs.
async fn check(data_dir: &Path, node: &str) -> Result<(Output, Value)> {
    let mut command = Command::new(binary()?);
    command.args(["log", "check", "--json", "--node-listen", node, "--data-dir"]).arg(data_dir);
    command.env_remove("HEADWATER_EVENTSTORE").stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    let told = serde_json::from_slice(&output.stdout).with_context(|| format!("{output:?}"))?;
    Ok((output, told))
}

/// An event as nobody of ours writes it.
async fn append(log: &EventStore, event_type: &str, version: u32, data: &Value) -> Result<()> {
    let id = Uuid::new_v4();
    let event = NewEvent {
        id: EventId(id),
        event_type: event_type.to_owned().into(),
        data: serde_json::to_vec(data)?.into(),
        metadata: Metadata::of_command(id, version, jiff::Timestamp::now()),
    };
    log.append(&StreamId::new("order", &id), Expected::NoStream, vec![event]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_read_and_those_that_cannot_be_are_named() -> Result<()> {
    let home = home()?;
    let options = Options::at(&home.path().join("data"));
    let running = Headwater::start(&options).await?;
    let mug = json!({ "sku": "MUG-1", "price": { "amount": "4.50", "currency": "GBP" } });
    assert_eq!(running.client().post("/v1/products", &[], &mug).await?.status, 201);
    let node = running.node.to_string();

    let (output, told) = check(&options.data_dir, &node).await?;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(told["readable"], 1, "{told}");
    assert_eq!((&told["unreadable"], &told["unreadableEvents"]), (&json!(0), &json!([])), "{told}");

    let log = EventStore::connect(&format!("esdb://{node}?tls=false"))?;
    append(&log, "OrderPlaced", 1, &json!({ "lines": "none" })).await?;
    append(&log, "OrderPlaced", 99, &json!({})).await?;
    append(&log, "SomethingElse", 1, &json!({})).await?;
    names_both(&options.data_dir, &node).await?;
    assert!(running.stop().await?.success());
    names_both(&options.data_dir, &node).await
}

/// The event that is no order, and the one of a version that is to come.
async fn names_both(data_dir: &Path, node: &str) -> Result<()> {
    let (output, told) = check(data_dir, node).await?;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("cannot read 2 events of the log"), "{said}");
    for (count, expected) in [("readable", 1), ("passedOver", 1), ("unreadable", 2)] {
        assert_eq!(told[count], expected, "{count}: {told}");
    }
    let events = told["unreadableEvents"].as_array().context("events")?;
    let versions: Vec<_> = events.iter().map(|event| &event["version"]).collect();
    assert_eq!(versions, [&json!(1), &json!(99)], "{told}");
    Ok(())
}
