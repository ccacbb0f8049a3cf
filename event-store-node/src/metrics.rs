//! Metrics of the node: what its storage writes and how long that takes.

use std::time::Duration;

use ::metrics::{counter, gauge, histogram};

/// A group was written and synced.
pub(crate) fn group_written(appends: usize, events: usize, bytes: usize, write: Duration, sync: Duration) {
    histogram!("node_log_write_duration_seconds").record(write.as_secs_f64());
    histogram!("node_log_sync_duration_seconds").record(sync.as_secs_f64());
    histogram!("node_log_group_appends").record(appends as f64);
    counter!("node_log_events_total").increment(events as u64);
    counter!("node_log_written_bytes_total").increment(bytes as u64);
}

/// How far the log reaches.
pub(crate) fn head(position: u64) {
    gauge!("node_log_position").set(position as f64);
}

/// Whether the log stopped taking appends after a failure.
pub(crate) fn writer_failed(failed: bool) {
    gauge!("node_log_failed").set(if failed { 1.0 } else { 0.0 });
}

/// An append was answered.
pub(crate) fn append_answered(outcome: &'static str, duration: Duration) {
    histogram!("node_append_duration_seconds", "outcome" => outcome).record(duration.as_secs_f64());
}

/// Counts a subscription as long as it lives.
#[derive(Debug)]
pub(crate) struct SubscriptionCount(&'static str);

impl SubscriptionCount {
    /// A subscription to a `stream` or to `all`.
    pub(crate) fn new(kind: &'static str) -> Self {
        gauge!("node_subscriptions", "kind" => kind).increment(1.0);
        Self(kind)
    }
}

impl Drop for SubscriptionCount {
    fn drop(&mut self) {
        gauge!("node_subscriptions", "kind" => self.0).decrement(1.0);
    }
}
