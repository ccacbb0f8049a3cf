//! Subscriptions through the official client.

use eventstore::{
    StreamPosition, SubscribeToAllOptions, SubscribeToStreamOptions, SubscriptionEvent, SubscriptionFilter,
};

use crate::support::{event, events, start, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_to_a_stream_shows_history_then_says_caught_up_once_then_shows_what_comes() {
    let running = start().await;
    let client = &running.client;
    client.append_to_stream("a-1", &Default::default(), events(0..700)).await.expect("written");
    let options = SubscribeToStreamOptions::default().start_from(StreamPosition::Start);
    let mut subscription = client.subscribe_to_stream("a-1", &options).await;
    let mut seen = Vec::new();
    let mut caught_up = 0;
    while seen.len() < 705 {
        match within(subscription.next_subscription_event()).await.expect("a message") {
            SubscriptionEvent::EventAppeared(event) => seen.push(event.get_original_event().revision),
            SubscriptionEvent::CaughtUp => {
                caught_up += 1;
                for number in 0..5 {
                    client
                        .append_to_stream("a-1", &Default::default(), event(number))
                        .await
                        .expect("written");
                }
            }
            SubscriptionEvent::Confirmed(_) => assert!(seen.is_empty()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(seen, (0..705).collect::<Vec<_>>());
    assert_eq!(caught_up, 1);
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filtered_subscription_to_all_shows_only_its_streams_and_tells_how_far_it_came() {
    let running = start().await;
    let client = &running.client;
    for number in 0..100 {
        let stream = if number % 10 == 0 { "wanted-1" } else { "other-1" };
        client.append_to_stream(stream, &Default::default(), event(number)).await.expect("written");
    }
    let filter = SubscriptionFilter::on_stream_name().add_prefix("wanted-");
    let options = SubscribeToAllOptions::default().position(StreamPosition::Start).filter(filter);
    let mut subscription = client.subscribe_to_all(&options).await;
    let (mut seen, mut checkpoints) = (Vec::new(), Vec::new());
    loop {
        match within(subscription.next_subscription_event()).await.expect("a message") {
            SubscriptionEvent::EventAppeared(event) => {
                let event = event.get_original_event();
                assert_eq!(event.stream_id, "wanted-1");
                seen.push(event.revision);
            }
            SubscriptionEvent::Checkpoint(position) => checkpoints.push(position.commit),
            SubscriptionEvent::CaughtUp => break,
            _ => {}
        }
    }
    assert_eq!(seen, (0..10).collect::<Vec<_>>());
    assert_eq!(checkpoints.len(), 4, "one for every 32 of 101 events, and one before going live");
    assert!(checkpoints.is_sorted_by(|a, b| a < b));
    running.node.shutdown().await;
}
