//! What is promised: objectives over thirty days, each with the share of events that may be bad, and the burn rates that
//! wake somebody (four pairs of windows, after the method that Google's workbook on reliability gives).

/// An objective.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slo {
    /// Its name in the label `slo`.
    pub name: &'static str,
    /// The alerts on it.
    pub alert: &'static str,
    /// What is promised, for people.
    pub promise: &'static str,
    /// The share of good events that is promised.
    pub objective: f64,
    /// Bad events a second, as an expression with `<W>` for the window.
    pub bad: &'static str,
    /// All events a second, likewise.
    pub all: &'static str,
    /// The dashboard on which one looks first.
    pub dashboard: &'static str,
}

/// Every objective.
pub const SLOS: &[Slo] = &[
    Slo {
        name: "command-availability",
        alert: "CommandAvailabilityBurn",
        promise: "99.9 % of commands are answered; a rejection is an answer, 429 and 5xx are none",
        objective: 0.999,
        bad: r#"sum(rate(http_server_request_duration_seconds_count{method!="GET", route=~"/v1/.*", job!="headwater-sandbox", status=~"429|5.."}[<W>])) or vector(0)"#,
        all: r#"sum(rate(http_server_request_duration_seconds_count{method!="GET", route=~"/v1/.*", job!="headwater-sandbox"}[<W>]))"#,
        dashboard: "headwater-commands",
    },
    Slo {
        name: "command-latency",
        alert: "CommandLatencyBurn",
        promise: "99 % of commands are answered within 250 ms",
        objective: 0.99,
        bad: r#"sum(rate(command_duration_seconds_count[<W>])) - sum(rate(command_duration_seconds_bucket{le="0.25"}[<W>]))"#,
        all: "sum(rate(command_duration_seconds_count[<W>]))",
        dashboard: "headwater-commands",
    },
    Slo {
        name: "query-availability",
        alert: "QueryAvailabilityBurn",
        promise: "99.9 % of queries are answered without an error of ours",
        objective: 0.999,
        bad: r#"(sum(rate(http_server_request_duration_seconds_count{route="/graphql", status=~"429|5.."}[<W>])) or vector(0)) + (sum(rate(graphql_failed_answers_total[<W>])) or vector(0))"#,
        all: r#"sum(rate(http_server_request_duration_seconds_count{route="/graphql"}[<W>]))"#,
        dashboard: "headwater-queries",
    },
    Slo {
        name: "query-latency",
        alert: "QueryLatencyBurn",
        promise: "99 % of queries are answered within 250 ms",
        objective: 0.99,
        bad: r#"sum(rate(graphql_operation_duration_seconds_count[<W>])) - sum(rate(graphql_operation_duration_seconds_bucket{le="0.25"}[<W>]))"#,
        all: "sum(rate(graphql_operation_duration_seconds_count[<W>]))",
        dashboard: "headwater-queries",
    },
    Slo {
        name: "freshness",
        alert: "FreshnessBurn",
        promise: "99 % of events are readable in the views within 2 s",
        objective: 0.99,
        bad: r#"sum(rate(projection_event_visible_delay_seconds_count[<W>])) - sum(rate(projection_event_visible_delay_seconds_bucket{le="2"}[<W>]))"#,
        all: "sum(rate(projection_event_visible_delay_seconds_count[<W>]))",
        dashboard: "headwater-projections",
    },
];

/// Two windows in which the budget must burn faster than a factor: the long one shows that it matters, the short one that
/// it still goes on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Burn {
    /// The long window.
    pub long: &'static str,
    /// The short window.
    pub short: &'static str,
    /// How many times faster than what would just use up the budget.
    pub factor: f64,
}

/// What wakes somebody: two and five per cent of the month's budget, in an hour and in six.
pub const PAGE: [Burn; 2] =
    [Burn { long: "1h", short: "5m", factor: 14.4 }, Burn { long: "6h", short: "30m", factor: 6.0 }];

/// What waits for the morning: ten per cent, in a day and in three.
pub const TICKET: [Burn; 2] =
    [Burn { long: "1d", short: "2h", factor: 3.0 }, Burn { long: "3d", short: "6h", factor: 1.0 }];

/// Fewer events a second than this, over an hour, are too few to judge by: eleven in the hour.
pub const FEW: f64 = 0.003;

/// Every window in which the share of bad events is recorded.
pub const WINDOWS: [&str; 7] = ["5m", "30m", "1h", "2h", "6h", "1d", "3d"];

/// The name of the recorded share of bad events over a window.
#[must_use]
pub fn error_ratio(window: &str) -> String {
    format!("slo:error_ratio:rate{window}")
}
