//! Whether it works, and what was promised.

use crate::board::{Board, Row, Whose};
use crate::panel::{lines, stat, table};

pub(super) fn board() -> Board {
    Board {
        uid: "headwater-overview",
        title: "Headwater: overview",
        description: "Whether everything works, and how much of what was promised is left.",
        whose: Whose::Headwater,
        rows: vec![now(), promises(), traffic()],
    }
}

fn now() -> Row {
    Row::new(
        "Now",
        [
            stat("Processes", "none", "Processes that answer, of those that should.")
                .query("up", r#"sum(up{@, job=~"headwater.*"})"#)
                .query("of", r#"count(up{@, job=~"headwater.*"})"#)
                .runbook("TargetDown"),
            stat("Furthest behind", "s", "Age of the oldest event that some projection has not folded.")
                .query("lag", "max(projection_lag_seconds{@})")
                .thresholds(2.0, 30.0)
                .runbook("ProjectionLagGrowing"),
            stat("Parked", "none", "Rows and streams that wait because an event could not be folded.")
                .query("parked", "sum(max by (projection) (projection_parked_keys{@}))")
                .thresholds(1.0, 100.0)
                .runbook("RowsParked"),
            stat("Stuck sagas", "none", "Orders and returns that stand still until somebody helps.")
                .query("stuck", r#"sum(max by (saga) (saga_instances{@, state="stuck"}))"#)
                .thresholds(1.0, 20.0)
                .runbook("SagasStuck"),
            table("Alerts", "none", "What is firing now.")
                .query("{{alertname}}", r#"sum by (alertname, severity) (ALERTS{alertstate="firing"})"#),
            table("Versions", "none", "Which version runs where.")
                .query("{{version}}", "sum by (job, instance, version) (headwater_build_info{@})"),
        ],
    )
}

fn promises() -> Row {
    Row::new(
        "What was promised",
        [
            stat(
                "Budget left",
                "percentunit",
                "How much of what may go wrong in thirty days is left, for each promise.",
            )
            .query("{{slo}}", "slo:budget_left:ratio")
            .thresholds(0.5, 0.1)
            .wide(),
            lines(
                "Bad events, last hour",
                "percentunit",
                "The share of bad events over the last hour, for each promise.",
            )
            .query("{{slo}}", "slo:error_ratio:rate1h"),
            lines(
                "Burn rate",
                "none",
                "How many times faster than allowed the budget burns: 14.4 for an hour wakes somebody, 1 for three \
                 days makes a ticket.",
            )
            .query("{{slo}}", "slo:error_ratio:rate1h / on (slo) (1 - slo:objective:ratio)")
            .thresholds(1.0, 14.4),
        ],
    )
}

fn traffic() -> Row {
    Row::new(
        "Traffic",
        [
            lines("Requests", "reqps", "Requests to every HTTP server, by status.").query(
                "{{status}}",
                "sum by (status) (rate(http_server_request_duration_seconds_count{@}[$__rate_interval]))",
            ),
            lines(
                "Time to answer",
                "s",
                "How long requests take, from their head to the head of the answer.",
            )
            .percentiles("http_server_request_duration_seconds", "@"),
            lines("Events folded", "ops", "Events that the projections went past, live and in catching up.")
                .query(
                    "{{projection}}",
                    "sum by (projection) (rate(projection_events_total{@}[$__rate_interval]))",
                ),
            lines("Time until readable", "s", "From recording an event to its rows being readable.")
                .percentiles("projection_event_visible_delay_seconds", "@")
                .thresholds(1.0, 2.0)
                .runbook("FreshnessBurn"),
        ],
    )
}
