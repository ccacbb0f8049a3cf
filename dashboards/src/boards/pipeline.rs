//! The telemetry pipeline itself: whether what the other dashboards show is all there is.

use crate::board::{Board, Row, Whose};
use crate::panel::{Panel, lines, stat};

pub(super) fn board() -> Board {
    Board {
        uid: "headwater-telemetry",
        title: "Headwater: telemetry pipeline",
        description: "The collector, Prometheus, Loki and Tempo: whether what the other dashboards show is all there is.",
        whose: Whose::Others("otel-collector|prometheus|loki|tempo|grafana"),
        rows: vec![now(), collector(), prometheus(), loki(), tempo(), processes()],
    }
}

/// What goes through the collector, with the ending of its metrics' names.
const SIGNALS: [(&str, &str); 3] =
    [("spans", "spans"), ("log records", "log_records"), ("metric points", "metric_points")];

/// With the rate of one of the collector's counters for each signal.
fn each_signal(panel: Panel, counter: &str) -> Panel {
    SIGNALS.into_iter().fold(panel, |panel, (legend, signal)| {
        panel.query(legend, &format!("sum(rate(otelcol_{counter}_{signal}_total{{@}}[$__rate_interval]))"))
    })
}

/// With what an exporter has lost of each signal. What never happened has no series yet, and is zero.
fn lost(panel: Panel) -> Panel {
    SIGNALS.into_iter().fold(panel, |panel, (legend, signal)| {
        let [failed, no_room] = ["send_failed", "enqueue_failed"].map(|how| {
            format!("(sum(rate(otelcol_exporter_{how}_{signal}_total{{@}}[$__rate_interval])) or vector(0))")
        });
        panel.query(legend, &format!("{failed} + {no_room}"))
    })
}

fn now() -> Row {
    Row::new(
        "Now",
        [
            stat("Answer", "none", "Whether each part of the pipeline can be asked how it is.")
                .query(
                    "{{job}}",
                    r#"min by (job) (up{@, job=~"otel-collector|prometheus|loki|tempo|grafana"})"#,
                )
                .words(&[("0", "no"), ("1", "yes")])
                .thresholds(1.0, 0.5)
                .runbook("ServiceDown")
                .wide(),
            lost(stat("Lost", "ops", "What the collector could not pass on and has dropped."))
                .thresholds(0.001, 10.0)
                .runbook("TelemetryDropped"),
            stat("Fullest queue", "percentunit", "Of the collector's exporters; when one is full, what comes next is lost.")
                .query("{{exporter}}", "max by (exporter) (otelcol_exporter_queue_size{@} / (otelcol_exporter_queue_capacity{@} > 0))")
                .thresholds(0.5, 0.8)
                .runbook("TelemetryDropped"),
            stat("Series", "none", "Series that Prometheus has in memory.")
                .query("{{instance}}", "max by (instance) (prometheus_tsdb_head_series{@})")
                .thresholds(500_000.0, 1_000_000.0),
            stat("Configuration", "none", "Whether Prometheus could read its configuration and its rules.")
                .query("{{instance}}", "min by (instance) (prometheus_config_last_reload_successful{@})")
                .words(&[("0", "not read"), ("1", "read")])
                .thresholds(1.0, 0.5),
        ],
    )
}

fn collector() -> Row {
    Row::new(
        "Collector",
        [
            each_signal(lines("Taken", "ops", "What the collector took."), "receiver_accepted"),
            each_signal(
                lines("Refused", "ops", "What it refused, mostly for want of memory. Whoever sent it tries again a few times."),
                "receiver_refused",
            )
            .runbook("TelemetryDropped"),
            each_signal(lines("Passed on", "ops", "What Prometheus, Loki and Tempo have taken from it."), "exporter_sent"),
            lost(lines("Dropped", "ops", "What was refused too often, or found a full queue."))
                .runbook("TelemetryDropped"),
            lines("Queues", "percentunit", "How full the queue of each exporter is.")
                .query("{{exporter}}", "max by (exporter) (otelcol_exporter_queue_size{@} / (otelcol_exporter_queue_capacity{@} > 0))")
                .thresholds(0.5, 0.8)
                .runbook("TelemetryDropped"),
            lines("Memory of the collector", "bytes", "Near its limit it refuses what comes.")
                .query("{{instance}}", "max by (instance) (otelcol_process_memory_rss_bytes{@})"),
        ],
    )
}

