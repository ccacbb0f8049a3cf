//! What this crate measures: what the log writes and how long that takes, what appends meet, who is subscribed.

use std::time::Duration;

use ::metrics::{counter, gauge, histogram};
use observability::metric::MetricUnit::{Bytes, Count, Seconds};
use observability::metric::{COUNT_BUCKETS, STORAGE_DURATION_BUCKETS};
use observability::{Label, MetricDef};

use crate::consumer_group::{Counters, Group};

const APPEND_DURATION: &str = "headwater_node_append_duration_seconds";
const APPEND_EVENTS: &str = "headwater_node_append_events";
const READ_DURATION: &str = "headwater_node_read_duration_seconds";
const DISK: &str = "headwater_node_disk_bytes";
const PROJECTED: &str = "headwater_node_standard_projections_position";
const WRITE_DURATION: &str = "headwater_node_log_write_duration_seconds";
const SYNC_DURATION: &str = "headwater_node_log_sync_duration_seconds";
const GROUP_APPENDS: &str = "headwater_node_log_group_appends";
const EVENTS: &str = "headwater_node_log_events_total";
const WRITTEN_BYTES: &str = "headwater_node_log_written_bytes_total";
const POSITION: &str = "headwater_node_log_position";
const FAILED: &str = "headwater_node_log_failed";
const SUBSCRIPTIONS: &str = "headwater_node_subscriptions";
const GROUPS: &str = "headwater_node_persistent_sub_groups";
const GROUP_CONNECTIONS: &str = "headwater_node_persistent_sub_connections";
const IN_FLIGHT: &str = "headwater_node_persistent_sub_in_flight_messages";
const PARKED: &str = "headwater_node_persistent_sub_parked_messages";
const ITEMS: &str = "headwater_node_persistent_sub_items_total";
const PARK_REQUESTS: &str = "headwater_node_persistent_sub_park_message_requests_total";
const REPLAYS: &str = "headwater_node_persistent_sub_parked_message_replays_total";

const SCAVENGING: &str = "headwater_node_scavenging";
const SCAVENGES: &str = "headwater_node_scavenges_total";
const SCAVENGED_EVENTS: &str = "headwater_node_scavenged_events_total";
const SCAVENGED_BYTES: &str = "headwater_node_scavenged_bytes_total";

const OUTCOME: Label =
    Label::one_of("outcome", &["appended", "wrong_expected_revision", "stream_deleted", "failed"]);
const SCAVENGE_OUTCOMES: &[&str] = &["done", "stopped", "failed"];
const READ_OF: Label = Label::one_of("kind", &["stream", "all"]);

/// Every metric of this crate.
pub const CATALOGUE: &[MetricDef] = &[
    MetricDef::histogram(
        APPEND_DURATION,
        Seconds,
        STORAGE_DURATION_BUCKETS,
        "Time from an append's first byte to its answer",
    )
    .by(&[OUTCOME]),
    MetricDef::histogram(APPEND_EVENTS, Count, COUNT_BUCKETS, "Events that an append brings"),
    MetricDef::histogram(
        READ_DURATION,
        Seconds,
        STORAGE_DURATION_BUCKETS,
        "Time from a read's arrival to its first events",
    )
    .by(&[READ_OF]),
    MetricDef::gauge(DISK, Bytes, "What the log and its index take on disk")
        .by(&[Label::one_of("kind", &["log", "index"])]),
    MetricDef::histogram(
        WRITE_DURATION,
        Seconds,
        STORAGE_DURATION_BUCKETS,
        "Time to write a group of appends, without its sync",
    ),
    MetricDef::histogram(SYNC_DURATION, Seconds, STORAGE_DURATION_BUCKETS, "Time to sync a group of appends"),
    MetricDef::histogram(GROUP_APPENDS, Count, COUNT_BUCKETS, "Appends that shared a sync"),
    MetricDef::counter(EVENTS, Count, "Events written to the log"),
    MetricDef::counter(WRITTEN_BYTES, Bytes, "Bytes written to the log"),
    MetricDef::gauge(POSITION, Count, "Position of the newest event"),
    MetricDef::gauge(
        PROJECTED,
        Count,
        "Position up to which the standard projections have written their links",
    ),
    MetricDef::gauge(FAILED, Count, "1 when the log takes no more appends after a failure"),
    MetricDef::gauge(SUBSCRIPTIONS, Count, "Subscriptions to a stream or to everything that are open")
        .by(&[READ_OF]),
    MetricDef::gauge(GROUPS, Count, "Groups of persistent subscriptions"),
    MetricDef::gauge(GROUP_CONNECTIONS, Count, "Consumers connected to persistent subscriptions"),
    MetricDef::gauge(
        IN_FLIGHT,
        Count,
        "Events that consumers of persistent subscriptions have and have not answered",
    ),
    MetricDef::gauge(PARKED, Count, "Events that persistent subscriptions have parked"),
    MetricDef::counter(ITEMS, Count, "Events of persistent subscriptions by what became of them")
        .by(&[Label::one_of("outcome", &["sent", "acknowledged", "skipped", "retried"])]),
    MetricDef::counter(PARK_REQUESTS, Count, "Events that persistent subscriptions parked, by why")
        .by(&[Label::one_of("reason", &["client_nack", "max_retries"])]),
    MetricDef::counter(REPLAYS, Count, "Parked events that persistent subscriptions tried again"),
    MetricDef::gauge(SCAVENGING, Count, "1 while a scavenge is under way"),
    MetricDef::counter(SCAVENGES, Count, "Scavenges by how they ended")
        .by(&[Label::one_of("outcome", SCAVENGE_OUTCOMES)]),
    MetricDef::counter(SCAVENGED_EVENTS, Count, "Events that scavenges took away"),
    MetricDef::counter(SCAVENGED_BYTES, Bytes, "What the log takes less on disk by scavenges"),
];

