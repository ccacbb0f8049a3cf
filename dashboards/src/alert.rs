//! The alerts on causes. Those on objectives are worked out from [`crate::slo`].

/// Who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Somebody is woken.
    Page,
    /// Somebody looks in the morning.
    Ticket,
}

impl Severity {
    /// The value of the label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Ticket => "ticket",
        }
    }
}

/// An alert on a cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alert {
    /// Its name; the runbook has it too, in lower case with hyphens.
    pub name: &'static str,
    /// When it is true.
    pub expr: &'static str,
    /// For how long before somebody is told.
    pub for_: &'static str,
    /// Who.
    pub severity: Severity,
    /// One line, with the labels in it.
    pub summary: &'static str,
    /// The dashboard on which one looks first.
    pub dashboard: &'static str,
}

/// The runbook of an alert, from the top of the repository.
#[must_use]
pub fn runbook(alert: &str) -> String {
    let mut path = String::from("docs/runbooks/");
    for (at, letter) in alert.chars().enumerate() {
        if letter.is_ascii_uppercase() && at > 0 {
            path.push('-');
        }
        path.push(letter.to_ascii_lowercase());
    }
    path + ".md"
}

use Severity::{Page, Ticket};

/// What the collector refused, had no room for, or could not pass on, whichever of the three signals it was. What never happened
/// has no series, so that they cannot be added up.
const LOST: &str = "sum by (instance) (increase(otelcol_receiver_refused_spans_total[15m])) > 0 \
     or sum by (instance) (increase(otelcol_receiver_refused_log_records_total[15m])) > 0 \
     or sum by (instance) (increase(otelcol_receiver_refused_metric_points_total[15m])) > 0 \
     or sum by (instance) (increase(otelcol_exporter_enqueue_failed_spans_total[15m])) > 0 \
     or sum by (instance) (increase(otelcol_exporter_enqueue_failed_log_records_total[15m])) > 0 \
     or sum by (instance) (increase(otelcol_exporter_enqueue_failed_metric_points_total[15m])) > 0 \
     or sum by (instance) (increase(otelcol_exporter_send_failed_spans_total[15m])) > 0 \
     or sum by (instance) (increase(otelcol_exporter_send_failed_log_records_total[15m])) > 0 \
     or sum by (instance) (increase(otelcol_exporter_send_failed_metric_points_total[15m])) > 0";

