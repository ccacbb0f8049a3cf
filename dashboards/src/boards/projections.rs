//! The projections: behind or not, fresh or not, being rebuilt, parked.

use crate::board::{Board, Row, Whose};
use crate::panel::{lines, stat, table};

pub(super) fn board() -> Board {
    Board {
        uid: "headwater-projections",
        title: "Headwater: projections",
        description: "How far each projection is, how fresh what it shows is, its rebuild, and what is parked.",
        whose: Whose::Headwater,
        rows: vec![now(), lag(), work(), rebuild(), parked()],
    }
}

fn now() -> Row {
    Row::new(
        "Now",
        [
            table(
                "State",
                "none",
                "What the worker of each projection does: catching up, live, failed, or needing a newer binary.",
            )
            .query("{{projection}}", "max by (projection, state) (projection_state{@}) == 1")
            .runbook("ProjectionStopped"),
            stat("Last sign of life", "s", "How long ago the worker of each projection last wrote its row.")
                .query("{{projection}}", "time() - max by (projection) (projection_heartbeat_timestamp_seconds{@})")
                .thresholds(10.0, 30.0)
                .runbook("ProjectionWithoutWorker")
                .wide(),
        ],
    )
}

fn lag() -> Row {
    Row::new(
        "Behind",
        [
            lines(
                "In time",
                "s",
                "Age of the oldest event that the projection has not folded; 0 when there is none.",
            )
            .query("{{projection}}", "max by (projection) (projection_lag_seconds{@})")
            .thresholds(2.0, 30.0)
            .runbook("ProjectionLagGrowing"),
            lines("In bytes", "bytes", "Bytes of the log between its end and where the projection is.")
                .query("{{projection}}", "max by (projection) (projection_lag_bytes{@})"),
            lines(
                "Time until readable",
                "s",
                "From recording an event to its rows being readable, of live events.",
            )
            .percentiles("projection_event_visible_delay_seconds", "@")
            .thresholds(1.0, 2.0)
            .runbook("FreshnessBurn"),
            lines("Position", "none", "Where each projection is in the log.")
                .query("{{projection}}", "max by (projection) (projection_checkpoint_position{@})"),
        ],
    )
}

fn work() -> Row {
    Row::new(
        "Work",
        [
            lines("Events", "ops", "Events that each projection went past.").query(
                "{{projection}}",
                "sum by (projection) (rate(projection_events_total{@}[$__rate_interval]))",
            ),
            lines("What became of them", "ops", "Applied to a row, of no interest, waiting with a parked row, or failed.")
                .query("{{result}}", "sum by (result) (rate(projection_events_total{@}[$__rate_interval]))"),
            lines("By type", "ops", "The event types that are folded most.").query(
                "{{event_type}}",
                "topk(10, sum by (event_type) (rate(projection_events_total{@}[$__rate_interval])))",
            ),
            lines("Time of a batch", "s", "To load the rows, fold and write them in one transaction.").query(
                "p99 {{projection}}",
                "histogram_quantile(0.99, sum by (le, projection) (rate(projection_batch_seconds_bucket{@}[$__rate_interval])))",
            ),
        ],
    )
}

fn rebuild() -> Row {
    Row::new(
        "Rebuild",
        [
            lines("Done", "percentunit", "How much of history is folded into the version that is being built.")
                .query(
                    "{{projection}}",
                    "max by (projection) (projection_rebuild_position{@} / (projection_rebuild_target_position{@} > 0))",
                )
                .runbook("RebuildStalled"),
            lines(
                "Time left",
                "s",
                "At the pace of the last minutes; nothing while nothing is built or nothing moves.",
            )
            .query(
                "{{projection}}",
                "max by (projection) ((projection_rebuild_start_timestamp_seconds{@} > bool 0) * clamp_min(projection_rebuild_target_position{@} - projection_rebuild_position{@}, 0) / (deriv(projection_rebuild_position{@}[$__rate_interval]) > 0))",
            ),
            lines("Versions", "none", "Versions by stage: those that differ or are halted wait for a person.")
                .query(
                    "{{projection}} {{stage}}",
                    "max by (projection, stage) (projection_versions{@}) > 0",
                )
                .runbook("RebuildNeedsDecision")
                .wide(),
            lines("Events folded", "none", "Events folded into the version that is being built, or was built last.")
                .query("{{projection}}", "max by (projection) (projection_rebuild_events{@})"),
            lines("Rows written", "none", "Rows written into that version.")
                .query("{{projection}}", "max by (projection) (projection_rebuild_rows{@})"),
        ],
    )
}

fn parked() -> Row {
    Row::new(
        "Parked",
        [
            lines(
                "Parked rows and streams",
                "none",
                "Each waits for an event that could not be folded; all else goes on.",
            )
            .query("{{projection}}", "max by (projection) (projection_parked_keys{@})")
            .thresholds(1.0, 100.0)
            .runbook("RowsParked"),
            lines("Oldest", "s", "Age of the oldest event that could not be folded.")
                .query("{{projection}}", "max by (projection) (projection_parked_oldest_seconds{@})")
                .thresholds(600.0, 3_600.0)
                .runbook("RowsParkedLong"),
            lines("Newly parked", "ops", "How often something was parked.").query(
                "{{projection}}",
                "sum by (projection) (rate(projection_parked_total{@}[$__rate_interval]))",
            ),
            lines("Retries and skips", "ops", "What came of the decisions of people about parked rows.")
                .query(
                    "{{projection}} {{outcome}}",
                    "sum by (projection, outcome) (rate(projection_retries_total{@}[$__rate_interval]))",
                ),
        ],
    )
}
