//! The system streams of the standard projections, read and followed by the official client.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use event_store_node::Node;
use event_store_node::storage::{Disk, FileSystem, backup, verify};
use eventstore::{
    AppendToStreamOptions, Client, EventData, ExpectedRevision, ReadStreamOptions, ResolvedEvent,
    StreamPosition, SubscribeToStreamOptions,
};
use tempfile::TempDir;

use crate::support::{LIMIT, client, config, event, events, expect, within};

async fn start(dir: &TempDir) -> (Node, Client) {
    let mut config = config(dir.path());
    config.start_standard_projections = true;
    let node = Node::start(config).await.expect("a node");
    let client = client(&node);
    (node, client)
}

fn any() -> AppendToStreamOptions {
    expect(ExpectedRevision::Any)
}

async fn read(client: &Client, stream: &str, resolve: bool) -> Vec<ResolvedEvent> {
    let options = ReadStreamOptions::default().position(StreamPosition::Start);
    let options = if resolve { options.resolve_link_tos() } else { options };
    let mut read = client.read_stream(stream, &options).await.expect("a read");
    let mut found = Vec::new();
    loop {
        match read.next().await {
            Ok(Some(event)) => found.push(event),
            Ok(None) | Err(eventstore::Error::ResourceNotFound) => return found,
            Err(error) => panic!("{stream}: {error}"),
        }
    }
}

