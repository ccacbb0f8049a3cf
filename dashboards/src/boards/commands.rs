//! The command side.

use crate::board::{Board, Row, Whose};
use crate::panel::{lines, stat};

pub(super) fn board() -> Board {
    Board {
        uid: "headwater-commands",
        title: "Headwater: commands",
        description: "Commands over REST: how many, what becomes of them, how long they take, and where they collide.",
        whose: Whose::Headwater,
        rows: vec![now(), outcome(), conflicts()],
    }
}

fn now() -> Row {
    Row::new(
        "Now",
        [
            stat("Commands", "reqps", "Commands a second.")
                .query("commands", "sum(rate(command_duration_seconds_count{@}[$__rate_interval]))"),
            stat("Without an answer", "percentunit", "The share of writing requests that ended in 429 or 5xx.")
                .query(
                    "share",
                    r#"(sum(rate(http_server_request_duration_seconds_count{@, method!="GET", route=~"/v1/.*", job!="headwater-sandbox", status=~"429|5.."}[$__rate_interval])) or vector(0)) / (sum(rate(http_server_request_duration_seconds_count{@, method!="GET", route=~"/v1/.*", job!="headwater-sandbox"}[$__rate_interval])) > 0)"#,
                )
                .thresholds(0.001, 0.01)
                .runbook("CommandAvailabilityBurn"),
            stat("p99", "s", "99 of 100 commands are answered within this time.")
                .query(
                    "p99",
                    "histogram_quantile(0.99, sum by (le) (rate(command_duration_seconds_bucket{@}[$__rate_interval])))",
                )
                .thresholds(0.1, 0.25)
                .runbook("CommandLatencyBurn"),
            stat("Under way", "none", "Requests that are being answered right now.")
                .query("requests", "sum(http_server_active_requests{@})"),
        ],
    )
}

fn outcome() -> Row {
    Row::new(
        "What becomes of them",
        [
            lines("By outcome", "reqps", "Accepted ones wrote events; rejected and noop ones are answers, too.")
                .query(
                    "{{outcome}}",
                    "sum by (outcome) (rate(command_duration_seconds_count{@}[$__rate_interval]))",
                ),
            lines("By command", "reqps", "Which commands are given.").query(
                "{{command}}",
                "sum by (command) (rate(command_duration_seconds_count{@}[$__rate_interval]))",
            ),
            lines("Time to answer", "s", "From a command to its answer, the durable append included.")
                .percentiles("command_duration_seconds", "@")
                .thresholds(0.1, 0.25)
                .runbook("CommandLatencyBurn"),
            lines("Slowest commands", "s", "The 99th percentile of each command.").query(
                "{{command}}",
                "histogram_quantile(0.99, sum by (le, command) (rate(command_duration_seconds_bucket{@}[$__rate_interval])))",
            ),
            lines("Turned away", "reqps", "Commands that were answered with 429 because too many were under way.")
                .query("overload", "sum(rate(command_overloaded_total{@}[$__rate_interval]))")
                .runbook("CommandAvailabilityBurn"),
            lines("Answers by status", "reqps", "Writing requests by status.").query(
                "{{status}}",
                r#"sum by (status) (rate(http_server_request_duration_seconds_count{@, method!="GET", route=~"/v1/.*", job!="headwater-sandbox"}[$__rate_interval]))"#,
            ),
        ],
    )
}

fn conflicts() -> Row {
    Row::new(
        "Streams",
        [
            lines(
                "Conflicts",
                "ops",
                "Appends that lost against another process writing to the same stream, and decisions taken anew after that.",
            )
            .query(
                "conflicts {{aggregate}}",
                "sum by (aggregate) (rate(command_conflicts_total{@}[$__rate_interval]))",
            )
            .query(
                "retries {{aggregate}}",
                "sum by (aggregate) (rate(command_retries_total{@}[$__rate_interval]))",
            ),
            lines(
                "Events replayed",
                "none",
                "Events folded to load an aggregate that was not in memory: long streams ask for snapshots.",
            )
            .query(
                "p99 {{aggregate}}",
                "histogram_quantile(0.99, sum by (le, aggregate) (rate(aggregate_events_replayed_bucket{@}[$__rate_interval])))",
            ),
        ],
    )
}
