//! Persistent subscriptions through the official client (protocol sheet, 5.6).

use std::time::Duration;

use eventstore::{
    Error, NakAction, PersistentSubscriptionToAllOptions, Position, StreamPosition,
    SubscribeToPersistentSubscriptionOptions, SubscriptionFilter, SystemConsumerStrategy,
};

use crate::persistent_support::{create, eager, is_quiet, join, next, number_of, refuse, take, until, write};
use crate::support::{start, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_group_gives_what_there_is_and_what_comes() {
    let running = start().await;
    let client = &running.client;
    write(client, "a-1", 0..100).await;
    create(client, "a-1", &eager()).await;
    let mut consumer = join(client, "a-1", 10).await;
    assert_eq!(take(&mut consumer, 100).await, (0..100).collect::<Vec<_>>());
    for number in 100..110 {
        write(client, "b-1", 0..1).await;
        write(client, "a-1", number..number + 1).await;
        assert_eq!(take(&mut consumer, 1).await, [number]);
    }
    until(client, "a-1", |info| info.stats.last_checkpointed_event_revision == Some(109)).await;
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_starts_with_the_revision_given_or_with_what_comes_after_it_was_made() {
    let running = start().await;
    let client = &running.client;
    write(client, "a-1", 0..5).await;
    write(client, "a-2", 0..5).await;
    create(client, "a-1", &eager().start_from(StreamPosition::Position(3))).await;
    create(client, "a-2", &eager().start_from(StreamPosition::End)).await;
    create(client, "a-3", &eager().start_from(StreamPosition::End)).await;
    for stream in ["a-1", "a-2", "a-3"] {
        write(client, stream, 5..7).await;
    }
    assert_eq!(take(&mut join(client, "a-1", 10).await, 4).await, [3, 4, 5, 6]);
    assert_eq!(take(&mut join(client, "a-2", 10).await, 2).await, [5, 6]);
    assert_eq!(take(&mut join(client, "a-3", 10).await, 2).await, [5, 6]);
    let info = client.get_persistent_subscription_info("a-2", "g", &Default::default()).await.expect("info");
    assert_eq!(info.settings.expect("settings").start_from, StreamPosition::End);
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_in_flight_than_the_buffer_holds() {
    let running = start().await;
    let client = &running.client;
    write(client, "a-1", 0..20).await;
    create(client, "a-1", &eager()).await;
    let mut consumer = join(client, "a-1", 3).await;
    let mut held = Vec::new();
    for number in 0..3 {
        let (event, _) = next(&mut consumer).await;
        assert_eq!(number_of(&event), number);
        held.push(event);
    }
    until(client, "a-1", |info| {
        info.stats.total_in_flight_messages == 3 && info.connections[0].available_slots == 0
    })
    .await;
    for event in held {
        consumer.ack(event).await.expect("acknowledged");
    }
    assert_eq!(take(&mut consumer, 17).await, (3..20).collect::<Vec<_>>());
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_acknowledged_comes_again_and_is_parked_in_the_end() {
    let running = start().await;
    let client = &running.client;
    write(client, "a-1", 0..3).await;
    let impatient = eager().message_timeout(Duration::from_millis(100)).max_retry_count(3);
    create(client, "a-1", &impatient).await;
    let mut consumer = join(client, "a-1", 1).await;
    for retry_count in 0..4 {
        let (event, count) = next(&mut consumer).await;
        assert_eq!((number_of(&event), count), (0, retry_count));
    }
    assert_eq!(take(&mut consumer, 2).await, [1, 2]);
    until(client, "a-1", |info| info.stats.parked_message_count == 1).await;
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_can_refuse_an_event_in_every_way() {
    let running = start().await;
    let client = &running.client;
    write(client, "a-1", 0..5).await;
    create(client, "a-1", &eager().max_retry_count(1)).await;
    let mut consumer = join(client, "a-1", 1).await;
    assert_eq!(refuse(&mut consumer, NakAction::Retry).await, (0, 0));
    assert_eq!(refuse(&mut consumer, NakAction::Unknown).await, (0, 1), "and parked");
    assert_eq!(refuse(&mut consumer, NakAction::Skip).await, (1, 0));
    assert_eq!(refuse(&mut consumer, NakAction::Park).await, (2, 0));
    assert_eq!(refuse(&mut consumer, NakAction::Stop).await, (3, 0));
    assert_eq!(take(&mut consumer, 1).await, [4]);
    until(client, "a-1", |info| {
        info.stats.parked_message_count == 2 && info.stats.last_checkpointed_event_revision == Some(4)
    })
    .await;
    let parked = "$persistentsubscription-a-1::g-parked";
    let options = eventstore::ReadStreamOptions::default();
    let mut read = client.read_stream(parked, &options).await.expect("a read");
    let mut found = Vec::new();
    while let Some(event) = read.next().await.expect("a link") {
        let event = event.get_original_event();
        let metadata: serde_json::Value = serde_json::from_slice(&event.custom_metadata).expect("JSON");
        assert_eq!(event.event_type, "$>");
        assert!(metadata["added"].as_str().is_some_and(|added| added.starts_with("20")), "{metadata}");
        let link = String::from_utf8_lossy(&event.data).into_owned();
        found.push((link, metadata["reason"].clone(), metadata["subscriptionEventNumber"].clone()));
    }
    let expected = [("0@a-1", "Reached retry count of 1", 0), ("2@a-1", "because", 2)];
    assert_eq!(found, expected.map(|(link, reason, number)| (link.to_owned(), reason.into(), number.into())));
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parked_events_are_tried_again_on_request_and_leave_when_they_are_acknowledged() {
    let running = start().await;
    let client = &running.client;
    write(client, "a-1", 0..3).await;
    create(client, "a-1", &eager()).await;
    let mut consumer = join(client, "a-1", 10).await;
    for number in 0..3 {
        assert_eq!(refuse(&mut consumer, NakAction::Park).await, (number, 0));
    }
    until(client, "a-1", |info| info.stats.parked_message_count == 3).await;
    let two = eventstore::ReplayParkedMessagesOptions::default().stop_at(2);
    client.replay_parked_messages("a-1", "g", &two).await.expect("replayed");
    for expected in 0..2 {
        let (event, retry_count) = next(&mut consumer).await;
        assert_eq!((number_of(&event), retry_count), (expected, 0));
        let link = event.link.as_ref().expect("the parked link");
        assert_eq!(link.stream_id, "$persistentsubscription-a-1::g-parked");
        consumer.ack(event).await.expect("acknowledged");
    }
    until(client, "a-1", |info| info.stats.parked_message_count == 1).await;
    client.replay_parked_messages("a-1", "g", &Default::default()).await.expect("replayed");
    assert_eq!(refuse(&mut consumer, NakAction::Park).await, (2, 0), "parked again");
    until(client, "a-1", |info| info.stats.parked_message_count == 1).await;
    client.replay_parked_messages("a-1", "g", &Default::default()).await.expect("replayed");
    assert_eq!(take(&mut consumer, 1).await, [2]);
    client.replay_parked_messages("a-1", "g", &Default::default()).await.expect("nothing to replay");
    assert!(is_quiet(&mut consumer).await);
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_consumer_leaves_goes_to_another() {
    let running = start().await;
    let client = &running.client;
    write(client, "a-1", 0..4).await;
    create(client, "a-1", &eager()).await;
    let mut first = join(client, "a-1", 4).await;
    let (event, _) = next(&mut first).await;
    first.ack(event).await.expect("acknowledged");
    next(&mut first).await;
    until(client, "a-1", |info| info.stats.last_checkpointed_event_revision == Some(0)).await;
    drop(first);
    let mut second = join(client, "a-1", 10).await;
    let mut numbers = take(&mut second, 3).await;
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3]);
    assert!(is_quiet(&mut second).await);
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn consumers_take_turns_or_are_filled_one_by_one() {
    let running = start().await;
    let client = &running.client;
    let strategies = [SystemConsumerStrategy::RoundRobin, SystemConsumerStrategy::DispatchToSingle];
    for (stream, strategy) in ["a-1", "a-2"].into_iter().zip(strategies) {
        let options = eager().consumer_strategy_name(strategy);
        create(client, stream, &options).await;
        let (mut one, mut two) = (join(client, stream, 2).await, join(client, stream, 2).await);
        write(client, stream, 0..4).await;
        let mut firsts = Vec::new();
        for consumer in [&mut one, &mut two] {
            for _ in 0..2 {
                firsts.push(number_of(&next(consumer).await.0));
            }
        }
        let expected = if stream == "a-1" { [0, 2, 1, 3] } else { [0, 1, 2, 3] };
        assert_eq!(firsts, expected, "{stream}");
    }
    running.node.shutdown().await;
}

fn to_all() -> PersistentSubscriptionToAllOptions {
    let ours = SubscriptionFilter::on_stream_name().add_prefix("a-");
    PersistentSubscriptionToAllOptions::default()
        .start_from(StreamPosition::Start)
        .checkpoint_after(Duration::ZERO)
        .checkpoint_lower_bound(1)
        .filter(ours)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_on_everything_sees_what_its_filter_lets_through() {
    let running = start().await;
    let client = &running.client;
    write(client, "a-1", 0..2).await;
    write(client, "b-1", 0..300).await;
    let third = client.append_to_stream("a-2", &Default::default(), crate::support::event(2)).await;
    let third = third.expect("written").position;
    write(client, "a-1", 3..4).await;
    client.create_persistent_subscription_to_all("start", &to_all()).await.expect("a group");
    let from = to_all().start_from(StreamPosition::Position(third));
    client.create_persistent_subscription_to_all("position", &from).await.expect("a group");
    let end = to_all().start_from(StreamPosition::End);
    client.create_persistent_subscription_to_all("end", &end).await.expect("a group");
    write(client, "a-1", 4..5).await;
    for (group, expected) in [("start", vec![0, 1, 2, 3, 4]), ("position", vec![2, 3, 4]), ("end", vec![4])] {
        let options = SubscribeToPersistentSubscriptionOptions::default();
        let mut consumer =
            client.subscribe_to_persistent_subscription_to_all(group, &options).await.expect("a consumer");
        assert_eq!(take(&mut consumer, expected.len()).await, expected, "{group}");
        write(client, "b-1", 0..1).await;
        assert!(is_quiet(&mut consumer).await, "{group}");
    }
    let beyond = Position { commit: third.commit + 1_000_000, prepare: third.commit + 1_000_000 };
    let refused = client
        .create_persistent_subscription_to_all(
            "beyond",
            &to_all().start_from(StreamPosition::Position(beyond)),
        )
        .await;
    assert!(matches!(refused, Err(Error::ServerError(_))), "{refused:?}");
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checkpoints_of_a_group_on_everything_are_no_events_for_it() {
    let running = start().await;
    let client = &running.client;
    let unfiltered = PersistentSubscriptionToAllOptions::default()
        .start_from(StreamPosition::Start)
        .checkpoint_after(Duration::ZERO)
        .checkpoint_lower_bound(1)
        .checkpoint_upper_bound(1);
    client.create_persistent_subscription_to_all("g", &unfiltered).await.expect("a group");
    let options = SubscribeToPersistentSubscriptionOptions::default();
    let mut consumer =
        client.subscribe_to_persistent_subscription_to_all("g", &options).await.expect("a consumer");
    write(client, "a-1", 0..1).await;
    let mut streams = Vec::new();
    while streams.last().is_none_or(|stream| stream != "a-1") {
        let (event, _) = next(&mut consumer).await;
        streams.push(event.get_original_stream_id().to_owned());
        consumer.ack(event).await.expect("acknowledged");
    }
    assert!(is_quiet(&mut consumer).await, "the group does not feed itself");
    let all = eventstore::ReadAllOptions::default();
    let mut read = client.read_all(&all).await.expect("a read");
    while let Some(event) = read.next().await.expect("an event") {
        streams.push(event.get_original_stream_id().to_owned());
    }
    let hidden = |stream: &&String| stream.starts_with("$persistentsubscription-$all::");
    assert_eq!(streams.iter().find(hidden), None);
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_resolved_and_acknowledged_by_their_own_id() {
    let running = start().await;
    let client = &running.client;
    write(client, "a-1", 0..2).await;
    for link in ["1@a-1", "7@a-1"] {
        let link = eventstore::EventData::binary("$>", link.into()).id(uuid::Uuid::new_v4());
        client.append_to_stream("links", &Default::default(), link).await.expect("written");
    }
    create(client, "links", &eager().resolve_link_tos(true)).await;
    let mut consumer = join(client, "links", 1).await;
    let (event, _) = next(&mut consumer).await;
    assert_eq!((number_of(&event), event.link.as_ref().map(|link| link.revision)), (1, Some(0)));
    consumer.nack(event, NakAction::Park, "").await.expect("refused");
    let (gone, _) = next(&mut consumer).await;
    assert!(gone.event.is_none() && gone.link.is_some(), "{gone:?}");
    consumer.ack(gone).await.expect("acknowledged");
    until(client, "links", |info| info.stats.parked_message_count == 1).await;
    client.replay_parked_messages("links", "g", &Default::default()).await.expect("replayed");
    assert_eq!(take(&mut consumer, 1).await, [1], "the event itself, past the parked link and the link");
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_does_not_read_holds_up_nobody() {
    let running = start().await;
    let client = &running.client;
    create(client, "a-1", &eager().message_timeout(Duration::from_millis(100)).max_retry_count(1000)).await;
    client.create_persistent_subscription("a-1", "other", &eager()).await.expect("a group");
    let mut slow = join(client, "a-1", 5).await;
    let mut quick = client
        .subscribe_to_persistent_subscription("a-1", "other", &Default::default())
        .await
        .expect("a consumer");
    let large = eventstore::EventData::binary("Scanned", vec![7u8; 60_000].into());
    for _ in 0..300 {
        let event = large.clone().id(uuid::Uuid::new_v4());
        within(client.append_to_stream("a-1", &Default::default(), event)).await.expect("written");
        let (event, _) = next(&mut quick).await;
        quick.ack(event).await.expect("acknowledged");
    }
    until(client, "a-1", |info| {
        // 8 MiB at most, and the events that were sent again while nobody read.
        info.stats.read_buffer_count + info.stats.live_buffer_count < 150
    })
    .await;
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 300 {
        let (event, _) = next(&mut slow).await;
        seen.insert(event.get_original_event().revision);
        slow.ack(event).await.expect("acknowledged");
    }
    running.node.shutdown().await;
}