/// Every alert on a cause.
pub const CAUSES: &[Alert] = &[
    Alert {
        name: "TargetDown",
        expr: r#"up{job=~"headwater.*"} == 0"#,
        for_: "2m",
        severity: Page,
        summary: "{{ $labels.job }} at {{ $labels.instance }} does not answer",
        dashboard: "headwater-overview",
    },
    Alert {
        name: "ProjectionStopped",
        expr: r#"max by (projection, state) (projection_state{state=~"failed|needs_upgrade"}) == 1"#,
        for_: "1m",
        severity: Page,
        summary: "projection {{ $labels.projection }} has stopped: {{ $labels.state }}",
        dashboard: "headwater-projections",
    },
    Alert {
        name: "ProjectionWithoutWorker",
        // The series of a process that is gone end after five minutes; what it said last must be remembered longer.
        expr: "time() - max by (projection) (max_over_time(projection_heartbeat_timestamp_seconds[6h])) > 30",
        for_: "1m",
        severity: Page,
        summary: "nobody folds projection {{ $labels.projection }}, for {{ $value | humanizeDuration }}",
        dashboard: "headwater-projections",
    },
    Alert {
        name: "ProjectionLagGrowing",
        expr: r#"max by (projection) (projection_lag_seconds) > 30 and max by (projection) (deriv(projection_lag_seconds[5m])) > 0 unless max by (projection) (projection_state{state=~"failed|needs_upgrade"}) == 1"#,
        for_: "5m",
        severity: Page,
        summary: "projection {{ $labels.projection }} is {{ $value | humanizeDuration }} behind and falls further behind",
        dashboard: "headwater-projections",
    },
    Alert {
        name: "RowsParked",
        expr: "max by (projection) (projection_parked_keys) > 0",
        for_: "5m",
        severity: Ticket,
        summary: "{{ $value }} rows or streams of projection {{ $labels.projection }} are parked",
        dashboard: "headwater-projections",
    },
    Alert {
        name: "RowsParkedLong",
        expr: "max by (projection) (projection_parked_oldest_seconds) > 3600",
        for_: "5m",
        severity: Page,
        summary: "an event of {{ $value | humanizeDuration }} ago waits to be folded in projection {{ $labels.projection }}",
        dashboard: "headwater-projections",
    },
    Alert {
        name: "RebuildStalled",
        expr: "max by (projection) (projection_rebuild_start_timestamp_seconds) > 0 and max by (projection) (changes(projection_rebuild_events[15m]) + changes(projection_rebuild_rows[15m]) + changes(projection_rebuild_position[15m])) == 0",
        for_: "5m",
        severity: Ticket,
        summary: "the rebuild of projection {{ $labels.projection }} does not move",
        dashboard: "headwater-projections",
    },
    Alert {
        name: "RebuildNeedsDecision",
        expr: r#"max by (projection, stage) (projection_versions{stage=~"halted|differs"}) > 0"#,
        for_: "1m",
        severity: Ticket,
        summary: "a version of projection {{ $labels.projection }} waits for a person: {{ $labels.stage }}",
        dashboard: "headwater-projections",
    },
    Alert {
        name: "SearchIndexBehind",
        expr: r#"max(projection_checkpoint_position{projection="catalogue"} offset 5m) > min(search_index_position)"#,
        for_: "5m",
        severity: Ticket,
        summary: "the search index does not follow its table",
        dashboard: "headwater-queries",
    },
    Alert {
        name: "SagasStuck",
        expr: r#"max by (saga) (saga_instances{state="stuck"}) > 0"#,
        for_: "5m",
        severity: Ticket,
        summary: "{{ $value }} pieces of work of saga {{ $labels.saga }} stand still",
        dashboard: "headwater-sagas",
    },
    Alert {
        name: "PaymentsFailing",
        expr: r#"sum(rate(gateway_call_duration_seconds_count{gateway="payment", outcome="unavailable"}[5m])) / (sum(rate(gateway_call_duration_seconds_count{gateway="payment"}[5m])) > 0) > 0.1"#,
        for_: "5m",
        severity: Page,
        summary: "{{ $value | humanizePercentage }} of the calls of the payment gateway get no answer",
        dashboard: "headwater-sagas",
    },
    Alert {
        name: "ShippingFailing",
        expr: r#"sum(rate(gateway_call_duration_seconds_count{gateway="shipping", outcome="unavailable"}[5m])) / (sum(rate(gateway_call_duration_seconds_count{gateway="shipping"}[5m])) > 0) > 0.1"#,
        for_: "5m",
        severity: Ticket,
        summary: "{{ $value | humanizePercentage }} of the calls of the shipping gateway get no answer",
        dashboard: "headwater-sagas",
    },
    Alert {
        name: "AppendsUnanswered",
        expr: r#"sum(rate(headwater_eventstore_append_duration_seconds_count{result=~"unreachable|unknown"}[5m])) > 0"#,
        for_: "2m",
        severity: Page,
        summary: "the event store does not answer appends",
        dashboard: "headwater-event-store",
    },
    Alert {
        name: "LogTakesNoAppends",
        expr: "max by (instance) (headwater_node_log_failed) == 1",
        for_: "0s",
        severity: Page,
        summary: "the node at {{ $labels.instance }} takes no appends until it is restarted",
        dashboard: "headwater-event-store",
    },
    Alert {
        name: "LogSyncSlow",
        expr: "histogram_quantile(0.99, sum by (instance, le) (rate(headwater_node_log_sync_duration_seconds_bucket[5m]))) > 0.1",
        for_: "10m",
        severity: Ticket,
        summary: "one in a hundred syncs of the log at {{ $labels.instance }} takes longer than {{ $value | humanizeDuration }}",
        dashboard: "headwater-event-store",
    },
    Alert {
        name: "SubscriptionsReconnecting",
        expr: "sum by (instance) (increase(headwater_subscription_reconnects_total[15m])) > 5",
        for_: "5m",
        severity: Ticket,
        summary: "subscriptions of {{ $labels.instance }} tried to connect {{ $value | humanize }} times in a quarter of an hour",
        dashboard: "headwater-event-store",
    },
    Alert {
        name: "DiskFilling",
        expr: "min by (instance) (headwater_disk_free_bytes / headwater_disk_size_bytes) < 0.1",
        for_: "5m",
        severity: Page,
        summary: "{{ $value | humanizePercentage }} of the disk of {{ $labels.instance }} are free",
        dashboard: "headwater-runtime",
    },
    Alert {
        name: "DiskFullWithinADay",
        expr: "min by (instance) (predict_linear(headwater_disk_free_bytes[6h], 86400)) < 0 and min by (instance) (headwater_disk_free_bytes / headwater_disk_size_bytes) < 0.4",
        for_: "30m",
        severity: Ticket,
        summary: "at this rate the disk of {{ $labels.instance }} is full within a day",
        dashboard: "headwater-runtime",
    },
    Alert {
        name: "DatabasePoolExhausted",
        expr: "sum by (instance) (rate(postgres_pool_timeouts_total[5m])) > 0 or min by (instance) (min_over_time(postgres_pool_waiting[5m])) > 0",
        for_: "2m",
        severity: Page,
        summary: "queries of {{ $labels.instance }} wait for connections to Postgres",
        dashboard: "headwater-runtime",
    },
    Alert {
        name: "PostgresConnectionsUsedUp",
        expr: "sum by (instance) (pg_stat_activity_count) / (max by (instance) (pg_settings_max_connections) - max by (instance) (pg_settings_superuser_reserved_connections)) > 0.9",
        for_: "5m",
        severity: Page,
        summary: "{{ $value | humanizePercentage }} of the connections of Postgres at {{ $labels.instance }} are in use",
        dashboard: "headwater-postgres",
    },
    Alert {
        name: "ServiceDown",
        // Prometheus is not among them: it cannot tell that it is away itself.
        expr: r#"up{job=~"postgres|kurrentdb|otel-collector|loki|tempo|grafana"} == 0 or pg_up == 0"#,
        for_: "5m",
        severity: Ticket,
        summary: "{{ $labels.job }} at {{ $labels.instance }} does not answer",
        dashboard: "headwater-telemetry",
    },
    Alert {
        name: "TelemetryDropped",
        expr: LOST,
        for_: "15m",
        severity: Ticket,
        summary: "the collector at {{ $labels.instance }} refuses telemetry or drops it",
        dashboard: "headwater-telemetry",
    },
    Alert {
        name: "TracesLost",
        expr: r#"sum by (instance) (increase(telemetry_spans_total{outcome="failed"}[15m])) > 0 or sum by (instance) (increase(telemetry_spans_total{outcome="ended"}[15m])) - sum by (instance) (increase(telemetry_spans_total{outcome=~"exported|failed"}[15m])) > 5000"#,
        for_: "15m",
        severity: Ticket,
        summary: "spans of {{ $labels.instance }} do not reach the collector",
        dashboard: "headwater-runtime",
    },
    Alert {
        name: "LogsLost",
        expr: r#"sum by (instance) (increase(telemetry_log_records_total{outcome="failed"}[15m])) > 0 or sum by (instance) (increase(telemetry_log_records_total{outcome="written"}[15m])) - sum by (instance) (increase(telemetry_log_records_total{outcome=~"exported|failed"}[15m])) > 5000"#,
        for_: "15m",
        severity: Ticket,
        summary: "log records of {{ $labels.instance }} do not reach the collector",
        dashboard: "headwater-runtime",
    },
];

#[cfg(test)]
mod tests {
    #[test]
    fn a_runbook_is_named_after_its_alert() {
        assert_eq!(super::runbook("RowsParkedLong"), "docs/runbooks/rows-parked-long.md");
    }
}
