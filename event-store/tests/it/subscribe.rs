use std::time::Duration;

use contract::LogPosition;
use event_store::{EventStore, Expected, Subscription, SubscriptionMessage};

use crate::support::{PATIENCE, Proxy, connect, event, events, node_and_store, start_node, stream, until};

/// The positions of the next `count` events, in the order they came.
async fn receive(subscription: &mut Subscription, count: usize) -> Vec<LogPosition> {
    let mut positions = Vec::new();
    while positions.len() < count {
        let message = tokio::time::timeout(PATIENCE, subscription.recv()).await;
        match message.unwrap_or_else(|_| panic!("{} of {count} events came", positions.len())) {
            Some(SubscriptionMessage::Event(event)) => positions.push(event.position),
            Some(_) => {}
            None => panic!("the subscription ended"),
        }
    }
    positions
}

/// Appends one by one, whatever happens on the way, and says where.
async fn append(store: &EventStore, count: usize) -> Vec<LogPosition> {
    let mut positions = Vec::new();
    for n in 0..count {
        let appended = store.append(&stream("product"), Expected::NoStream, vec![event(n)]).await;
        positions.push(appended.unwrap().position);
    }
    positions
}

async fn nothing_more(subscription: &mut Subscription) {
    while let Ok(Some(message)) = tokio::time::timeout(Duration::from_millis(200), subscription.recv()).await
    {
        assert!(!matches!(message, SubscriptionMessage::Event(_)), "{message:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn history_comes_first_then_the_word_that_it_is_live_then_what_is_new() {
    let (_dir, _node, store) = node_and_store().await;
    let before = append(&store, 3).await;
    store.append(&stream("user"), Expected::NoStream, events(0..2)).await.unwrap();
    let mut subscription = store.subscribe(before[0], vec!["product-".into()], 16);
    assert_eq!(receive(&mut subscription, 2).await, before[1..]);
    let caught_up = async { while subscription.recv().await != Some(SubscriptionMessage::CaughtUp) {} };
    tokio::time::timeout(PATIENCE, caught_up).await.unwrap();
    let after = append(&store, 2).await;
    assert_eq!(receive(&mut subscription, 2).await, after);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_stretch_of_others_events_is_told_by_its_position() {
    let (_dir, _node, store) = node_and_store().await;
    let mut subscription = store.subscribe(LogPosition::START, vec!["product-".into()], 16);
    let last = store.append(&stream("user"), Expected::NoStream, events(0..500)).await.unwrap().position;
    let mut considered = LogPosition::START;
    let wait = async {
        // A checkpoint comes every so many events, so the last few may still be unsaid.
        while considered.0 < last.0 / 2 {
            match subscription.recv().await {
                Some(SubscriptionMessage::Considered(position)) => {
                    assert!(position > considered, "positions only grow");
                    considered = position;
                }
                Some(SubscriptionMessage::Event(event)) => panic!("{event:?} was not asked for"),
                _ => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
    assert!(considered <= last);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_doubled_or_reordered_over_restarts_of_the_node() {
    let (dir, node, store) = node_and_store().await;
    let address = node.address();
    let mut subscription = store.subscribe(LogPosition::START, vec!["product-".into()], 8);
    let mut node = node;
    let mut expected = Vec::new();
    for _ in 0..3 {
        expected.extend(append(&store, 30).await);
        node.shutdown().await;
        node = start_node(dir.path(), address).await;
        expected.extend(append(&store, 30).await);
    }
    assert_eq!(receive(&mut subscription, expected.len()).await, expected);
    nothing_more(&mut subscription).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_doubled_or_reordered_when_the_connection_is_cut_again_and_again() {
    let (_dir, node, store) = node_and_store().await;
    let proxy = Proxy::before(node.address()).await;
    let mut subscription = connect(proxy.address).subscribe(LogPosition::START, vec!["product-".into()], 4);
    let appending = tokio::spawn(async move { append(&store, 400).await });
    let mut received = Vec::new();
    while received.len() < 400 {
        received.extend(receive(&mut subscription, 20).await);
        proxy.cut();
    }
    assert_eq!(received, appending.await.unwrap());
    nothing_more(&mut subscription).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receive_that_is_given_up_loses_nothing() {
    let (_dir, _node, store) = node_and_store().await;
    let mut subscription = store.subscribe(LogPosition::START, vec!["product-".into()], 2);
    let appending = tokio::spawn(async move { append(&store, 200).await });
    let mut received = Vec::new();
    let collect = async {
        while received.len() < 200 {
            // Shorter than it takes an event to come.
            let waited = tokio::time::timeout(Duration::from_micros(50), subscription.recv()).await;
            if let Ok(Some(SubscriptionMessage::Event(event))) = waited {
                received.push(event.position);
            }
        }
    };
    tokio::time::timeout(PATIENCE, collect).await.expect("all of them come");
    assert_eq!(received, appending.await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_log_in_the_place_of_the_one_followed_is_not_followed() {
    let (_dir, node, store) = node_and_store().await;
    let address = node.address();
    store.identity().await.unwrap();
    let expected = append(&store, 5).await;
    let mut subscription = store.subscribe(LogPosition::START, vec!["product-".into()], 8);
    assert_eq!(receive(&mut subscription, 5).await, expected);
    node.shutdown().await;

    let other_dir = tempfile::tempdir().unwrap();
    let _other = start_node(other_dir.path(), address).await;
    let other = connect(address);
    other.identity().await.unwrap();
    append(&other, 20).await;
    let told = async {
        loop {
            match subscription.recv().await {
                Some(SubscriptionMessage::Reconnecting(reason)) if reason.contains("replaced") => return,
                Some(SubscriptionMessage::Event(event)) => panic!("{event:?} is of another log"),
                _ => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, told).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_begins_as_soon_as_the_node_is_there() {
    let (dir, node, store) = node_and_store().await;
    let address = node.address();
    let before = append(&store, 1).await;
    node.shutdown().await;
    let mut subscription = connect(address).subscribe(LogPosition::START, vec!["product-".into()], 8);
    let failing = async { matches!(subscription.recv().await, Some(SubscriptionMessage::Reconnecting(_))) };
    assert!(tokio::time::timeout(PATIENCE, failing).await.unwrap());
    let _node = start_node(dir.path(), address).await;
    assert_eq!(receive(&mut subscription, 1).await, before);
    until("the log is back for others too", async || store.head().await.is_ok()).await;
}
