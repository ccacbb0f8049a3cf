//! A node that stops and comes back: what it keeps, and how clients find it again.

use std::path::Path;
use std::time::{Duration, Instant};

use event_store_node::storage::StorageError;
use event_store_node::{Node, NodeConfig, NodeError};
use eventstore::{
    ExpectedRevision, RetryOptions, StreamPosition, SubscribeToAllOptions, SubscribeToStreamOptions,
    SubscriptionEvent,
};

use crate::support::{LIMIT, config, event, events, expect, numbers, start, within};

async fn restart(dir: &Path, address: std::net::SocketAddr) -> Node {
    let config = NodeConfig { listen: address, ..config(dir) };
    within(Node::start(config)).await.expect("the node comes back")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_node_has_everything_and_the_same_client_goes_on() {
    let running = start().await;
    let (client, address) = (&running.client, running.node.address());
    let written = client.append_to_stream("a-1", &Default::default(), events(0..700)).await.expect("written");
    running.node.shutdown().await;
    let node = restart(running.dir.path(), address).await;
    let next = event(700);
    // The client notices with its first call that the connection is gone, and may fail that one.
    let deadline = Instant::now() + LIMIT;
    let again = loop {
        match client.append_to_stream("a-1", &expect(ExpectedRevision::Exact(699)), next.clone()).await {
            Ok(again) => break again,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(again.next_expected_version, 700);
    assert!(again.position > written.position);
    assert_eq!(numbers(client, "a-1").await, (0..=700).map(|n| (n, n)).collect::<Vec<_>>());
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_goes_on_over_a_restart_without_a_gap() {
    let running = start().await;
    let (client, address) = (&running.client, running.node.address());
    client.append_to_stream("a-1", &Default::default(), events(0..10)).await.expect("written");
    let retry = RetryOptions::default().retry_forever().retry_delay(Duration::from_millis(50));
    let options = SubscribeToAllOptions::default().position(StreamPosition::Start).retry_options(retry);
    let mut subscription = client.subscribe_to_all(&options).await;
    let mut revisions = Vec::new();
    while revisions.len() < 10 {
        collect(&mut subscription, &mut revisions).await;
    }
    running.node.shutdown().await;
    let node = restart(running.dir.path(), address).await;
    let writer = crate::support::client(&node);
    writer.append_to_stream("a-1", &Default::default(), events(10..20)).await.expect("written");
    while revisions.len() < 20 {
        collect(&mut subscription, &mut revisions).await;
    }
    assert_eq!(revisions, (0..20).collect::<Vec<_>>());
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_to_a_stream_shows_all_of_it_after_a_restart() {
    let running = start().await;
    running.client.append_to_stream("a-1", &Default::default(), events(0..1500)).await.expect("written");
    running.node.shutdown().await;
    let node = within(Node::start(config(running.dir.path()))).await.expect("the node comes back");
    let client = crate::support::client(&node);
    let options = SubscribeToStreamOptions::default().start_from(StreamPosition::Start);
    let mut subscription = client.subscribe_to_stream("a-1", &options).await;
    let mut seen = 0;
    loop {
        match within(subscription.next_subscription_event()).await.expect("a message") {
            SubscriptionEvent::EventAppeared(_) => seen += 1,
            SubscriptionEvent::CaughtUp => break,
            _ => {}
        }
    }
    assert_eq!(seen, 1500);
    node.shutdown().await;
}

async fn collect(subscription: &mut eventstore::Subscription, revisions: &mut Vec<u64>) {
    // While the node is away the client gives errors between its attempts.
    if let Ok(SubscriptionEvent::EventAppeared(event)) = within(subscription.next_subscription_event()).await
    {
        let event = event.get_original_event();
        if event.stream_id == "a-1" {
            revisions.push(event.revision);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_node_on_the_same_directory_is_refused() {
    let running = start().await;
    let second = Node::start(config(running.dir.path())).await;
    assert!(matches!(second, Err(NodeError::Storage(StorageError::InUse(_)))), "{second:?}");
    let same_port = tempfile::tempdir().expect("a folder");
    let config = NodeConfig { listen: running.node.address(), ..config(same_port.path()) };
    let second = Node::start(config).await;
    assert!(matches!(second, Err(NodeError::Listen { .. })), "{second:?}");
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_holds_something_else_is_left_alone() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("letter.txt"), "Dear").expect("written");
    let refused = Node::start(config(dir.path())).await;
    assert!(matches!(refused, Err(NodeError::Storage(StorageError::ForeignDirectory(_)))), "{refused:?}");
    assert_eq!(std::fs::read_dir(dir.path()).expect("a folder").count(), 1);
}
