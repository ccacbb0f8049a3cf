//! The metrics of projections. Only the worker that folds a projection records them, but for its versions, which every
//! process that has it sees.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use contract::LogPosition;
use contract::status::{Stage, State};
use jiff::Timestamp;
use metrics::{counter, gauge, histogram};
use observability::metric::MetricUnit::{Bytes, Count, Seconds};
use observability::metric::{DURATION_BUCKETS, FRESHNESS_BUCKETS, STORAGE_DURATION_BUCKETS};
use observability::{Label, MetricDef};

use crate::build::Progress;
use crate::event::Recorded;
use crate::saga::{Census, DispatchError};
use crate::versions::VersionRow;
use crate::write::commit::Status;

const LAG: &str = "projection_lag_seconds";
const LAG_BYTES: &str = "projection_lag_bytes";
const EVENTS: &str = "projection_events_total";
const BATCH: &str = "projection_batch_seconds";
const CHECKPOINT: &str = "projection_checkpoint_position";
const STATE: &str = "projection_state";
const HEARTBEAT: &str = "projection_heartbeat_timestamp_seconds";
const VISIBLE_DELAY: &str = "projection_event_visible_delay_seconds";
const REBUILD_START: &str = "projection_rebuild_start_timestamp_seconds";
const REBUILD_POSITION: &str = "projection_rebuild_position";
const REBUILD_TARGET: &str = "projection_rebuild_target_position";
const REBUILD_EVENTS: &str = "projection_rebuild_events";
const REBUILD_ROWS: &str = "projection_rebuild_rows";
const VERSIONS: &str = "projection_versions";
const PARKED_KEYS: &str = "projection_parked_keys";
const PARKED_OLDEST: &str = "projection_parked_oldest_seconds";
const PARKED: &str = "projection_parked_total";
const RETRIES: &str = "projection_retries_total";
const SAGA_COMMANDS: &str = "saga_commands_total";
const SAGA_DISPATCH: &str = "saga_dispatch_seconds";
const SAGA_IN_FLIGHT: &str = "saga_commands_in_flight";
const SAGA_INSTANCES: &str = "saga_instances";
const SAGA_OUTBOX: &str = "saga_outbox_commands";
const SAGA_TIMEOUTS: &str = "saga_timeouts_total";
const SAGA_OLDEST_COMMAND: &str = "saga_oldest_command_seconds";

const PROJECTION: Label = Label::each("projection", "projection, sagas among them");
const SAGA: Label = Label::each("saga", "saga");

