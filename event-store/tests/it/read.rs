use contract::LogPosition;
use event_store::{Expected, Metadata, NewEvent, RecordedEvent, Revision};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::support::{event, events, node_and_store, stream};

fn numbers(events: &[RecordedEvent]) -> Vec<u64> {
    events.iter().map(|event| event.revision.0).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_comes_out_as_it_went_in() {
    let (_dir, _node, store) = node_and_store().await;
    let stream = stream("product");
    let metadata = Metadata {
        correlation_id: Uuid::new_v4(),
        causation_id: Uuid::new_v4(),
        command_id: Uuid::new_v4(),
        fingerprint: Some("f00d".into()),
        actor: Some("importer".into()),
        schema_version: 3,
        occurred_at: "2010-12-01T08:26:00Z".parse().unwrap(),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        tracestate: None,
    };
    let new = NewEvent { metadata: metadata.clone(), ..event(7) };
    let appended = store.append(&stream, Expected::NoStream, vec![new.clone()]).await.unwrap();
    let page = store.read_stream(&stream, Revision::FIRST, 10).await.unwrap().unwrap();
    let [read] = &page.events[..] else { panic!("one event: {page:?}") };
    assert_eq!((&read.stream, read.id, read.revision), (&stream, new.id, Revision(0)));
    assert_eq!((read.position, read.event_type.as_str()), (appended.position, "Counted"));
    assert_eq!((&read.data, &read.metadata), (&new.data, &metadata));
    assert!(Timestamp::now().duration_since(read.recorded_at).abs() < SignedDuration::from_secs(60));
    assert!(page.is_end);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_read_page_by_page_both_ways() {
    let (_dir, _node, store) = node_and_store().await;
    let stream = stream("product");
    assert_eq!(store.read_stream(&stream, Revision::FIRST, 10).await.unwrap(), None);
    assert_eq!(store.read_stream_backward(&stream, 10).await.unwrap(), None);
    assert_eq!(store.tail(&stream).await.unwrap(), None);

    store.append(&stream, Expected::NoStream, events(0..7)).await.unwrap();
    let page = async |from, max| store.read_stream(&stream, Revision(from), max).await.unwrap().unwrap();
    let first = page(0, 3).await;
    assert_eq!((numbers(&first.events), first.is_end), (vec![0, 1, 2], false));
    let rest = page(3, 100).await;
    assert_eq!((numbers(&rest.events), rest.is_end), (vec![3, 4, 5, 6], true));
    let behind = page(7, 100).await;
    assert_eq!(
        (numbers(&behind.events), behind.is_end),
        (vec![], true),
        "there is a stream, and nothing more"
    );
    let last = store.read_stream_backward(&stream, 2).await.unwrap().unwrap();
    assert_eq!((numbers(&last.events), last.is_end), (vec![6, 5], false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_large_events_ends_early_and_the_next_goes_on() {
    let (_dir, _node, store) = node_and_store().await;
    let stream = stream("product");
    for n in 0..12_u64 {
        let large = NewEvent { data: format!("\"{}\"", "x".repeat(900 * 1024)).into(), ..event(0) };
        let expected =
            n.checked_sub(1).map_or(Expected::NoStream, |before| Expected::Exact(Revision(before)));
        store.append(&stream, expected, vec![large]).await.unwrap();
    }
    let mut read = Vec::new();
    loop {
        let from = Revision(read.len() as u64);
        let page = store.read_stream(&stream, from, 100).await.unwrap().unwrap();
        let bytes: usize = page.events.iter().map(|event| event.data.len()).sum();
        assert!(bytes < 10 * 1024 * 1024, "{bytes}");
        read.extend(numbers(&page.events));
        if page.is_end {
            break;
        }
    }
    assert_eq!(read, (0..12).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_log_is_read_behind_a_position_and_by_prefix() {
    let (_dir, _node, store) = node_and_store().await;
    let (product, user, other) = (stream("product"), stream("user"), stream("productions"));
    let mut positions = Vec::new();
    for (n, stream) in [&product, &user, &product, &other, &user].into_iter().enumerate() {
        positions.push(store.append(stream, Expected::Any, vec![event(n)]).await.unwrap().position);
    }
    let read = async |after, prefixes: &[&str], max| store.read_all(after, prefixes, max).await.unwrap();
    let found = |events: &[RecordedEvent]| events.iter().map(|event| event.position).collect::<Vec<_>>();

    let all = read(LogPosition::START, &["product-", "user-"], 1_000).await;
    assert_eq!(found(&all.events), [positions[0], positions[1], positions[2], positions[4]]);
    assert_eq!((all.considered, all.is_end), (positions[4], true));

    let behind = read(positions[1], &["user-"], 2).await;
    assert_eq!((found(&behind.events), behind.considered, behind.is_end), (vec![], positions[3], false));
    let next = read(behind.considered, &["user-"], 2).await;
    assert_eq!((found(&next.events), next.considered, next.is_end), (vec![positions[4]], positions[4], true));

    let end = read(positions[4], &[], 10).await;
    assert_eq!((end.events.len(), end.considered, end.is_end), (0, positions[4], true));
}
