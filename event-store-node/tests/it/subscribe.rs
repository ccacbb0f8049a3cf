//! Subscriptions through the official client (protocol sheet, 5.3).

use eventstore::{
    Client, Error, Position, StreamPosition, SubscribeToAllOptions, SubscribeToStreamOptions, Subscription,
    SubscriptionEvent, SubscriptionFilter,
};

use crate::support::{event, events, start, within};

/// What a subscription showed, in short.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Event(String, u64),
    Checkpoint(u64),
    CaughtUp,
}

async fn next(subscription: &mut Subscription) -> Seen {
    loop {
        match within(subscription.next_subscription_event()).await.expect("a message") {
            SubscriptionEvent::EventAppeared(event) => {
                let event = event.get_original_event();
                return Seen::Event(event.stream_id.clone(), event.revision);
            }
            SubscriptionEvent::Checkpoint(position) => return Seen::Checkpoint(position.commit),
            SubscriptionEvent::CaughtUp => return Seen::CaughtUp,
            SubscriptionEvent::Confirmed(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn until_caught_up(subscription: &mut Subscription) -> Vec<Seen> {
    let mut seen = Vec::new();
    loop {
        match next(subscription).await {
            Seen::CaughtUp => return seen,
            other => seen.push(other),
        }
    }
}

fn shown(stream: &str, revisions: std::ops::Range<u64>) -> Vec<Seen> {
    revisions.map(|revision| Seen::Event(stream.to_owned(), revision)).collect()
}

async fn write(client: &Client, stream: &str, count: u64) -> Position {
    client.append_to_stream(stream, &Default::default(), events(0..count)).await.expect("written").position
}

fn from_stream(position: StreamPosition<u64>) -> SubscribeToStreamOptions {
    SubscribeToStreamOptions::default().start_from(position)
}

fn from_all(position: StreamPosition<Position>) -> SubscribeToAllOptions {
    let ours = SubscriptionFilter::on_stream_name().add_prefix("a-").add_prefix("b-");
    SubscribeToAllOptions::default().position(position).filter(ours)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_shown_from_its_start_then_caught_up_once_then_as_it_grows() {
    let running = start().await;
    let client = &running.client;
    write(client, "a-1", 700).await;
    let mut subscription = client.subscribe_to_stream("a-1", &from_stream(StreamPosition::Start)).await;
    assert_eq!(until_caught_up(&mut subscription).await, shown("a-1", 0..700));
    for revision in 700..705 {
        write(client, "b-1", 1).await;
        write(client, "a-1", 1).await;
        assert_eq!(next(&mut subscription).await, Seen::Event("a-1".to_owned(), revision));
    }
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_to_a_stream_resumes_after_the_revision_given() {
    let running = start().await;
    let client = &running.client;
    write(client, "a-1", 5).await;
    let mut resumed = client.subscribe_to_stream("a-1", &from_stream(StreamPosition::Position(2))).await;
    assert_eq!(until_caught_up(&mut resumed).await, shown("a-1", 3..5));
    let mut at_end = client.subscribe_to_stream("a-1", &from_stream(StreamPosition::End)).await;
    assert_eq!(until_caught_up(&mut at_end).await, []);
    let mut ahead = client.subscribe_to_stream("a-1", &from_stream(StreamPosition::Position(5))).await;
    assert_eq!(until_caught_up(&mut ahead).await, []);
    let mut to_nothing = client.subscribe_to_stream("a-2", &from_stream(StreamPosition::Start)).await;
    assert_eq!(until_caught_up(&mut to_nothing).await, []);
    write(client, "a-1", 2).await;
    write(client, "a-2", 1).await;
    assert_eq!(next(&mut resumed).await, Seen::Event("a-1".to_owned(), 5));
    assert_eq!(next(&mut at_end).await, Seen::Event("a-1".to_owned(), 5));
    assert_eq!(
        next(&mut ahead).await,
        Seen::Event("a-1".to_owned(), 6),
        "what it has seen already is not shown"
    );
    assert_eq!(next(&mut to_nothing).await, Seen::Event("a-2".to_owned(), 0));
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_to_everything_resumes_after_the_position_given() {
    let running = start().await;
    let client = &running.client;
    let first = write(client, "a-1", 1).await;
    write(client, "b-1", 1).await;
    let events = |seen: Vec<Seen>| -> Vec<Seen> {
        seen.into_iter().filter(|seen| matches!(seen, Seen::Event(..))).collect()
    };
    let mut from_start = client.subscribe_to_all(&from_all(StreamPosition::Start)).await;
    let both = shown("a-1", 0..1).into_iter().chain(shown("b-1", 0..1)).collect::<Vec<_>>();
    assert_eq!(events(until_caught_up(&mut from_start).await), both);
    let mut resumed = client.subscribe_to_all(&from_all(StreamPosition::Position(first))).await;
    assert_eq!(events(until_caught_up(&mut resumed).await), shown("b-1", 0..1));
    let mut at_end = client.subscribe_to_all(&from_all(StreamPosition::End)).await;
    assert_eq!(events(until_caught_up(&mut at_end).await), []);
    let far = Position { commit: first.commit + 1_000_000, prepare: first.commit + 1_000_000 };
    let mut beyond = client.subscribe_to_all(&from_all(StreamPosition::Position(far))).await;
    assert_eq!(events(until_caught_up(&mut beyond).await), []);
    write(client, "a-1", 1).await;
    for subscription in [&mut from_start, &mut resumed, &mut at_end] {
        assert_eq!(next(subscription).await, Seen::Event("a-1".to_owned(), 1));
    }
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unfiltered_subscription_to_everything_begins_with_the_nodes_own_event() {
    let running = start().await;
    let options = SubscribeToAllOptions::default().position(StreamPosition::Start);
    write(&running.client, "a-1", 1).await;
    let mut subscription = running.client.subscribe_to_all(&options).await;
    let seen = until_caught_up(&mut subscription).await;
    assert_eq!(seen[1..], shown("a-1", 0..1));
    assert_eq!(seen.len(), 2, "without a filter there are no checkpoints");
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filtered_subscription_tells_every_32_events_how_far_it_came() {
    let running = start().await;
    let client = &running.client;
    let mut positions = Vec::new();
    for number in 0..100 {
        let stream = if number % 10 == 0 { "a-1" } else { "other-1" };
        let written =
            client.append_to_stream(stream, &Default::default(), event(number)).await.expect("written");
        positions.push(written.position.commit);
    }
    let mut subscription = client.subscribe_to_all(&from_all(StreamPosition::Start)).await;
    let seen = until_caught_up(&mut subscription).await;
    let events: Vec<_> = seen.iter().filter(|seen| matches!(seen, Seen::Event(..))).collect();
    assert_eq!(events, shown("a-1", 0..10).iter().collect::<Vec<_>>());
    let checkpoints: Vec<u64> = seen
        .iter()
        .filter_map(|seen| if let Seen::Checkpoint(position) = seen { Some(*position) } else { None })
        .collect();
    // The node's own first event is considered too.
    assert_eq!(checkpoints, [positions[30], positions[62], positions[94], positions[99]]);
    let mut last = 0;
    for _ in 0..32 {
        last = write(client, "other-1", 1).await.commit;
    }
    assert_eq!(next(&mut subscription).await, Seen::Checkpoint(last), "live as well");
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_takes_prefixes_or_a_regular_expression_of_streams_or_types() {
    let running = start().await;
    let client = &running.client;
    for stream in ["a-1", "b-1", "PersistentConfig1", "ab-1"] {
        write(client, stream, 1).await;
    }
    let cases = [
        (SubscriptionFilter::on_stream_name().add_prefix("a"), vec!["a-1", "ab-1"]),
        (SubscriptionFilter::on_stream_name().regex("b-"), vec!["b-1", "ab-1"]),
        (
            SubscriptionFilter::on_stream_name().regex(r"^(?!(\$.+$|PersistentConfig\d+$|Result$))"),
            vec!["a-1", "b-1", "ab-1"],
        ),
        (SubscriptionFilter::on_event_type().add_prefix("$meta"), vec!["$$$all"]),
        (SubscriptionFilter::on_event_type().regex("^Cou"), vec!["a-1", "b-1", "PersistentConfig1", "ab-1"]),
    ];
    for (filter, expected) in cases {
        let options = SubscribeToAllOptions::default().position(StreamPosition::Start).filter(filter.clone());
        let mut subscription = client.subscribe_to_all(&options).await;
        let mut streams = Vec::new();
        for seen in until_caught_up(&mut subscription).await {
            if let Seen::Event(stream, _) = seen {
                streams.push(stream);
            }
        }
        assert_eq!(streams, expected, "{filter:?}");
    }
    let broken = SubscribeToAllOptions::default().filter(SubscriptionFilter::on_event_type().regex("(("));
    let refused = within(client.subscribe_to_all(&broken).await.next_subscription_event()).await;
    assert!(matches!(refused, Err(Error::Grpc { .. })), "{refused:?}");
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_end_as_unavailable_when_the_node_stops() {
    let running = start().await;
    let client = &running.client;
    let mut stream = client.subscribe_to_stream("a-1", &from_stream(StreamPosition::Start)).await;
    let mut all = client.subscribe_to_all(&from_all(StreamPosition::Start)).await;
    until_caught_up(&mut stream).await;
    until_caught_up(&mut all).await;
    let stopping = tokio::spawn(running.node.shutdown());
    for subscription in [&mut stream, &mut all] {
        let ended = within(subscription.next_subscription_event()).await;
        let Err(Error::ServerError(reason)) = ended else { panic!("{ended:?}") };
        assert!(reason.contains("unavailable") || reason.contains("Unavailable"), "{reason}");
    }
    within(stopping).await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_holds_up_nobody() {
    let running = start().await;
    let client = &running.client;
    let mut slow = client.subscribe_to_stream("a-1", &from_stream(StreamPosition::Start)).await;
    assert_eq!(until_caught_up(&mut slow).await, []);
    let large = eventstore::EventData::binary("Scanned", vec![7u8; 60_000].into());
    for _ in 0..500 {
        let event = large.clone().id(uuid::Uuid::new_v4());
        within(client.append_to_stream("a-1", &Default::default(), event)).await.expect("written");
    }
    for revision in 0..500 {
        assert_eq!(next(&mut slow).await, Seen::Event("a-1".to_owned(), revision));
    }
    running.node.shutdown().await;
}