/// What the engine records.
pub const CATALOGUE: &[MetricDef] = &[
    MetricDef::gauge(
        LAG,
        Seconds,
        "age of the oldest event that the projection has not folded, 0 when it has folded all",
    )
    .by(&[PROJECTION]),
    MetricDef::gauge(
        LAG_BYTES,
        Bytes,
        "bytes of the log between the projection's checkpoint and the newest event that its process knows of",
    )
    .by(&[PROJECTION]),
    MetricDef::counter(
        EVENTS,
        Count,
        "events that the projection went past: applied to a row, skipped, parked with their row, or failed",
    )
    .by(&[
        PROJECTION,
        Label::each("event_type", "event type of the domain"),
        Label::one_of("result", &["applied", "skipped", "parked", "failed"]),
    ]),
    MetricDef::histogram(BATCH, Seconds, STORAGE_DURATION_BUCKETS, "time to load, fold and write one batch")
        .by(&[PROJECTION]),
    MetricDef::gauge(CHECKPOINT, Count, "log position up to which the projection has considered everything")
        .by(&[PROJECTION]),
    MetricDef::gauge(
        STATE,
        Count,
        "1 for the state that the projection is in, 0 for the others; all 0 where another process folds it",
    )
    .by(&[
        PROJECTION,
        Label::one_of("state", &["catching_up", "live", "failed", "needs_upgrade", "stopped"]),
    ]),
    MetricDef::gauge(HEARTBEAT, Seconds, "when the projection's worker last wrote its row, Unix time")
        .by(&[PROJECTION]),
    MetricDef::histogram(
        VISIBLE_DELAY,
        Seconds,
        FRESHNESS_BUCKETS,
        "time from recording an event to its rows being readable, of events folded live",
    )
    .by(&[PROJECTION]),
    MetricDef::gauge(
        REBUILD_START,
        Seconds,
        "when the version that this process is building was begun, Unix time; 0 when it builds none",
    )
    .by(&[PROJECTION]),
    MetricDef::gauge(
        REBUILD_POSITION,
        Count,
        "log position up to which history is folded into the version being built",
    )
    .by(&[PROJECTION]),
    MetricDef::gauge(
        REBUILD_TARGET,
        Count,
        "log position up to which history is to be folded before the version being built is compared",
    )
    .by(&[PROJECTION]),
    MetricDef::gauge(REBUILD_EVENTS, Count, "events folded into the version being built, or built last")
        .by(&[PROJECTION]),
    MetricDef::gauge(REBUILD_ROWS, Count, "rows written into the version being built, or built last")
        .by(&[PROJECTION]),
    MetricDef::gauge(
        VERSIONS,
        Count,
        "versions of the projection by stage; halted are those whose build stopped at what only a person can change",
    )
    .by(&[
        PROJECTION,
        Label::one_of("stage", &["building", "halted", "differs", "switching", "ready", "dropping"]),
    ]),
    MetricDef::gauge(
        PARKED_KEYS,
        Count,
        "rows and streams that are parked because an event could not be folded",
    )
    .by(&[PROJECTION]),
    MetricDef::gauge(
        PARKED_OLDEST,
        Seconds,
        "age of the oldest event that could not be folded, 0 when nothing is parked",
    )
    .by(&[PROJECTION]),
    MetricDef::counter(PARKED, Count, "times that a row or stream was parked").by(&[PROJECTION]),
    MetricDef::counter(
        RETRIES,
        Count,
        "decisions about parked rows and streams: folded, failed again, or nothing was parked any more",
    )
    .by(&[PROJECTION, Label::one_of("outcome", &["folded", "failed", "nothing"])]),
    MetricDef::counter(
        SAGA_COMMANDS,
        Count,
        "commands that the saga sent: done, not_yet, or failed; those but done are sent again",
    )
    .by(&[SAGA, Label::one_of("outcome", &["done", "not_yet", "failed"])]),
    MetricDef::histogram(
        SAGA_DISPATCH,
        Seconds,
        DURATION_BUCKETS,
        "time to carry one command of a saga out, or to fail",
    )
    .by(&[SAGA]),
    MetricDef::gauge(SAGA_IN_FLIGHT, Count, "commands of the saga that are being carried out").by(&[SAGA]),
    MetricDef::gauge(
        SAGA_INSTANCES,
        Count,
        "pieces of work that the saga has: running, stuck (refused and without an answer to it), or over",
    )
    .by(&[SAGA, Label::one_of("state", &["running", "stuck", "over"])]),
    MetricDef::gauge(
        SAGA_OUTBOX,
        Count,
        "commands of the saga that no event has answered yet, deadlines among them",
    )
    .by(&[SAGA]),
    MetricDef::gauge(
        SAGA_OLDEST_COMMAND,
        Seconds,
        "how long the command of the saga that has waited longest could have been carried out, 0 when none waits",
    )
    .by(&[SAGA]),
    MetricDef::counter(
        SAGA_TIMEOUTS,
        Count,
        "deadlines of the saga that passed: commands with a time of their own that no event withdrew before it",
    )
    .by(&[SAGA]),
];

fn seconds_since(moment: Timestamp) -> f64 {
    Timestamp::now().duration_since(moment).as_secs_f64().max(0.0)
}

/// What the row says now.
pub(crate) fn record_status(projection: &'static str, status: &Status, parked_since: Option<Timestamp>) {
    gauge!(LAG, "projection" => projection).set(status.pending_since.map_or(0.0, seconds_since));
    // Exact up to 2^53.
    #[allow(clippy::cast_precision_loss)]
    gauge!(CHECKPOINT, "projection" => projection).set(status.position.0 as f64);
    let behind = status.head.0.saturating_sub(status.position.0);
    #[allow(clippy::cast_precision_loss)]
    gauge!(LAG_BYTES, "projection" => projection).set(behind as f64);
    gauge!(HEARTBEAT, "projection" => projection).set(Timestamp::now().as_duration().as_secs_f64());
    record_state(projection, Some(status.state));
    #[allow(clippy::cast_precision_loss)]
    gauge!(PARKED_KEYS, "projection" => projection).set(status.parked as f64);
    gauge!(PARKED_OLDEST, "projection" => projection).set(parked_since.map_or(0.0, seconds_since));
}

/// This process does not fold the projection.
pub(crate) fn record_no_worker(projection: &'static str) {
    record_state(projection, None);
}

/// Another process folds the projection, and knows what this one knew; here it would stand for ever.
pub(crate) fn record_elsewhere(projection: &'static str) {
    for name in [LAG, LAG_BYTES, PARKED_KEYS, PARKED_OLDEST] {
        gauge!(name, "projection" => projection).set(0.0);
    }
}

fn record_state(projection: &'static str, is: Option<State>) {
    for state in State::ALL {
        let value = if Some(state) == is { 1.0 } else { 0.0 };
        gauge!(STATE, "projection" => projection, "state" => state.as_str().to_ascii_lowercase()).set(value);
    }
}

/// A batch was folded and written.
pub(crate) fn record_batch(projection: &'static str, took: Duration) {
    histogram!(BATCH, "projection" => projection).record(took.as_secs_f64());
}

