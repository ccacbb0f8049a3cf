//! What groups keep over a stop and over a SIGKILL of the node.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use event_store_node::Node;
use eventstore::{NakAction, PersistentSubscriptionToAllOptions, StreamPosition, SubscriptionFilter};

use crate::persistent_support::{create, eager, join, next, number_of, refuse, take, until, write};
use crate::support::{LIMIT, client, config, start, within};

const DIR: &str = "HEADWATER_PERSISTENT_KILL_DIR";
const EVENTS: u64 = 400;

#[tokio::test(flavor = "multi_thread")]
async fn groups_checkpoints_and_parked_events_survive_a_restart() {
    let running = start().await;
    write(&running.client, "a-1", 0..6).await;
    // No checkpoint is due by these settings, but the node leaves one when it stops.
    let lazy = eager().checkpoint_lower_bound(100).checkpoint_upper_bound(1000).max_retry_count(42);
    create(&running.client, "a-1", &lazy).await;
    let ours = SubscriptionFilter::on_event_type().regex("^(?!\\$)");
    let to_all = PersistentSubscriptionToAllOptions::default().start_from(StreamPosition::Start).filter(ours);
    running.client.create_persistent_subscription_to_all("all", &to_all).await.expect("a group");
    let end = eager().start_from(StreamPosition::End);
    create(&running.client, "a-2", &end).await;
    write(&running.client, "a-2", 0..2).await;
    let mut consumer = join(&running.client, "a-1", 10).await;
    assert_eq!(take(&mut consumer, 2).await, [0, 1]);
    assert_eq!(refuse(&mut consumer, NakAction::Park).await, (2, 0));
    let (unanswered, _) = next(&mut consumer).await;
    assert_eq!(number_of(&unanswered), 3);
    assert_eq!(take(&mut consumer, 1).await, [4]);
    until(&running.client, "a-1", |info| {
        info.stats.parked_message_count == 1 && info.stats.total_in_flight_messages == 2
    })
    .await;
    running.node.shutdown().await;

    let node = within(Node::start(config(running.dir.path()))).await.expect("the node comes back");
    let again = client(&node);
    until(&again, "a-1", |info| {
        info.stats.last_checkpointed_event_revision == Some(2)
            && info.stats.parked_message_count == 1
            && info.settings.as_ref().is_some_and(|settings| settings.max_retry_count == 42)
    })
    .await;
    let mut consumer = join(&again, "a-1", 10).await;
    assert_eq!(take(&mut consumer, 3).await, [3, 4, 5]);
    again.replay_parked_messages("a-1", "g", &Default::default()).await.expect("replayed");
    assert_eq!(take(&mut consumer, 1).await, [2]);
    assert_eq!(take(&mut join(&again, "a-2", 10).await, 2).await, [0, 1]);
    let mut all = again
        .subscribe_to_persistent_subscription_to_all("all", &Default::default())
        .await
        .expect("a consumer");
    assert_eq!(take(&mut all, 8).await, [0, 1, 2, 3, 4, 5, 0, 1]);
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_reads_a_long_stream_after_a_restart() {
    let running = start().await;
    write(&running.client, "a-1", 0..700).await;
    create(&running.client, "a-1", &eager()).await;
    running.node.shutdown().await;
    let node = within(Node::start(config(running.dir.path()))).await.expect("the node comes back");
    let mut consumer = join(&client(&node), "a-1", 30).await;
    assert_eq!(take(&mut consumer, 700).await, (0..700).collect::<Vec<_>>());
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_replayed_when_the_node_stops_is_still_parked() {
    let running = start().await;
    write(&running.client, "a-1", 0..3).await;
    create(&running.client, "a-1", &eager()).await;
    let mut consumer = join(&running.client, "a-1", 10).await;
    for number in 0..3 {
        assert_eq!(refuse(&mut consumer, NakAction::Park).await, (number, 0));
    }
    until(&running.client, "a-1", |info| info.stats.parked_message_count == 3).await;
    running.client.replay_parked_messages("a-1", "g", &Default::default()).await.expect("replayed");
    assert_eq!(take(&mut consumer, 1).await, [0]);
    next(&mut consumer).await;
    until(&running.client, "a-1", |info| info.stats.total_in_flight_messages == 2).await;
    running.node.shutdown().await;

    let node = within(Node::start(config(running.dir.path()))).await.expect("the node comes back");
    let again = client(&node);
    until(&again, "a-1", |info| info.stats.parked_message_count == 2).await;
    again.replay_parked_messages("a-1", "g", &Default::default()).await.expect("replayed");
    let mut consumer = join(&again, "a-1", 10).await;
    assert_eq!(take(&mut consumer, 2).await, [1, 2]);
    node.shutdown().await;
}

/// A child serves a group whose consumer acknowledges, skips and parks, and says so, until it is killed; in the end
/// every event was dealt with or is parked, and whatever the child had not dealt with came again.
#[tokio::test(flavor = "multi_thread")]
async fn no_event_is_lost_to_a_killed_node() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut settled = BTreeSet::new();
    for answers in [60, 90, 120] {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "persistent_restart::child_that_is_killed", "--ignored", "--nocapture"])
            .env(DIR, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines().map_while(Result::ok);
        let (mut seen, mut killed) = (0, false);
        for line in lines {
            if let Some(number) = line.strip_prefix("settled ") {
                settled.insert(number.parse::<u64>().expect("a number"));
                seen += 1;
            }
            if seen >= answers && !killed {
                child.kill().expect("killed");
                killed = true;
            }
        }
        child.wait().expect("gone");
        assert!(killed, "the child ended by itself");
    }
    let node = within(Node::start(config(dir.path()))).await.expect("the node comes back");
    let again = client(&node);
    let mut consumer = join(&again, "a-1", 20).await;
    until(&again, "a-1", |info| info.stats.last_known_event_revision == Some(EVENTS - 1)).await;
    again.replay_parked_messages("a-1", "g", &Default::default()).await.expect("replayed");
    while settled.len() < EVENTS as usize {
        let (event, _) = next(&mut consumer).await;
        settled.insert(number_of(&event));
        consumer.ack(event).await.expect("acknowledged");
    }
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the test above, which kills it"]
async fn child_that_is_killed() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let node = Node::start(config(dir.as_ref())).await.expect("a node");
    let client = client(&node);
    let options = eager().message_timeout(Duration::from_millis(300)).max_retry_count(2);
    if client.create_persistent_subscription("a-1", "g", &options).await.is_ok() {
        write(&client, "a-1", 0..EVENTS).await;
    }
    let mut consumer = join(&client, "a-1", 10).await;
    // Nobody waits for ever for a child that comes to nothing.
    let began = std::time::Instant::now();
    while began.elapsed() < LIMIT {
        let (event, _) = next(&mut consumer).await;
        let number = number_of(&event);
        // Which events are retried and parked depends on the number only, so that some are parked in every life.
        match number % 7 {
            0 => consumer.nack(event, NakAction::Park, "a seventh").await.expect("refused"),
            // It comes again after its time.
            1 if number.is_multiple_of(2) => {}
            _ => {
                let mut out = std::io::stdout().lock();
                writeln!(out, "settled {number}").and_then(|()| out.flush()).expect("told");
                drop(out);
                consumer.ack(event).await.expect("acknowledged");
            }
        }
    }
}
