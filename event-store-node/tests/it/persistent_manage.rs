//! Groups of persistent subscriptions made, changed, listed and deleted, and how their consumers end.

use std::time::Duration;

use eventstore::{
    Client, Error, NakAction, PersistentSubscription, PersistentSubscriptionEvent, StreamPosition,
    SystemConsumerStrategy, operations,
};

use crate::persistent_support::{create, eager, is_quiet, join, next, refuse, take, until, write};
use crate::support::{start, within};

async fn dropped(consumer: &mut PersistentSubscription) -> Error {
    loop {
        match within(consumer.next_subscription_event()).await {
            Ok(PersistentSubscriptionEvent::Confirmed(_)) => {}
            Ok(event) => panic!("{event:?}"),
            Err(error) => return error,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_made_once_and_is_not_there_before_and_after() {
    let running = start().await;
    let client = &running.client;
    let missing = client.delete_persistent_subscription("a-1", "g", &Default::default()).await;
    assert!(matches!(missing, Err(Error::ResourceNotFound)), "{missing:?}");
    let missing = client.update_persistent_subscription("a-1", "g", &eager()).await;
    assert!(matches!(missing, Err(Error::ResourceNotFound)), "{missing:?}");
    let missing = client.subscribe_to_persistent_subscription("a-1", "g", &Default::default()).await;
    assert!(matches!(missing.err(), Some(Error::ResourceNotFound)));
    let missing = client.get_persistent_subscription_info("a-1", "g", &Default::default()).await;
    assert!(matches!(missing, Err(Error::ResourceNotFound)), "{missing:?}");
    let missing = client.replay_parked_messages("a-1", "g", &Default::default()).await;
    assert!(matches!(missing, Err(Error::ResourceNotFound)), "{missing:?}");
    let missing = client.list_persistent_subscriptions_for_stream("a-1", &Default::default()).await;
    assert!(matches!(missing, Err(Error::ResourceNotFound)), "{missing:?}");
    create(client, "a-1", &eager()).await;
    let twice = client.create_persistent_subscription("a-1", "g", &eager()).await;
    assert!(matches!(twice, Err(Error::ResourceAlreadyExists)), "{twice:?}");
    client.delete_persistent_subscription("a-1", "g", &Default::default()).await.expect("deleted");
    let none = client.list_persistent_subscriptions_for_stream("a-1", &Default::default()).await;
    assert_eq!(none.expect("had one").len(), 0);
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_is_deleted_leaves_nothing_to_the_next_of_its_name() {
    let running = start().await;
    let client = &running.client;
    write(client, "a-1", 0..3).await;
    create(client, "a-1", &eager()).await;
    let mut consumer = join(client, "a-1", 1).await;
    assert_eq!(refuse(&mut consumer, NakAction::Park).await, (0, 0));
    assert_eq!(take(&mut consumer, 1).await, [1]);
    until(client, "a-1", |info| {
        info.stats.last_checkpointed_event_revision >= Some(1) && info.stats.parked_message_count == 1
    })
    .await;
    let (event, _) = next(&mut consumer).await;
    client.delete_persistent_subscription("a-1", "g", &Default::default()).await.expect("deleted");
    let end = dropped(&mut consumer).await;
    assert!(matches!(&end, Error::IllegalStateError(text) if text.contains("dropped")), "{end:?}");
    // Answers to a group that is gone go nowhere.
    let _ = consumer.ack(event).await;
    for stream in ["$persistentsubscription-a-1::g-checkpoint", "$persistentsubscription-a-1::g-parked"] {
        let read = client.read_stream(stream, &Default::default()).await;
        let found = match read {
            Ok(mut read) => matches!(read.next().await, Ok(Some(_))),
            Err(_) => false,
        };
        assert!(!found, "{stream}");
    }
    create(client, "a-1", &eager()).await;
    until(client, "a-1", |info| {
        info.stats.parked_message_count == 0 && info.stats.last_checkpointed_event_revision.is_none()
    })
    .await;
    let mut consumer = join(client, "a-1", 10).await;
    assert_eq!(take(&mut consumer, 3).await, [0, 1, 2]);
    until(client, "a-1", |info| info.stats.last_checkpointed_event_revision == Some(2)).await;
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_drops_who_is_connected_and_goes_on_with_the_new_settings() {
    let running = start().await;
    let client = &running.client;
    write(client, "a-1", 0..4).await;
    create(client, "a-1", &eager()).await;
    let mut consumer = join(client, "a-1", 1).await;
    assert_eq!(take(&mut consumer, 2).await, [0, 1]);
    until(client, "a-1", |info| info.stats.last_checkpointed_event_revision == Some(1)).await;
    next(&mut consumer).await;
    let changed =
        eager().max_retry_count(77).consumer_strategy_name(SystemConsumerStrategy::DispatchToSingle);
    client.update_persistent_subscription("a-1", "g", &changed).await.expect("updated");
    assert!(matches!(dropped(&mut consumer).await, Error::IllegalStateError(_)));
    until(client, "a-1", |info| {
        let settings = info.settings.as_ref().expect("settings");
        settings.max_retry_count == 77
            && settings.consumer_strategy_name == SystemConsumerStrategy::DispatchToSingle
    })
    .await;
    let mut consumer = join(client, "a-1", 10).await;
    assert_eq!(take(&mut consumer, 2).await, [2, 3]);
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_was_made_for_what_comes_keeps_that_start_over_an_update() {
    let running = start().await;
    let client = &running.client;
    let end = eager().start_from(StreamPosition::End);
    create(client, "a-1", &end).await;
    write(client, "a-1", 0..2).await;
    client.update_persistent_subscription("a-1", "g", &end.max_retry_count(5)).await.expect("updated");
    assert_eq!(take(&mut join(client, "a-1", 10).await, 2).await, [0, 1]);
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_no_more_consumers_than_the_group_takes() {
    let running = start().await;
    let client = &running.client;
    create(client, "a-1", &eager().max_subscriber_count(1)).await;
    let first = join(client, "a-1", 1).await;
    let second = client.subscribe_to_persistent_subscription("a-1", "g", &Default::default()).await;
    let Some(Error::Grpc { message, .. }) = second.err() else { panic!("not refused") };
    assert!(message.starts_with("Maximum subscriptions reached"), "{message}");
    drop(first);
    until(client, "a-1", |info| info.connections.is_empty()).await;
    join(client, "a-1", 1).await;
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_make_no_sense_or_are_not_supported_are_refused_with_the_reason() {
    let running = start().await;
    let client = &running.client;
    let nonsense = [
        (eager().read_batch_size(500).history_buffer_size(500), "read batch size"),
        (eager().read_batch_size(0), "read batch size"),
        (eager().max_retry_count(-1), "max retry count"),
        (eager().consumer_strategy_name(SystemConsumerStrategy::Pinned), "Pinned is not supported"),
        (eager().start_from(StreamPosition::Position(u64::MAX)), "no event is that far"),
    ];
    for (options, reason) in nonsense {
        let refused = client.create_persistent_subscription("a-1", "g", &options).await;
        assert!(matches!(&refused, Err(Error::ServerError(text)) if text.contains(reason)), "{refused:?}");
    }
    let all = client.create_persistent_subscription("$all", "g", &eager()).await;
    assert!(matches!(all, Err(Error::ServerError(_))), "{all:?}");
    let long = client.create_persistent_subscription("a-1", "g".repeat(17_000), &eager()).await;
    assert!(matches!(&long, Err(Error::ServerError(text)) if text.contains("too long")), "{long:?}");
    create(client, "a::b", &eager()).await;
    let clash = client.create_persistent_subscription("a", "b::g", &eager()).await;
    assert!(matches!(&clash, Err(Error::ServerError(text)) if text.contains("system streams")), "{clash:?}");
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_listed_by_what_they_follow() {
    let running = start().await;
    let client = &running.client;
    for (stream, group) in [("a-1", "g"), ("a-1", "h"), ("a-2", "g")] {
        client.create_persistent_subscription(stream, group, &eager()).await.expect("a group");
    }
    client.create_persistent_subscription_to_all("g", &Default::default()).await.expect("a group");
    let names = |infos: Vec<(String, String)>| infos;
    let all = client.list_all_persistent_subscriptions(&Default::default()).await.expect("a list");
    let all = names(all.into_iter().map(|info| (info.event_source, info.group_name)).collect());
    let expected = [("$all", "g"), ("a-1", "g"), ("a-1", "h"), ("a-2", "g")];
    assert_eq!(all, expected.map(|(stream, group)| (stream.to_owned(), group.to_owned())));
    let one =
        client.list_persistent_subscriptions_for_stream("a-1", &Default::default()).await.expect("a list");
    assert_eq!(one.iter().map(|info| info.group_name.as_str()).collect::<Vec<_>>(), ["g", "h"]);
    let everything = client.list_persistent_subscriptions_to_all(&Default::default()).await.expect("a list");
    assert_eq!(everything.len(), 1);
    let settings = everything[0].settings.as_ref().expect("settings");
    assert_eq!(settings.start_from, StreamPosition::End);
    assert_eq!(settings.message_timeout, Duration::from_secs(30));
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_tells_who_is_connected_and_how_long_they_take() {
    let running = start().await;
    let client = &running.client;
    write(client, "a-1", 0..3).await;
    create(client, "a-1", &eager().extra_statistics(true)).await;
    let mut consumer = join(client, "a-1", 5).await;
    assert_eq!(take(&mut consumer, 2).await, [0, 1]);
    next(&mut consumer).await;
    until(client, "a-1", |info| {
        let connection = &info.connections[0];
        info.status == "Live"
            && info.stats.last_known_event_revision == Some(2)
            && info.stats.total_items == 3
            && connection.from.starts_with("127.0.0.1:")
            && (connection.in_flight_messages, connection.available_slots) == (1, 4)
            && connection.total_items == 3
            && connection.extra_statistics.get("Highest").is_some()
    })
    .await;
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_on_a_stream_that_was_ended_has_nothing_left_to_do() {
    let running = start().await;
    let client = &running.client;
    write(client, "a-1", 0..3).await;
    create(client, "a-1", &eager()).await;
    client.tombstone_stream("a-1", &Default::default()).await.expect("ended");
    let mut consumer = join(client, "a-1", 5).await;
    until(client, "a-1", |info| {
        info.status == "Live" && info.stats.last_checkpointed_event_revision.is_none()
    })
    .await;
    assert!(is_quiet(&mut consumer).await);
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_subsystem_drops_consumers_and_goes_on() {
    drops_consumers_and_goes_on(async |client| {
        client.restart_persistent_subscription_subsystem(&Default::default()).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_by_the_operations_is_the_same() {
    drops_consumers_and_goes_on(async |client| {
        let operations = operations::Client::from(client.clone());
        operations.restart_persistent_subscriptions(&Default::default()).await
    })
    .await;
}

async fn drops_consumers_and_goes_on(restart: impl AsyncFnOnce(&Client) -> eventstore::Result<()>) {
    let running = start().await;
    let client = &running.client;
    write(client, "a-1", 0..3).await;
    // No checkpoint is due, but the restart leaves one.
    create(client, "a-1", &eager().checkpoint_lower_bound(100).checkpoint_upper_bound(100)).await;
    let mut consumer = join(client, "a-1", 1).await;
    assert_eq!(take(&mut consumer, 2).await, [0, 1]);
    next(&mut consumer).await;
    restart(client).await.expect("restarted");
    assert!(matches!(dropped(&mut consumer).await, Error::IllegalStateError(_)));
    let mut consumer = join(client, "a-1", 1).await;
    assert_eq!(take(&mut consumer, 1).await, [2]);
    assert!(is_quiet(&mut consumer).await);
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn consumers_end_as_unavailable_when_the_node_stops() {
    let running = start().await;
    let client = &running.client;
    create(client, "a-1", &eager()).await;
    let mut consumer = join(client, "a-1", 1).await;
    let stopping = tokio::spawn(running.node.shutdown());
    let end = dropped(&mut consumer).await;
    assert!(
        matches!(&end, Error::ServerError(text) if text.to_lowercase().contains("unavailable")),
        "{end:?}"
    );
    within(stopping).await.expect("stopped");
}
