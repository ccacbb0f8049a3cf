//! Scavenges through the official client.

use std::collections::HashMap;
use std::time::Duration;

use event_store_node::{Node, NodeConfig};
use eventstore::operations::{self, ScavengeStatus, StatsOptions};
use eventstore::{Client, ExpectedRevision, StreamMetadataBuilder};

use crate::support::{
    MAX_APPEND_BYTES, SEGMENT_BYTES, client, config, events, everything, expect, numbers, start, within,
};

/// What the node tells once a scavenge has ended.
async fn ended(client: &Client, id: &str) -> HashMap<String, String> {
    let client = operations::Client::from(client.clone());
    let options = StatsOptions::default().refresh_time(Duration::from_millis(1));
    let mut stats = client.stats(&options).await.expect("an answer");
    let told = async {
        loop {
            let told = stats.next().await.expect("statistics").0;
            if told.get("scavenge-id").is_some_and(|told| told == id) && told["scavenge-state"] != "running" {
                return told;
            }
        }
    };
    within(told).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_starts_one_and_what_is_hidden_is_gone_also_after_a_restart() {
    let running = start().await;
    let any = expect(ExpectedRevision::Any);
    let metadata = StreamMetadataBuilder::new().max_count(10).build();
    running.client.set_stream_metadata("short-1", &any, &metadata).await.expect("written");
    running.client.append_to_stream("kept-1", &any, events(0..5)).await.expect("written");
    // An event of some hundred bytes in the log; several segments of them.
    let per_append = 500;
    for n in 0..4 * SEGMENT_BYTES / MAX_APPEND_BYTES * 4 {
        let numbers = n * per_append..(n + 1) * per_append;
        running.client.append_to_stream("short-1", &any, events(numbers)).await.expect("written");
    }
    let all_before = everything(&running.client).await.len();
    let shown = numbers(&running.client, "short-1").await;
    let operations = operations::Client::from(running.client.clone());
    let started = operations.start_scavenge(4, 0, &Default::default()).await.expect("started");
    assert!(matches!(started.status(), ScavengeStatus::Started), "{:?}", started.status());
    let told = ended(&running.client, started.id()).await;
    assert_eq!(told["scavenge-state"], "done", "{told:?}");
    assert_eq!(told["scavenge-segments-done"], told["scavenge-segments"]);
    let removed: usize = told["scavenge-events-removed"].parse().expect("a number");
    assert!(removed > all_before / 2, "{removed} of {all_before}");
    let freed: u64 = told["scavenge-bytes-freed"].parse().expect("a number");
    assert!(freed > SEGMENT_BYTES, "{freed}");
    assert_eq!(everything(&running.client).await.len(), all_before - removed);
    assert_eq!(numbers(&running.client, "short-1").await, shown);

    running.node.shutdown().await;
    let again = Node::start(config(running.dir.path())).await.expect("a node");
    let reconnected = client(&again);
    assert_eq!(numbers(&reconnected, "short-1").await, shown);
    assert_eq!(numbers(&reconnected, "kept-1").await.len(), 5);
    assert_eq!(everything(&reconnected).await.len(), all_before - removed);
    again.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_not_under_way_cannot_be_stopped() {
    let running = start().await;
    let operations = operations::Client::from(running.client.clone());
    let done = operations.start_scavenge(1, 0, &Default::default()).await.expect("started");
    ended(&running.client, done.id()).await;
    for id in [done.id(), "7f3a4c1e-0000-4000-8000-000000000000", "no id", ""] {
        let refused = operations.stop_scavenge(id, &Default::default()).await;
        assert!(matches!(refused, Err(eventstore::Error::ResourceNotFound)), "{id}: {refused:?}");
    }
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_ends_its_scavenge_first() {
    let dir = tempfile::tempdir().expect("a folder");
    let settings =
        || NodeConfig { segment_bytes: 64 * 1024, max_append_bytes: 16 * 1024, ..config(dir.path()) };
    let node = Node::start(settings()).await.expect("a node");
    let connected = client(&node);
    let any = expect(ExpectedRevision::Any);
    let metadata = StreamMetadataBuilder::new().max_count(1).build();
    connected.set_stream_metadata("short-1", &any, &metadata).await.expect("written");
    for n in 0..300 {
        connected.append_to_stream("short-1", &any, events(n * 20..(n + 1) * 20)).await.expect("written");
    }
    let operations = operations::Client::from(connected.clone());
    operations.start_scavenge(1, 0, &Default::default()).await.expect("started");
    node.shutdown().await;
    // Nobody writes to the folder any more, so that another node may have it.
    let again = Node::start(settings()).await.expect("a node");
    assert_eq!(numbers(&client(&again), "short-1").await, [(5999, 5999)]);
    again.shutdown().await;
}