/// Its events, each with whether a view folded it into a row; and the positions of those that wait somewhere.
pub(crate) fn record_events<E>(
    projection: &'static str,
    events: &[Arc<Recorded<E>>],
    (applied, waiting): (&[bool], &HashSet<LogPosition>),
    is_live: bool,
) {
    for (event, applied) in events.iter().zip(applied) {
        let result = match applied {
            _ if waiting.contains(&event.position) => "parked",
            true => "applied",
            false => "skipped",
        };
        let event_type = event.event_type.clone();
        counter!(EVENTS, "projection" => projection, "event_type" => event_type, "result" => result)
            .increment(1);
        if is_live {
            histogram!(VISIBLE_DELAY, "projection" => projection).record(seconds_since(event.recorded_at));
        }
    }
}

/// So many rows and streams were parked.
pub(crate) fn record_newly_parked(projection: &'static str, places: usize) {
    counter!(PARKED, "projection" => projection).increment(places as u64);
}

/// A decision was carried out; whether something is still parked there, none when nothing was.
pub(crate) fn record_retry(projection: &'static str, is_parked: Option<bool>) {
    let outcome = match is_parked {
        Some(false) => "folded",
        Some(true) => "failed",
        None => "nothing",
    };
    counter!(RETRIES, "projection" => projection, "outcome" => outcome).increment(1);
}

/// An event at which the projection stops.
pub(crate) fn record_failed_event(projection: &'static str, event_type: &str) {
    let event_type = event_type.to_owned();
    counter!(EVENTS, "projection" => projection, "event_type" => event_type, "result" => "failed")
        .increment(1);
}

/// A version begins to be built.
// Exact up to 2^53, here and below.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn record_build_begins(projection: &'static str, target: LogPosition) {
    gauge!(REBUILD_START, "projection" => projection).set(Timestamp::now().as_duration().as_secs_f64());
    gauge!(REBUILD_TARGET, "projection" => projection).set(target.0 as f64);
}

/// How far it is.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn record_build(projection: &'static str, progress: &Progress) {
    gauge!(REBUILD_POSITION, "projection" => projection).set(progress.position().0 as f64);
    gauge!(REBUILD_EVENTS, "projection" => projection).set(progress.events() as f64);
    gauge!(REBUILD_ROWS, "projection" => projection).set(progress.rows() as f64);
}

/// This process builds no version of the projection, or not any more.
pub(crate) fn record_no_build(projection: &'static str) {
    gauge!(REBUILD_START, "projection" => projection).set(0.0);
}

/// Which versions there are. Every process that has the projection says so, whoever works at them.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn record_versions(projection: &'static str, versions: &[VersionRow]) {
    let show = |stage: String, count: usize| {
        gauge!(VERSIONS, "projection" => projection, "stage" => stage).set(count as f64);
    };
    for stage in Stage::ALL {
        let is_there = |row: &&VersionRow| row.stage == stage && !row.is_halted;
        show(stage.as_str().to_ascii_lowercase(), versions.iter().filter(is_there).count());
    }
    show("halted".to_owned(), versions.iter().filter(|row| row.is_halted).count());
}

/// This process sends the commands of the saga.
pub(crate) fn record_dispatcher(saga: &'static str) {
    counter!(SAGA_TIMEOUTS, "saga" => saga).increment(0);
}

/// A command of a saga, which may have been a deadline, was sent.
pub(crate) fn record_dispatch(
    saga: &'static str,
    is_deadline: bool,
    outcome: &Result<(), DispatchError>,
    took: Duration,
) {
    if is_deadline && outcome.is_ok() {
        counter!(SAGA_TIMEOUTS, "saga" => saga).increment(1);
    }
    let outcome = match outcome {
        Ok(()) => "done",
        Err(DispatchError::NotYet) => "not_yet",
        Err(DispatchError::Failed(_)) => "failed",
    };
    counter!(SAGA_COMMANDS, "saga" => saga, "outcome" => outcome).increment(1);
    histogram!(SAGA_DISPATCH, "saga" => saga).record(took.as_secs_f64());
}

/// Sending a command of a saga ended by a panic.
pub(crate) fn record_dispatch_panic(saga: &'static str) {
    counter!(SAGA_COMMANDS, "saga" => saga, "outcome" => "failed").increment(1);
}

/// So many commands of a saga are under way.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn record_in_flight(saga: &'static str, commands: usize) {
    gauge!(SAGA_IN_FLIGHT, "saga" => saga).set(commands as f64);
}

/// What stands in a saga's table.
// Exact up to 2^53.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn record_census(saga: &'static str, census: Census) {
    for (state, rows) in [("running", census.running), ("stuck", census.stuck), ("over", census.over)] {
        gauge!(SAGA_INSTANCES, "saga" => saga, "state" => state).set(rows as f64);
    }
    gauge!(SAGA_OUTBOX, "saga" => saga).set(census.commands as f64);
    gauge!(SAGA_OLDEST_COMMAND, "saga" => saga).set(census.oldest_command_seconds);
}

/// This process does not run the saga.
pub(crate) fn record_no_dispatcher(saga: &'static str) {
    record_in_flight(saga, 0);
    record_census(saga, Census::default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_keeps_the_rules_of_naming() {
        assert_eq!(observability::metric::check(&[CATALOGUE]), Ok(()));
    }
}
