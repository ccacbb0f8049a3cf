//! Consumers of groups, for the tests of persistent subscriptions.

use std::time::Duration;

use eventstore::{
    Client, NakAction, PersistentSubscription, PersistentSubscriptionEvent, PersistentSubscriptionInfo,
    PersistentSubscriptionOptions, ResolvedEvent, StreamPosition, SubscribeToPersistentSubscriptionOptions,
};

use crate::support::{LIMIT, events, number, within};

/// Nothing comes for so long: then nothing will.
const QUIET: Duration = Duration::from_millis(400);

/// A group that begins at the start, checkpoints at once and retries without patience.
pub fn eager() -> PersistentSubscriptionOptions {
    PersistentSubscriptionOptions::default()
        .start_from(StreamPosition::Start)
        .checkpoint_after(Duration::ZERO)
        .checkpoint_lower_bound(1)
        .checkpoint_upper_bound(1)
}

pub async fn write(client: &Client, stream: &str, numbers: std::ops::Range<u64>) {
    client.append_to_stream(stream, &Default::default(), events(numbers)).await.expect("written");
}

pub async fn create(client: &Client, stream: &str, options: &PersistentSubscriptionOptions) {
    client.create_persistent_subscription(stream, "g", options).await.expect("a group");
}

/// A consumer of the group `g`.
pub async fn join(client: &Client, stream: &str, buffer_size: usize) -> PersistentSubscription {
    let options = SubscribeToPersistentSubscriptionOptions::default().buffer_size(buffer_size);
    within(client.subscribe_to_persistent_subscription(stream, "g", &options)).await.expect("a consumer")
}

/// The next event, with its retry count.
pub async fn next(consumer: &mut PersistentSubscription) -> (ResolvedEvent, usize) {
    loop {
        match within(consumer.next_subscription_event()).await.expect("an event") {
            PersistentSubscriptionEvent::EventAppeared { event, retry_count } => return (event, retry_count),
            PersistentSubscriptionEvent::Confirmed(_) => {}
        }
    }
}

/// The number in an event.
pub fn number_of(event: &ResolvedEvent) -> u64 {
    number(&event.event.as_ref().expect("an event").data)
}

/// The numbers in the next events, which are acknowledged.
pub async fn take(consumer: &mut PersistentSubscription, count: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    for _ in 0..count {
        let (event, _) = next(consumer).await;
        numbers.push(number_of(&event));
        consumer.ack(event).await.expect("acknowledged");
    }
    numbers
}

/// The next event is refused.
pub async fn refuse(consumer: &mut PersistentSubscription, action: NakAction) -> (u64, usize) {
    let (event, retry_count) = next(consumer).await;
    let number = number_of(&event);
    consumer.nack(event, action, "because").await.expect("refused");
    (number, retry_count)
}

/// Nothing comes any more.
pub async fn is_quiet(consumer: &mut PersistentSubscription) -> bool {
    // The confirmation may still be there.
    let event = async {
        loop {
            if !matches!(
                consumer.next_subscription_event().await,
                Ok(PersistentSubscriptionEvent::Confirmed(_))
            ) {
                break;
            }
        }
    };
    tokio::time::timeout(QUIET, event).await.is_err()
}

/// Waits until the group on a stream stands as it should.
pub async fn until(client: &Client, stream: &str, what: impl Fn(&PersistentSubscriptionInfo<u64>) -> bool) {
    let deadline = tokio::time::Instant::now() + LIMIT;
    loop {
        let info = client.get_persistent_subscription_info(stream, "g", &Default::default()).await;
        let info = info.expect("info");
        if what(&info) {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{info:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
