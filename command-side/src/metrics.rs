//! What this crate measures.

use std::time::Duration;

use observability::metric::MetricUnit::{Count, Seconds};
use observability::metric::{COUNT_BUCKETS, DURATION_BUCKETS};
use observability::{Label, MetricDef};

use crate::executor::{CommandError, Done, How};

const DURATION: &str = "command_duration_seconds";
const CONFLICTS: &str = "command_conflicts_total";
const RETRIES: &str = "command_retries_total";
const REPLAYED: &str = "aggregate_events_replayed";
const OVERLOADED: &str = "command_overloaded_total";

const AGGREGATE: Label = Label::each("aggregate", "aggregate");

const OUTCOMES: &[&str] = &[
    "accepted",
    "noop",
    "repeated",
    "rejected",
    "precondition_failed",
    "invalid",
    "conflict",
    "unknown",
    "unavailable",
    "error",
];

/// Every metric of this crate.
pub const CATALOGUE: &[MetricDef] = &[
    MetricDef::histogram(DURATION, Seconds, DURATION_BUCKETS, "Time from a command to its answer")
        .by(&[Label::each("command", "command"), Label::one_of("outcome", OUTCOMES)]),
    MetricDef::counter(
        CONFLICTS,
        Count,
        "Appends that lost against another process writing to the same stream",
    )
    .by(&[AGGREGATE]),
    MetricDef::counter(RETRIES, Count, "Commands decided anew after such a conflict").by(&[AGGREGATE]),
    MetricDef::histogram(
        REPLAYED,
        Count,
        COUNT_BUCKETS,
        "Events folded to load an aggregate that was not in memory",
    )
    .by(&[AGGREGATE]),
    MetricDef::counter(OVERLOADED, Count, "Commands turned away because too many were under way"),
];

pub(crate) fn record_command(command: &'static str, took: Duration, outcome: &Result<Done, CommandError>) {
    metrics::histogram!(DURATION, "command" => command, "outcome" => outcome_name(outcome))
        .record(took.as_secs_f64());
}

pub(crate) fn record_conflict(aggregate: &'static str) {
    metrics::counter!(CONFLICTS, "aggregate" => aggregate).increment(1);
}

pub(crate) fn record_retry(aggregate: &'static str) {
    metrics::counter!(RETRIES, "aggregate" => aggregate).increment(1);
}

pub(crate) fn record_replayed(aggregate: &'static str, events: usize) {
    #[expect(clippy::cast_precision_loss, reason = "no stream has so many events")]
    metrics::histogram!(REPLAYED, "aggregate" => aggregate).record(events as f64);
}

pub(crate) fn record_overloaded() {
    metrics::counter!(OVERLOADED).increment(1);
}

fn outcome_name(outcome: &Result<Done, CommandError>) -> &'static str {
    match outcome {
        Ok(done) => match done.how {
            How::Written => "accepted",
            How::Unchanged => "noop",
            How::Repeated => "repeated",
        },
        Err(CommandError::Rejected { .. } | CommandError::PersonErased) => "rejected",
        Err(CommandError::PreconditionFailed { .. }) => "precondition_failed",
        Err(CommandError::KeyReused { .. } | CommandError::EventTooLarge { .. }) => "invalid",
        Err(CommandError::ConflictExhausted) => "conflict",
        Err(CommandError::OutcomeUnknown(_)) => "unknown",
        Err(CommandError::Unavailable(_)) => "unavailable",
        Err(CommandError::Internal(_)) => "error",
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_catalogue_keeps_the_rules() {
        observability::metric::check(&[super::CATALOGUE, event_store::metrics::CATALOGUE]).unwrap();
    }
}
