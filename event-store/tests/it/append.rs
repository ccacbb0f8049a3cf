use std::time::Duration;

use bytes::Bytes;
use event_store::{
    AppendError, EventStore, Expected, MAX_APPEND_BYTES, NewEvent, ReadError, Revision, StreamId,
};

use crate::support::{Proxy, connect, event, events, node_and_store, start_node, stream, until};

async fn length(store: &EventStore, stream: &StreamId) -> usize {
    store.read_stream(stream, Revision::FIRST, 100).await.unwrap().map_or(0, |page| page.events.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_answers_with_revision_and_position_of_its_last_event() {
    let (_dir, _node, store) = node_and_store().await;
    let stream = stream("product");
    let first = store.append(&stream, Expected::NoStream, events(0..3)).await.unwrap();
    assert_eq!(first.revision, Revision(2));
    let second = store.append(&stream, Expected::Exact(Revision(2)), events(3..4)).await.unwrap();
    assert_eq!(second.revision, Revision(3));
    assert!(second.position > first.position);
    assert_eq!(store.tail(&stream).await.unwrap(), Some((second.revision, second.position)));
    assert_eq!(store.head().await.unwrap(), second.position);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_elsewhere_refuses_with_its_revision() {
    let (_dir, _node, store) = node_and_store().await;
    let stream = stream("product");
    let append = |expected| store.append(&stream, expected, events(0..1));
    let wrong = |actual: Option<u64>| Err(AppendError::WrongRevision { actual: actual.map(Revision) });

    assert_eq!(append(Expected::Exact(Revision(4))).await, wrong(None));
    assert_eq!(append(Expected::StreamExists).await, wrong(None));
    store.append(&stream, Expected::NoStream, events(0..3)).await.unwrap();
    assert_eq!(append(Expected::NoStream).await, wrong(Some(2)));
    assert_eq!(append(Expected::Exact(Revision(1))).await, wrong(Some(2)));
    assert_eq!(append(Expected::Exact(Revision(7))).await, wrong(Some(2)));
    assert_eq!(append(Expected::Any).await.unwrap().revision, Revision(3));
    assert_eq!(append(Expected::StreamExists).await.unwrap().revision, Revision(4));
    assert_eq!(length(&store, &stream).await, 5, "no refused append left anything");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_was_deleted_for_good_refuses_appends_and_reads_as_deleted() {
    let (_dir, node, store) = node_and_store().await;
    let (ended, hidden) = (stream("product"), stream("product"));
    for stream in [&ended, &hidden] {
        store.append(stream, Expected::NoStream, events(0..3)).await.unwrap();
    }
    let settings = format!("esdb://{}?tls=false", node.address()).parse().unwrap();
    let client = eventstore::Client::new(settings).unwrap();
    client.tombstone_stream(ended.as_str(), &Default::default()).await.unwrap();
    client.delete_stream(hidden.as_str(), &Default::default()).await.unwrap();

    for expected in [Expected::Any, Expected::Exact(Revision(2)), Expected::StreamExists] {
        let refused = store.append(&ended, expected, events(0..1)).await;
        assert_eq!(refused, Err(AppendError::StreamDeleted));
    }
    assert_eq!(store.read_stream(&ended, Revision::FIRST, 10).await, Err(ReadError::StreamDeleted));
    assert_eq!(store.tail(&ended).await, Err(ReadError::StreamDeleted));

    assert_eq!(store.read_stream(&hidden, Revision::FIRST, 10).await.unwrap(), None);
    assert_eq!(store.append(&hidden, Expected::NoStream, events(3..4)).await.unwrap().revision, Revision(3));
    assert_eq!(length(&store, &hidden).await, 1, "what came before stays hidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_whose_answer_was_lost_is_written_once_and_acknowledged() {
    let (_dir, node, direct) = node_and_store().await;
    let proxy = Proxy::before(node.address()).await;
    let store = connect(proxy.address);
    for expected in [Expected::NoStream, Expected::Exact(Revision(1))] {
        let stream = stream("product");
        if expected != Expected::NoStream {
            store.append(&stream, Expected::NoStream, events(0..2)).await.unwrap();
        }
        let before = length(&direct, &stream).await;
        store.head().await.unwrap();
        proxy.swallow_answers();
        let (sender, target) = (store.clone(), stream.clone());
        let append = tokio::spawn(async move { sender.append(&target, expected, events(0..3)).await });
        until("the node wrote it", async || length(&direct, &stream).await == before + 3).await;
        proxy.let_answers_through();
        proxy.cut();

        let appended = append.await.unwrap().unwrap();
        assert_eq!(Some((appended.revision, appended.position)), direct.tail(&stream).await.unwrap());
        assert_eq!(length(&direct, &stream).await, before + 3, "written once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_over_a_restart_of_the_node_is_written_once() {
    let (dir, node, store) = node_and_store().await;
    let address = node.address();
    let stream = stream("product");
    store.append(&stream, Expected::NoStream, events(0..1)).await.unwrap();
    node.shutdown().await;
    let (sender, target) = (store.clone(), stream.clone());
    let append =
        tokio::spawn(async move { sender.append(&target, Expected::Exact(Revision(0)), events(1..3)).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let _node = start_node(dir.path(), address).await;
    assert_eq!(append.await.unwrap().unwrap().revision, Revision(2));
    assert_eq!(length(&store, &stream).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_that_stays_without_an_answer_is_unknown_and_still_written_once() {
    let (_dir, node, direct) = node_and_store().await;
    let proxy = Proxy::before(node.address()).await;
    let store = connect(proxy.address).with_append_deadline(Duration::from_millis(1_500));
    let stream = stream("product");
    store.head().await.unwrap();
    proxy.swallow_answers();
    let (sender, target) = (store.clone(), stream.clone());
    let append = tokio::spawn(async move { sender.append(&target, Expected::NoStream, events(0..2)).await });
    until("the node wrote it", async || length(&direct, &stream).await == 2).await;
    for _ in 0..5 {
        proxy.cut();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(matches!(append.await.unwrap(), Err(AppendError::Unknown(_))));
    assert_eq!(length(&direct, &stream).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_expected_revision_an_append_is_not_sent_twice() {
    let (_dir, node, direct) = node_and_store().await;
    let proxy = Proxy::before(node.address()).await;
    let store = connect(proxy.address);
    let stream = stream("product");
    store.head().await.unwrap();
    proxy.swallow_answers();
    let (sender, target) = (store.clone(), stream.clone());
    let append = tokio::spawn(async move { sender.append(&target, Expected::Any, events(0..1)).await });
    until("the node wrote it", async || length(&direct, &stream).await == 1).await;
    proxy.let_answers_through();
    proxy.cut();
    assert!(matches!(append.await.unwrap(), Err(AppendError::Unknown(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_never_reached_wrote_nothing_and_is_used_as_soon_as_it_is_there() {
    let (dir, node, _) = node_and_store().await;
    let address = node.address();
    node.shutdown().await;
    let store = connect(address).with_append_deadline(Duration::from_millis(400));
    let stream = stream("product");
    let refused = store.append(&stream, Expected::NoStream, events(0..1)).await;
    assert!(matches!(refused, Err(AppendError::Unreachable(_))), "{refused:?}");
    let _node = start_node(dir.path(), address).await;
    until("the log is reached", async || store.head().await.is_ok()).await;
    assert_eq!(length(&store, &stream).await, 0);
    store.append(&stream, Expected::NoStream, events(0..1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nobody_listens_an_append_is_known_not_to_be_written() {
    let (_dir, node, store) = node_and_store().await;
    store.head().await.unwrap();
    node.shutdown().await;
    assert!(store.head().await.is_err(), "the client has noticed");
    for expected in [Expected::NoStream, Expected::Any] {
        let store = store.clone().with_append_deadline(Duration::from_secs(2));
        let refused = store.append(&stream("product"), expected, events(0..1)).await;
        assert!(matches!(refused, Err(AppendError::Unreachable(_))), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_takes_connections_and_never_answers_wrote_nothing() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let store = connect(silent.local_addr().unwrap()).with_append_deadline(Duration::from_millis(500));
    let refused = store.append(&stream("product"), Expected::NoStream, events(0..1)).await;
    assert!(matches!(refused, Err(AppendError::Unreachable(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_log_would_not_take_is_refused_before_it_is_sent() {
    let (_dir, _node, store) = node_and_store().await;
    let stream = stream("product");
    let with_data = |data: String| NewEvent { data: Bytes::from(data), ..event(0) };
    let large = with_data(format!("\"{}\"", "x".repeat(MAX_APPEND_BYTES)));
    let outcome = store.append(&stream, Expected::NoStream, vec![large]).await;
    assert!(matches!(outcome, Err(AppendError::TooLarge { limit: MAX_APPEND_BYTES, .. })), "{outcome:?}");
    let outcome = store.append(&stream, Expected::NoStream, vec![with_data("{".into())]).await;
    assert!(matches!(outcome, Err(AppendError::BadArgument(_))), "{outcome:?}");
    let nearly = with_data(format!("\"{}\"", "x".repeat(MAX_APPEND_BYTES - 2_048)));
    store.append(&stream, Expected::NoStream, vec![nearly]).await.unwrap();
    assert_eq!(length(&store, &stream).await, 1);
}