fn prometheus() -> Row {
    Row::new(
        "Prometheus",
        [
            lines("Samples", "ops", "Samples that it took in.").query(
                "{{instance}}",
                "sum by (instance) (rate(prometheus_tsdb_head_samples_appended_total{@}[$__rate_interval]))",
            ),
            lines("On disk", "bytes", "Its blocks, without what the last hours have in memory.")
                .query("{{instance}}", "max by (instance) (prometheus_tsdb_storage_blocks_bytes{@})"),
            lines(
                "Rules without a result",
                "ops",
                "Rules that failed, and groups that were left out since the last round was not done.",
            )
            .query("failed", "sum(rate(prometheus_rule_evaluation_failures_total{@}[$__rate_interval]))")
            .query(
                "left out",
                "sum(rate(prometheus_rule_group_iterations_missed_total{@}[$__rate_interval]))",
            ),
            lines(
                "Time of a group of rules",
                "s",
                "Longer than the time between two rounds, rounds are left out.",
            )
            .query("{{rule_group}}", "max by (rule_group) (prometheus_rule_group_last_duration_seconds{@})")
            .thresholds(5.0, 15.0),
            lines("Time of a query", "s", "99 of 100 take no longer, by part.")
                .query(
                    "{{slice}}",
                    r#"max by (slice) (prometheus_engine_query_duration_seconds{@, quantile="0.99"})"#,
                )
                .wide(),
        ],
    )
}

fn loki() -> Row {
    Row::new(
        "Loki",
        [
            lines("Log lines", "ops", "Lines that it took.")
                .query("lines", "sum(rate(loki_distributor_lines_received_total{@}[$__rate_interval]))"),
            lines("Bytes of logs", "Bps", "Bytes that it took.")
                .query("bytes", "sum(rate(loki_distributor_bytes_received_total{@}[$__rate_interval]))"),
            lines("Discarded lines", "ops", "Lines that it threw away, by why.")
                .query("{{reason}}", "sum by (reason) (rate(loki_discarded_samples_total{@}[$__rate_interval]))")
                .runbook("TelemetryDropped"),
            lines("Failed requests", "ops", "Requests that it could not answer, and times that a part of it broke down.")
                .query(
                    "{{route}}",
                    r#"sum by (route) (rate(loki_request_duration_seconds_count{@, status_code=~"5.."}[$__rate_interval]))"#,
                )
                .query("broke down", "sum(rate(loki_panic_total{@}[$__rate_interval]))"),
            lines("Time to answer", "s", "99 of 100 requests take no longer, by route.")
                .query(
                    "{{route}}",
                    "histogram_quantile(0.99, sum by (le, route) (rate(loki_request_duration_seconds_bucket{@}[$__rate_interval])))",
                ),
            lines("In memory", "none", "Streams that are open, and pieces that wait to be written.")
                .query("streams", "sum(loki_ingester_memory_streams{@})")
                .query("to be written", "sum(loki_ingester_flush_queue_length{@})"),
        ],
    )
}

fn tempo() -> Row {
    Row::new(
        "Tempo",
        [
            lines("Spans", "ops", "Spans that it took.")
                .query("spans", "sum(rate(tempo_distributor_spans_received_total{@}[$__rate_interval]))"),
            lines("Discarded spans", "ops", "Spans that it threw away, by why.")
                .query("{{reason}}", "sum by (reason) (rate(tempo_discarded_spans_total{@}[$__rate_interval]))")
                .runbook("TelemetryDropped"),
            lines("Time to find", "s", "99 of 100 requests take no longer, by route.")
                .query(
                    "{{route}}",
                    "histogram_quantile(0.99, sum by (le, route) (rate(tempo_request_duration_seconds_bucket{@}[$__rate_interval])))",
                )
                .wide(),
        ],
    )
}

fn processes() -> Row {
    Row::new(
        "Processes",
        [
            lines("Memory", "bytes", "What each part has in memory.").query(
                "{{job}}",
                r#"sum by (job) (process_resident_memory_bytes{@, job=~"prometheus|loki|tempo|grafana"})"#,
            ),
            lines("Processor", "none", "Cores in use by each part.").query(
                "{{job}}",
                r#"sum by (job) (rate(process_cpu_seconds_total{@, job=~"prometheus|loki|tempo|grafana"}[$__rate_interval]))"#,
            ),
        ],
    )
}