/// A group was written and synced.
pub(crate) fn group_written(appends: usize, events: usize, bytes: usize, write: Duration, sync: Duration) {
    histogram!(WRITE_DURATION).record(write.as_secs_f64());
    histogram!(SYNC_DURATION).record(sync.as_secs_f64());
    histogram!(GROUP_APPENDS).record(appends as f64);
    counter!(EVENTS).increment(events as u64);
    counter!(WRITTEN_BYTES).increment(bytes as u64);
}

/// How far the log reaches.
pub(crate) fn head(position: u64) {
    gauge!(POSITION).set(position as f64);
}

/// How far the links of the standard projections are written.
pub(crate) fn projected(position: u64) {
    gauge!(PROJECTED).set(position as f64);
}

/// Whether the log stopped taking appends after a failure.
pub(crate) fn writer_failed(failed: bool) {
    gauge!(FAILED).set(if failed { 1.0 } else { 0.0 });
}

/// An append was answered.
pub(crate) fn append_answered(outcome: &'static str, duration: Duration) {
    histogram!(APPEND_DURATION, "outcome" => outcome).record(duration.as_secs_f64());
}

/// An append was taken on.
pub(crate) fn append_taken(events: usize) {
    histogram!(APPEND_EVENTS).record(events as f64);
}

/// A read of a `stream` or of `all` has its first events.
pub(crate) fn read_began(kind: &'static str, duration: Duration) {
    histogram!(READ_DURATION, "kind" => kind).record(duration.as_secs_f64());
}

/// What is on disk.
pub(crate) fn disk(log_bytes: u64, index_bytes: u64) {
    gauge!(DISK, "kind" => "log").set(log_bytes as f64);
    gauge!(DISK, "kind" => "index").set(index_bytes as f64);
}

/// No scavenge so far; said from the start, so that the first one shows as an increase.
pub(crate) fn no_scavenge_yet() {
    gauge!(SCAVENGING).set(0.0);
    scavenged(0, 0);
    for outcome in SCAVENGE_OUTCOMES {
        counter!(SCAVENGES, "outcome" => *outcome).increment(0);
    }
}

/// A scavenge is under way.
pub(crate) fn scavenge_began() {
    gauge!(SCAVENGING).set(1.0);
}

/// A scavenge took more away.
pub(crate) fn scavenged(events: u64, bytes: u64) {
    counter!(SCAVENGED_EVENTS).increment(events);
    counter!(SCAVENGED_BYTES).increment(bytes);
}

/// A scavenge has ended.
pub(crate) fn scavenge_ended(outcome: &'static str) {
    gauge!(SCAVENGING).set(0.0);
    counter!(SCAVENGES, "outcome" => outcome).increment(1);
}

/// Counts a subscription as long as it lives.
#[derive(Debug)]
pub(crate) struct SubscriptionCount(&'static str);

impl SubscriptionCount {
    /// A subscription to a `stream` or to `all`.
    pub(crate) fn new(kind: &'static str) -> Self {
        gauge!(SUBSCRIPTIONS, "kind" => kind).increment(1.0);
        Self(kind)
    }
}

impl Drop for SubscriptionCount {
    fn drop(&mut self) {
        gauge!(SUBSCRIPTIONS, "kind" => self.0).decrement(1.0);
    }
}

/// How many groups of persistent subscriptions there are.
pub(crate) fn groups(count: usize) {
    gauge!(GROUPS).set(count as f64);
}

/// What one group adds to the numbers of all, as long as it lives.
#[derive(Debug, Default)]
pub(crate) struct GroupMetrics {
    connections: f64,
    in_flight: f64,
    parked: f64,
    counters: Counters,
}

impl GroupMetrics {
    /// Shows how the group stands now.
    pub(crate) fn show<P: Clone>(&mut self, group: &Group<P>, connections: usize) {
        self.show_gauges(connections as f64, group.in_flight() as f64, group.parked() as f64);
        let (now, before) = (group.counters(), std::mem::replace(&mut self.counters, group.counters()));
        for (outcome, now, before) in [
            ("sent", now.sent, before.sent),
            ("acknowledged", now.acknowledged, before.acknowledged),
            ("skipped", now.skipped, before.skipped),
            ("retried", now.retried, before.retried),
        ] {
            if now > before {
                counter!(ITEMS, "outcome" => outcome).increment(now - before);
            }
        }
        for (reason, now, before) in [
            ("client_nack", now.parked_by_consumer, before.parked_by_consumer),
            ("max_retries", now.parked_by_retries, before.parked_by_retries),
        ] {
            if now > before {
                counter!(PARK_REQUESTS, "reason" => reason).increment(now - before);
            }
        }
        if now.replayed > before.replayed {
            counter!(REPLAYS).increment(now.replayed - before.replayed);
        }
    }

    fn show_gauges(&mut self, connections: f64, in_flight: f64, parked: f64) {
        for (name, now, before) in [
            (GROUP_CONNECTIONS, connections, &mut self.connections),
            (IN_FLIGHT, in_flight, &mut self.in_flight),
            (PARKED, parked, &mut self.parked),
        ] {
            if now != *before {
                gauge!(name).increment(now - *before);
                *before = now;
            }
        }
    }
}

impl Drop for GroupMetrics {
    fn drop(&mut self) {
        self.show_gauges(0.0, 0.0, 0.0);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_catalogue_keeps_to_the_rules() {
        observability::metric::check(&[super::CATALOGUE]).expect("a good catalogue");
    }
}