/// What the links of a stream say, once there are so many.
async fn links(client: &Client, stream: &str, wanted: usize) -> Vec<String> {
    let began = std::time::Instant::now();
    loop {
        let found = read(client, stream, false).await;
        if found.len() >= wanted || began.elapsed() > LIMIT {
            let text = |event: &ResolvedEvent| {
                let link = event.get_original_event();
                assert_eq!(link.event_type, "$>");
                String::from_utf8(link.data.to_vec()).expect("text")
            };
            return found.iter().map(text).collect();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_linked_by_stream_category_and_type() {
    let dir = tempfile::tempdir().expect("a folder");
    let (node, client) = start(&dir).await;
    client.append_to_stream("order-1", &any(), events(0..2)).await.expect("appended");
    client.append_to_stream("order-2-b", &any(), event(2)).await.expect("appended");
    client.append_to_stream("loner", &any(), EventData::binary("Other", "x".into())).await.expect("appended");
    let pointer = EventData::binary("$>", "1@order-1".into());
    client.append_to_stream("picked-1", &any(), pointer).await.expect("appended");
    client.append_to_stream("order-1", &any(), event(3)).await.expect("appended");

    assert_eq!(links(&client, "$ce-order", 4).await, ["0@order-1", "1@order-1", "0@order-2-b", "2@order-1"]);
    assert_eq!(
        links(&client, "$et-Counted", 4).await,
        ["0@order-1", "1@order-1", "0@order-2-b", "2@order-1"]
    );
    assert_eq!(links(&client, "$et-Other", 1).await, ["0@loner"]);
    assert_eq!(links(&client, "$ce-picked", 1).await, ["1@order-1"], "a link stands for what it points to");
    let streams = links(&client, "$streams", 9).await;
    for stream in ["order-1", "order-2-b", "loner", "picked-1", "$ce-order", "$streams", "$et-Counted"] {
        let count = streams.iter().filter(|link| **link == format!("0@{stream}")).count();
        assert_eq!(count, 1, "{stream}: {streams:?}");
    }
    let resolved = read(&client, "$ce-order", true).await;
    let told: Vec<_> = resolved
        .iter()
        .map(|event| {
            let (event, link) =
                (event.event.as_ref().expect("an event"), event.link.as_ref().expect("a link"));
            (event.stream_id.as_str(), event.revision, link.stream_id.as_str(), link.revision)
        })
        .collect();
    let by = "$ce-order";
    assert_eq!(
        told,
        [("order-1", 0, by, 0), ("order-1", 1, by, 1), ("order-2-b", 0, by, 2), ("order-1", 2, by, 3)]
    );
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_category_is_followed_with_its_links_resolved() {
    let dir = tempfile::tempdir().expect("a folder");
    let (node, client) = start(&dir).await;
    client.append_to_stream("order-1", &any(), events(0..3)).await.expect("appended");
    let options = SubscribeToStreamOptions::default().start_from(StreamPosition::Start).resolve_link_tos();
    let mut subscription = client.subscribe_to_stream("$ce-order", &options).await;
    let mut seen = Vec::new();
    for number in 3..10 {
        let stream = format!("order-{}", number % 3);
        client.append_to_stream(stream, &any(), event(number)).await.expect("appended");
    }
    while seen.len() < 10 {
        let event = within(subscription.next()).await.expect("an event");
        seen.push(crate::support::number(&event.event.expect("resolved").data));
    }
    assert_eq!(seen, (0..10).collect::<Vec<_>>());
    node.shutdown().await;
}

/// Events are linked once each, whenever the node was stopped, and however: a copy of its files is what a kill leaves.
#[tokio::test(flavor = "multi_thread")]
async fn links_are_written_once_across_stops_and_kills_and_a_time_without() {
    let first = tempfile::tempdir().expect("a folder");
    // Written before anybody asks for links.
    let node = Node::start(config(first.path())).await.expect("a node");
    let writing = client(&node);
    writing.append_to_stream("order-0", &any(), events(0..300)).await.expect("appended");
    assert!(read(&writing, "$ce-order", false).await.is_empty());
    node.shutdown().await;

    let mut dir = first;
    let mut number = 300;
    for round in 0..6 {
        let (node, client) = start(&dir).await;
        let copies = tempfile::tempdir().expect("a folder");
        for _ in 0..40 {
            let stream = format!("order-{}", number % 7);
            client.append_to_stream(stream, &any(), event(number)).await.expect("appended");
            number += 1;
        }
        if round % 2 == 0 {
            // Somewhere in the midst of its links.
            let (from, to) = (dir.path().to_owned(), copies.path().join("copy"));
            let kept = tokio::task::spawn_blocking(move || backup(&from, &to, &mut |_, _| {})).await;
            kept.expect("done").expect("a copy");
            node.shutdown().await;
            let moved = tempfile::tempdir().expect("a folder");
            for entry in std::fs::read_dir(copies.path().join("copy")).expect("listed") {
                let entry = entry.expect("an entry");
                std::fs::rename(entry.path(), moved.path().join(entry.file_name())).expect("moved");
            }
            dir = moved;
        } else {
            node.shutdown().await;
        }
    }
    let (node, client) = start(&dir).await;
    let written = number as usize;
    for stream in ["$ce-order", "$et-Counted"] {
        let links = links(&client, stream, written).await;
        let mut times = BTreeMap::<_, usize>::new();
        for link in &links {
            *times.entry(link).or_default() += 1;
        }
        assert_eq!(links.len(), written, "{stream}");
        assert!(times.values().all(|times| *times == 1), "{stream}: {times:?}");
    }
    node.shutdown().await;
    let disk: Arc<dyn Disk> = Arc::new(FileSystem);
    assert_eq!(verify(&disk, dir.path(), &mut |_, _| {}).expect("a check").faults, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_log_stays_quiet() {
    let dir = tempfile::tempdir().expect("a folder");
    let (node, client) = start(&dir).await;
    client.append_to_stream("order-1", &any(), events(0..1200)).await.expect("appended");
    assert_eq!(links(&client, "$et-Counted", 1200).await.len(), 1200);
    node.shutdown().await;
    // Starts and stops add nothing to a log whose events are linked.
    let mut sizes = Vec::new();
    for _ in 0..6 {
        let (node, client) = start(&dir).await;
        links(&client, "$et-Counted", 1200).await;
        node.shutdown().await;
        let disk: Arc<dyn Disk> = Arc::new(FileSystem);
        sizes.push(verify(&disk, dir.path(), &mut |_, _| {}).expect("a check").events);
    }
    // The first ones link what the streams of links are themselves.
    assert_eq!(sizes[4], sizes[5], "{sizes:?}");
}
