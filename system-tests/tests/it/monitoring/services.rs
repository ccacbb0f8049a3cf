//! What is measured when something is wrong with a service beside Headwater, and when it only looks like it.

use super::cases::{Case, case};

/// As [`super::cases::CAUSES`], of the services beside Headwater.
pub(super) const CAUSES: &[Case] = &[
    case(
        "Postgres has nearly no connections left",
        10,
        &[
            (r#"pg_stat_activity_count{instance="p",datname="shop",state="idle"}"#, "20x20"),
            (r#"pg_stat_activity_count{instance="p",datname="shop",state="active"}"#, "10 36x20"),
            (r#"pg_settings_max_connections{instance="p"}"#, "64x20"),
            (r#"pg_settings_superuser_reserved_connections{instance="p"}"#, "3x20"),
        ],
        &[("PostgresConnectionsUsedUp", "page")],
    ),
    case(
        "of two Postgres each has half of its connections left",
        10,
        &[
            (r#"pg_stat_activity_count{instance="p",datname="shop",state="idle"}"#, "30x20"),
            (r#"pg_settings_max_connections{instance="p"}"#, "64x20"),
            (r#"pg_settings_superuser_reserved_connections{instance="p"}"#, "3x20"),
            (r#"pg_stat_activity_count{instance="q",datname="shop",state="idle"}"#, "30x20"),
            (r#"pg_settings_max_connections{instance="q"}"#, "64x20"),
            (r#"pg_settings_superuser_reserved_connections{instance="q"}"#, "3x20"),
        ],
        &[],
    ),
    case(
        "many connections are needed for a moment",
        7,
        &[
            (r#"pg_stat_activity_count{instance="p",datname="shop",state="active"}"#, "20x3 60x3 20x20"),
            (r#"pg_settings_max_connections{instance="p"}"#, "64x30"),
            (r#"pg_settings_superuser_reserved_connections{instance="p"}"#, "3x30"),
        ],
        &[],
    ),
    case(
        "a part of the pipeline is away",
        10,
        &[(r#"up{job="tempo",instance="t"}"#, "1 0x20"), (r#"up{job="loki",instance="l"}"#, "1x20")],
        &[("ServiceDown", "ticket")],
    ),
    case(
        "the exporter answers, and Postgres does not",
        10,
        &[
            (r#"up{job="postgres",instance="p"}"#, "1x20"),
            (r#"pg_up{job="postgres",instance="p"}"#, "1 0x20"),
        ],
        &[("ServiceDown", "ticket")],
    ),
    case(
        "a part of the pipeline is started anew",
        9,
        &[(r#"up{job="otel-collector",instance="c"}"#, "1x5 0x3 1x20")],
        &[],
    ),
    case(
        "the collector refuses spans",
        40,
        &[(r#"otelcol_receiver_refused_spans_total{instance="c",receiver="otlp"}"#, "0+5x50")],
        &[("TelemetryDropped", "ticket")],
    ),
    case(
        "the collector has no room for log lines",
        40,
        &[(r#"otelcol_exporter_enqueue_failed_log_records_total{instance="c",exporter="loki"}"#, "0+5x50")],
        &[("TelemetryDropped", "ticket")],
    ),
    case(
        "Prometheus takes no metrics from the collector, and Tempo does not take all spans",
        40,
        &[
            (r#"otelcol_exporter_send_failed_metric_points_total{instance="c",exporter="p"}"#, "0+5x50"),
            (r#"otelcol_exporter_send_failed_spans_total{instance="c",exporter="tempo"}"#, "0+1x50"),
        ],
        &[("TelemetryDropped", "ticket")],
    ),
    case(
        "the collector lost something once",
        34,
        &[(r#"otelcol_exporter_send_failed_log_records_total{instance="c",exporter="loki"}"#, "0x20 500x30")],
        &[],
    ),
    case(
        "the collector passes on what it takes",
        40,
        &[
            (r#"otelcol_receiver_accepted_spans_total{instance="c",receiver="otlp"}"#, "0+500x50"),
            (r#"otelcol_exporter_sent_spans_total{instance="c",exporter="tempo"}"#, "0+500x50"),
            (r#"otelcol_exporter_send_failed_spans_total{instance="c",exporter="tempo"}"#, "0x50"),
            (r#"otelcol_exporter_queue_size{instance="c",exporter="tempo"}"#, "3x50"),
        ],
        &[],
    ),
];
