//! What this crate measures.

use std::time::Duration;

use observability::metric::MetricUnit::{Bytes, Count, Seconds};
use observability::metric::{COUNT_BUCKETS, STORAGE_DURATION_BUCKETS};
use observability::{Label, MetricDef};

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
    MetricDef::histogram(
        APPEND_DURATION,
        Seconds,
        STORAGE_DURATION_BUCKETS,
        "Time from the first try of an append to its settled outcome",
    )
    .by(&[Label::one_of("result", &["written", "conflict", "unreachable", "unknown", "refused"])]),
    MetricDef::histogram(APPEND_EVENTS, Count, COUNT_BUCKETS, "Events of an append"),
    MetricDef::histogram(
        APPEND_BYTES,
        Bytes,
        &[256.0, 1_024.0, 4_096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0],
        "Bytes of an append: data, metadata and type names",
    ),
    MetricDef::counter(RECONNECTS, Count, "Subscriptions that lost their connection and began again"),
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

pub(crate) fn result_name(outcome: &Result<Appended, AppendError>) -> &'static str {
    match outcome {
        Ok(_) => "written",
        Err(AppendError::WrongRevision { .. }) => "conflict",
        Err(AppendError::Unreachable(_)) => "unreachable",
        Err(AppendError::Unknown(_)) => "unknown",
        Err(_) => "refused",
    }
}
