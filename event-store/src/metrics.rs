//! What this crate measures.

use std::time::Duration;

use observability::metric::{COUNT_BUCKETS, STORAGE_DURATION_BUCKETS};
use observability::{MetricDef, MetricKind, MetricUnit};

use crate::append::Appended;
use crate::error::AppendError;

/// Time from the first try of an append to its settled outcome, by `result`.
pub const APPEND_DURATION: &str = "headwater_eventstore_append_duration_seconds";
/// Events of an append.
pub const APPEND_EVENTS: &str = "headwater_eventstore_append_events";
/// Bytes of an append: data, metadata and type names.
pub const APPEND_BYTES: &str = "headwater_eventstore_append_bytes";
/// Subscriptions that lost their connection and began again.
pub const RECONNECTS: &str = "headwater_subscription_reconnects_total";

/// Every metric of this crate.
pub const CATALOGUE: &[MetricDef] = &[
    MetricDef {
        name: APPEND_DURATION,
        kind: MetricKind::Histogram,
        unit: MetricUnit::Seconds,
        help: "Time from the first try of an append to its settled outcome",
        labels: &["result"],
        buckets: STORAGE_DURATION_BUCKETS,
    },
    MetricDef {
        name: APPEND_EVENTS,
        kind: MetricKind::Histogram,
        unit: MetricUnit::Count,
        help: "Events of an append",
        labels: &[],
        buckets: COUNT_BUCKETS,
    },
    MetricDef {
        name: APPEND_BYTES,
        kind: MetricKind::Histogram,
        unit: MetricUnit::Bytes,
        help: "Bytes of an append: data, metadata and type names",
        labels: &[],
        buckets: &[256.0, 1_024.0, 4_096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0],
    },
    MetricDef {
        name: RECONNECTS,
        kind: MetricKind::Counter,
        unit: MetricUnit::Count,
        help: "Subscriptions that lost their connection and began again",
        labels: &[],
        buckets: &[],
    },
];

pub(crate) fn record_append(
    took: Duration,
    events: usize,
    bytes: usize,
    outcome: &Result<Appended, AppendError>,
) {
    metrics::histogram!(APPEND_DURATION, "result" => result_name(outcome)).record(took.as_secs_f64());
    #[expect(clippy::cast_precision_loss, reason = "both are small")]
    let (events, bytes) = (events as f64, bytes as f64);
    metrics::histogram!(APPEND_EVENTS).record(events);
    metrics::histogram!(APPEND_BYTES).record(bytes);
}

pub(crate) fn record_reconnect() {
    metrics::counter!(RECONNECTS).increment(1);
}

fn result_name(outcome: &Result<Appended, AppendError>) -> &'static str {
    match outcome {
        Ok(_) => "written",
        Err(AppendError::WrongRevision { .. }) => "conflict",
        Err(AppendError::Unreachable(_)) => "unreachable",
        Err(AppendError::Unknown(_)) => "unknown",
        Err(_) => "refused",
    }
}
