//! A node on a temporary folder and the official client connected to it.

use std::path::Path;
use std::time::Duration;

use event_store_node::{Node, NodeConfig};
use eventstore::{
    AppendToStreamOptions, Client, EventData, ExpectedRevision, ReadAllOptions, ReadStreamOptions,
    ResolvedEvent, StreamPosition,
};
use serde_json::json;
use tempfile::TempDir;
use uuid::Uuid;

/// Nothing in these tests takes this long unless it hangs.
pub const LIMIT: Duration = Duration::from_secs(30);
/// Small segments begin quickly and end soon.
pub const SEGMENT_BYTES: u64 = 1024 * 1024;
pub const MAX_APPEND_BYTES: u64 = 256 * 1024;

pub struct Running {
    pub dir: TempDir,
    pub node: Node,
    pub client: Client,
}

/// Settings for a folder, on any free port.
pub fn config(dir: &Path) -> NodeConfig {
    let mut config = NodeConfig::new(dir, "127.0.0.1:0".parse().expect("an address"));
    config.segment_bytes = SEGMENT_BYTES;
    config.max_append_bytes = MAX_APPEND_BYTES;
    config
}

/// A client of a node.
pub fn client(node: &Node) -> Client {
    let settings = format!("esdb://{}?tls=false", node.address()).parse().expect("a connection string");
    Client::new(settings).expect("a client")
}

/// To be called before a client `kurrentdb` is made. Both crates install a default of rustls, and `eventstore` 4.0.0 panics
/// for the rest of the process when it is not the first.
pub async fn eventstore_first() {
    let settings = "esdb://127.0.0.1:1?tls=false&maxDiscoverAttempts=1".parse().expect("a connection string");
    // Nothing is there; it is enough that the client has looked.
    let _ = Client::new(settings).expect("a client").server_info().await;
}

/// A fresh node and its client.
pub async fn start() -> Running {
    let dir = tempfile::tempdir().expect("a folder");
    let node = Node::start(config(dir.path())).await.expect("a node");
    let client = client(&node);
    Running { dir, node, client }
}

/// An event with a number in it.
pub fn event(number: u64) -> EventData {
    EventData::json("Counted", &json!({ "number": number })).expect("JSON").id(Uuid::new_v4())
}

/// Events with consecutive numbers.
pub fn events(numbers: std::ops::Range<u64>) -> Vec<EventData> {
    numbers.map(event).collect()
}

pub fn expect(revision: ExpectedRevision) -> AppendToStreamOptions {
    AppendToStreamOptions::default().expected_revision(revision)
}

/// The numbers in a stream, in order, as (revision, number).
pub async fn numbers(client: &Client, stream: &str) -> Vec<(u64, u64)> {
    let options = ReadStreamOptions::default().position(StreamPosition::Start);
    let mut read = client.read_stream(stream, &options).await.expect("a read");
    let mut found = Vec::new();
    while let Some(event) = read.next().await.expect("an event") {
        let event = event.get_original_event();
        found.push((event.revision, number(&event.data)));
    }
    found
}

/// Everything in the log, in order.
pub async fn everything(client: &Client) -> Vec<ResolvedEvent> {
    let options = ReadAllOptions::default().position(StreamPosition::Start).max_count(usize::MAX);
    let mut read = client.read_all(&options).await.expect("a read");
    let mut found = Vec::new();
    while let Some(event) = read.next().await.expect("an event") {
        found.push(event);
    }
    found
}

/// The number in an event.
pub fn number(data: &[u8]) -> u64 {
    let data: serde_json::Value = serde_json::from_slice(data).expect("JSON");
    data["number"].as_u64().expect("a number")
}

/// Fails a test that hangs.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.expect("done in time")
}
