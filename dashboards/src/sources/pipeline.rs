//! The telemetry pipeline: the collector, Prometheus, Loki and Tempo, each by what it says about itself.

use super::{Label, Metric, Page, Proof, Source, counter, gauge, histogram};

/// Why most of the pipeline is not run.
const NO_PACKAGE: Proof = Proof::Syntax("no package has the program");

/// The names that Prometheus' conventions ask for, with units and `_total`. Which of them the collector gives depends on its version
/// unless its reader says `without_type_suffix: false` and `without_units: false`.
pub(super) const COLLECTOR: Source = Source {
    job: "otel-collector",
    proof: NO_PACKAGE,
    pages: &[
        Page {
            url: "https://github.com/open-telemetry/opentelemetry-collector/blob/main/receiver/receiverhelper/documentation.md",
            metrics: RECEIVERS,
        },
        Page {
            url: "https://github.com/open-telemetry/opentelemetry-collector/blob/main/exporter/exporterhelper/documentation.md",
            metrics: EXPORTERS,
        },
        Page {
            url: "https://github.com/open-telemetry/opentelemetry-collector/blob/main/service/documentation.md",
            metrics: &[gauge("otelcol_process_memory_rss_bytes", &[])],
        },
    ],
};

const RECEIVERS: &[Metric] = &[
    counter("otelcol_receiver_accepted_spans_total", &[]),
    counter("otelcol_receiver_accepted_log_records_total", &[]),
    counter("otelcol_receiver_accepted_metric_points_total", &[]),
    counter("otelcol_receiver_refused_spans_total", &[]),
    counter("otelcol_receiver_refused_log_records_total", &[]),
    counter("otelcol_receiver_refused_metric_points_total", &[]),
];

const EXPORTER: &[Label] = &[Label("exporter", &[])];

const EXPORTERS: &[Metric] = &[
    counter("otelcol_exporter_sent_spans_total", EXPORTER),
    counter("otelcol_exporter_sent_log_records_total", EXPORTER),
    counter("otelcol_exporter_sent_metric_points_total", EXPORTER),
    counter("otelcol_exporter_send_failed_spans_total", EXPORTER),
    counter("otelcol_exporter_send_failed_log_records_total", EXPORTER),
    counter("otelcol_exporter_send_failed_metric_points_total", EXPORTER),
    counter("otelcol_exporter_enqueue_failed_spans_total", EXPORTER),
    counter("otelcol_exporter_enqueue_failed_log_records_total", EXPORTER),
    counter("otelcol_exporter_enqueue_failed_metric_points_total", EXPORTER),
    gauge("otelcol_exporter_queue_size", EXPORTER),
    gauge("otelcol_exporter_queue_capacity", EXPORTER),
];

/// Only what both 2.42, which the tests run, and 3 serve.
pub(super) const PROMETHEUS: Source = Source {
    job: "prometheus",
    proof: Proof::Answer,
    pages: &[Page {
        url: "https://github.com/prometheus/prometheus/tree/main/documentation/prometheus-mixin",
        metrics: &[
            gauge("prometheus_config_last_reload_successful", &[]),
            gauge("prometheus_tsdb_head_series", &[]),
            counter("prometheus_tsdb_head_samples_appended_total", &[]),
            gauge("prometheus_tsdb_storage_blocks_bytes", &[]),
            // A summary: its percentiles are worked out within the program, and cannot be put together.
            gauge(
                "prometheus_engine_query_duration_seconds",
                &[
                    Label("slice", &["inner_eval", "prepare_time", "queue_time", "result_sort"]),
                    Label("quantile", &["0.5", "0.9", "0.99"]),
                ],
            ),
            gauge("prometheus_rule_group_last_duration_seconds", &[Label("rule_group", &[])]),
            counter("prometheus_rule_evaluation_failures_total", &[Label("rule_group", &[])]),
            counter("prometheus_rule_group_iterations_missed_total", &[Label("rule_group", &[])]),
        ],
    }],
};

pub(super) const LOKI: Source = Source {
    job: "loki",
    proof: NO_PACKAGE,
    pages: &[Page {
        url: "https://grafana.com/docs/loki/latest/operations/meta-monitoring/metrics/",
        metrics: &[
            counter("loki_distributor_lines_received_total", &[]),
            counter("loki_distributor_bytes_received_total", &[]),
            counter("loki_discarded_samples_total", &[Label("reason", &[])]),
            histogram("loki_request_duration_seconds", &[Label("route", &[]), Label("status_code", &[])]),
            gauge("loki_ingester_memory_streams", &[]),
            gauge("loki_ingester_flush_queue_length", &[]),
            counter("loki_panic_total", &[]),
        ],
    }],
};

pub(super) const TEMPO: Source = Source {
    job: "tempo",
    proof: NO_PACKAGE,
    pages: &[
        Page {
            url: "https://grafana.com/docs/tempo/latest/operations/manage-trace-ingestion/",
            metrics: &[counter(
                "tempo_discarded_spans_total",
                &[Label(
                    "reason",
                    &[
                        "rate_limited",
                        "trace_too_large",
                        "live_traces_exceeded",
                        "invalid_trace_id",
                        "invalid_span_id",
                        "trace_too_large_to_compact",
                        "unknown_error",
                    ],
                )],
            )],
        },
        Page {
            url: "https://grafana.com/docs/tempo/latest/troubleshooting/querying/unable-to-see-trace/",
            metrics: &[
                counter("tempo_distributor_spans_received_total", &[]),
                histogram("tempo_request_duration_seconds", &[Label("route", &[])]),
            ],
        },
    ],
};
