//! Reads of one stream and of everything, both ways, through the official client (protocol sheet, 5.1 and 5.2).

use eventstore::{
    Client, Error, EventData, Position, ReadAllOptions, ReadStreamOptions, ResolvedEvent, StreamPosition,
};
use serde_json::json;

use crate::support::{events, numbers, start};

async fn stream(client: &Client, name: &str, options: ReadStreamOptions) -> Result<Vec<u64>, Error> {
    let mut read = client.read_stream(name, &options).await?;
    let mut revisions = Vec::new();
    while let Some(event) = read.next().await? {
        revisions.push(event.get_original_event().revision);
    }
    Ok(revisions)
}

async fn all(client: &Client, options: ReadAllOptions) -> Vec<ResolvedEvent> {
    let mut read = client.read_all(&options).await.expect("a read");
    let mut found = Vec::new();
    while let Some(event) = read.next().await.expect("an event") {
        found.push(event);
    }
    found
}

async fn positions(client: &Client, options: ReadAllOptions) -> Vec<u64> {
    all(client, options).await.iter().map(|event| event.get_original_event().position.commit).collect()
}

fn everything() -> ReadAllOptions {
    ReadAllOptions::default().max_count(usize::MAX)
}

fn at(commit: u64) -> StreamPosition<Position> {
    StreamPosition::Position(Position { commit, prepare: commit })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_reads_both_ways_from_anywhere() {
    let running = start().await;
    let client = &running.client;
    let options = || ReadStreamOptions::default().max_count(usize::MAX);
    for first in [0, 600] {
        client
            .append_to_stream("a-1", &Default::default(), events(first..first + 600))
            .await
            .expect("written");
    }
    let up: Vec<u64> = (0..1200).collect();
    let down: Vec<u64> = (0..1200).rev().collect();
    let read = |options| stream(client, "a-1", options);
    assert_eq!(read(options().position(StreamPosition::Start)).await.expect("read"), up);
    assert_eq!(read(options().backwards().position(StreamPosition::End)).await.expect("read"), down);
    assert_eq!(read(options().position(StreamPosition::Position(1190))).await.expect("read"), up[1190..]);
    let from_700 = options().backwards().position(StreamPosition::Position(700));
    assert_eq!(read(from_700.max_count(3)).await.expect("read"), [700, 699, 698]);
    let past = StreamPosition::Position(5000);
    assert_eq!(read(options().position(past)).await.expect("read"), [] as [u64; 0]);
    let from_past = options().backwards().position(StreamPosition::Position(5000)).max_count(2);
    assert_eq!(read(from_past).await.expect("read"), [1199, 1198]);
    assert_eq!(read(options().max_count(600)).await.expect("read"), up[..600]);
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_without_events_is_not_found() {
    let running = start().await;
    let read = stream(&running.client, "nothing-1", ReadStreamOptions::default()).await;
    assert!(matches!(read, Err(Error::ResourceNotFound)), "{read:?}");
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_reads_both_ways_in_the_order_of_positions() {
    let running = start().await;
    let client = &running.client;
    for number in 0..300 {
        let name = format!("a-{}", number % 7);
        client
            .append_to_stream(name, &Default::default(), events(number..number + 5))
            .await
            .expect("written");
    }
    let up = positions(client, everything()).await;
    assert_eq!(up.len(), 1501, "the first event is the node's own");
    assert!(up[0] > 0 && up.is_sorted_by(|a, b| a < b));
    let mut down = positions(client, everything().backwards().position(StreamPosition::End)).await;
    down.reverse();
    assert_eq!(up, down);
    let from_800 = everything().position(at(up[800])).max_count(2);
    assert_eq!(positions(client, from_800).await, up[800..802], "forwards from a position includes it");
    let before_800 = everything().backwards().position(at(up[800])).max_count(2);
    assert_eq!(
        positions(client, before_800).await,
        [up[799], up[798]],
        "backwards from a position excludes it"
    );
    let between = up[800] + 1;
    assert_eq!(positions(client, everything().position(at(between)).max_count(1)).await, [up[801]]);
    assert_eq!(
        positions(client, everything().backwards().position(at(between)).max_count(1)).await,
        [up[800]]
    );
    for nowhere in [up[1500] + 1, u64::MAX / 2] {
        assert_eq!(positions(client, everything().position(at(nowhere))).await, [] as [u64; 0]);
        let last = everything().backwards().position(at(nowhere)).max_count(1);
        assert_eq!(positions(client, last).await, [up[1500]]);
    }
    assert_eq!(positions(client, everything().position(at(1)).max_count(1)).await, [up[0]]);
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_event_of_a_fresh_node_is_a_system_event() {
    let running = start().await;
    let found = all(&running.client, everything()).await;
    assert_eq!(found.len(), 1);
    let first = found[0].get_original_event();
    assert!(first.event_type.starts_with('$') && first.stream_id.starts_with('$'), "{first:?}");
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_read_with_the_event_it_points_to_when_asked() {
    let running = start().await;
    let client = &running.client;
    client.append_to_stream("a-1", &Default::default(), events(0..3)).await.expect("written");
    let links = ["1@a-1", "7@a-1", "no link"]
        .map(|target| EventData::binary("$>", target.as_bytes().to_vec().into()));
    client.append_to_stream("links", &Default::default(), links.to_vec()).await.expect("written");
    let mut read =
        client.read_stream("links", &ReadStreamOptions::default().resolve_link_tos()).await.expect("a read");
    let mut found = Vec::new();
    while let Some(event) = read.next().await.expect("an event") {
        let target = event.event.as_ref().map(|event| (event.stream_id.clone(), event.revision));
        found.push((target, event.link.as_ref().map(|link| link.revision)));
    }
    let resolved = (Some(("a-1".to_owned(), 1)), Some(0));
    let dangling = (None, Some(1));
    let malformed = (Some(("links".to_owned(), 2)), None);
    assert_eq!(found, [resolved, dangling, malformed]);
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_hides_the_beginning_of_a_stream() {
    let running = start().await;
    let client = &running.client;
    client.append_to_stream("a-1", &Default::default(), events(0..10)).await.expect("written");
    let set = async |metadata: serde_json::Value| {
        let event = EventData::json("$metadata", &metadata).expect("JSON");
        client.append_to_stream("$$a-1", &Default::default(), event).await.expect("written");
    };
    let revisions = async || -> Vec<u64> {
        numbers(client, "a-1").await.into_iter().map(|(revision, _)| revision).collect()
    };
    set(json!({ "$maxCount": 3 })).await;
    assert_eq!(revisions().await, [7, 8, 9]);
    set(json!({ "$tb": 8, "$maxCount": 3 })).await;
    assert_eq!(revisions().await, [8, 9]);
    let backwards = ReadStreamOptions::default().backwards().position(StreamPosition::End);
    assert_eq!(stream(client, "a-1", backwards).await.expect("read"), [9, 8]);
    set(json!({ "$tb": 100 })).await;
    assert_eq!(revisions().await, [] as [u64; 0], "hidden, but not gone");
    set(json!({ "$maxAge": 3600 })).await;
    assert_eq!(revisions().await.len(), 10);
    set(json!({ "$maxCount": -1 })).await;
    assert_eq!(revisions().await.len(), 10, "a value out of range makes the metadata void");
    let metadata = stream(client, "$$a-1", ReadStreamOptions::default()).await.expect("read");
    assert_eq!(metadata, [4], "a metadata stream shows its newest event only");
    let again = client.append_to_stream("a-1", &Default::default(), events(10..11)).await.expect("written");
    assert_eq!(again.next_expected_version, 10);
    running.node.shutdown().await;
}
