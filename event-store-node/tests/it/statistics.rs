//! What the node tells of itself, through the official client.

use std::time::Duration;

use eventstore::operations::{self, StatsOptions};
use eventstore::{ExpectedRevision, PersistentSubscriptionOptions};

use crate::support::{events, expect, start, within};

#[tokio::test]
async fn the_node_tells_what_it_has_written_and_goes_on_telling() {
    let running = start().await;
    let groups = PersistentSubscriptionOptions::default();
    running.client.create_persistent_subscription("told-1", "group", &groups).await.expect("a group");
    let client = operations::Client::from(running.client.clone());
    let options = StatsOptions::default().refresh_time(Duration::from_millis(1));
    let mut stats = client.stats(&options).await.expect("an answer");
    let first = within(stats.next()).await.expect("statistics").0;
    let number = |name: &str| first[name].parse::<u64>().expect("a number");
    assert_eq!((number("persistent-groups"), number("persistent-parked-messages")), (1, 0));
    assert_eq!(first["log-has-failed"], "false");
    assert!(number("log-disk-bytes") >= 1024 * 1024 && number("index-disk-bytes") > 0, "{first:?}");
    assert!(
        number("syncs") >= 1 && first["sync-seconds"].parse::<f64>().expect("seconds") > 0.0,
        "{first:?}"
    );

    let any = expect(ExpectedRevision::Any);
    running.client.append_to_stream("told-1", &any, events(0..7)).await.expect("appended");
    let grown = async {
        loop {
            let next = stats.next().await.expect("statistics").0;
            if next["written-events"].parse::<u64>().expect("a number") >= number("written-events") + 7 {
                return next;
            }
        }
    };
    let next = within(grown).await;
    assert!(next["log-position"].parse::<u64>().expect("a number") > number("log-position"), "{next:?}");
    running.node.shutdown().await;
    let ended = async { while stats.next().await.is_ok() {} };
    within(ended).await;
}
