//! What is measured when something goes wrong, and when it only looks like it.

/// What was measured, minute by minute, and which alerts fire at the end of it.
pub(super) struct Case {
    pub(super) says: &'static str,
    /// When one looks, minutes from the beginning.
    pub(super) at: u32,
    /// Series and their values, in promtool's notation.
    pub(super) series: &'static [(&'static str, &'static str)],
    /// The alerts, with their severity; no others.
    pub(super) fires: &'static [(&'static str, &'static str)],
}

pub(super) const fn case(
    says: &'static str,
    at: u32,
    series: &'static [(&'static str, &'static str)],
    fires: &'static [(&'static str, &'static str)],
) -> Case {
    Case { says, at, series, fires }
}

/// For every alert on a cause one case or more in which it fires, and one in which it nearly does.
pub(super) const CAUSES: &[Case] = &[
    case(
        "a process is away",
        5,
        &[(r#"up{job="headwater",instance="a"}"#, "1x1 0x10")],
        &[("TargetDown", "page")],
    ),
    case("a process is away for a moment", 5, &[(r#"up{job="headwater",instance="a"}"#, "1x3 0 1x10")], &[]),
    case("a process of others is away", 5, &[(r#"up{job="other",instance="a"}"#, "0x10")], &[]),
    case(
        "a projection has failed",
        5,
        &[(r#"projection_state{projection="shop",state="failed",instance="a"}"#, "0 1x10")],
        &[("ProjectionStopped", "page")],
    ),
    case(
        "another process stands by",
        5,
        &[
            (r#"projection_state{projection="shop",state="live",instance="a"}"#, "1x10"),
            (r#"projection_state{projection="shop",state="failed",instance="b"}"#, "0x10"),
        ],
        &[],
    ),
    case(
        "a worker is gone with its process, and its series with it",
        30,
        &[(r#"projection_heartbeat_timestamp_seconds{projection="shop"}"#, "0+60x3 _x40")],
        &[("ProjectionWithoutWorker", "page")],
    ),
    case(
        "another worker has taken over",
        30,
        &[
            (r#"projection_heartbeat_timestamp_seconds{projection="shop",instance="a"}"#, "0+60x3 _x40"),
            (r#"projection_heartbeat_timestamp_seconds{projection="shop",instance="b"}"#, "0+60x40"),
        ],
        &[],
    ),
    case(
        "a projection falls further behind",
        20,
        &[(r#"projection_lag_seconds{projection="shop"}"#, "0+20x30")],
        &[("ProjectionLagGrowing", "page")],
    ),
    case(
        "a projection catches up",
        20,
        &[(r#"projection_lag_seconds{projection="shop"}"#, "9000-20x30")],
        &[],
    ),
    case(
        "a row is parked",
        10,
        &[
            (r#"projection_parked_keys{projection="shop"}"#, "0x2 1x10"),
            (r#"projection_parked_oldest_seconds{projection="shop"}"#, "0x2 0+60x10"),
        ],
        &[("RowsParked", "ticket")],
    ),
    case(
        "a row is parked for more than an hour",
        80,
        &[
            (r#"projection_parked_keys{projection="shop"}"#, "1x90"),
            (r#"projection_parked_oldest_seconds{projection="shop"}"#, "0+60x90"),
        ],
        &[("RowsParked", "ticket"), ("RowsParkedLong", "page")],
    ),
    case(
        "a row was parked and is skipped",
        10,
        &[(r#"projection_parked_keys{projection="shop"}"#, "1x3 0x10")],
        &[],
    ),
    case(
        "a rebuild does not move",
        40,
        &[
            (r#"projection_rebuild_start_timestamp_seconds{projection="shop"}"#, "60x50"),
            (r#"projection_rebuild_events{projection="shop"}"#, "0+100x10 1000x40"),
            (r#"projection_rebuild_rows{projection="shop"}"#, "0+100x10 1000x40"),
            (r#"projection_rebuild_position{projection="shop"}"#, "0+100x10 1000x40"),
        ],
        &[("RebuildStalled", "ticket")],
    ),
    case(
        "a rebuild writes its rows",
        40,
        &[
            (r#"projection_rebuild_start_timestamp_seconds{projection="shop"}"#, "60x50"),
            (r#"projection_rebuild_events{projection="shop"}"#, "0+100x10 1000x40"),
            (r#"projection_rebuild_rows{projection="shop"}"#, "0+100x50"),
            (r#"projection_rebuild_position{projection="shop"}"#, "1000x50"),
        ],
        &[],
    ),
    case(
        "nothing is rebuilt any more",
        40,
        &[
            (r#"projection_rebuild_start_timestamp_seconds{projection="shop"}"#, "60x10 0x40"),
            (r#"projection_rebuild_events{projection="shop"}"#, "1000x50"),
            (r#"projection_rebuild_rows{projection="shop"}"#, "1000x50"),
            (r#"projection_rebuild_position{projection="shop"}"#, "1000x50"),
        ],
        &[],
    ),
    case(
        "a rebuilt version differs",
        5,
        &[(r#"projection_versions{projection="shop",stage="differs"}"#, "0 1x10")],
        &[("RebuildNeedsDecision", "ticket")],
    ),
    case(
        "a build has stopped",
        5,
        &[(r#"projection_versions{projection="shop",stage="halted"}"#, "0 1x10")],
        &[("RebuildNeedsDecision", "ticket")],
    ),
    case(
        "a version is built, and one is kept",
        5,
        &[
            (r#"projection_versions{projection="shop",stage="building"}"#, "1x10"),
            (r#"projection_versions{projection="shop",stage="ready"}"#, "2x10"),
            (r#"projection_versions{projection="shop",stage="differs"}"#, "0x10"),
        ],
        &[],
    ),
    case(
        "the search index stands still",
        30,
        &[
            (r#"projection_checkpoint_position{projection="catalogue"}"#, "0+100x40"),
            ("search_index_position", "0+100x10 1000x30"),
        ],
        &[("SearchIndexBehind", "ticket")],
    ),
    case(
        "the search index follows",
        30,
        &[
            (r#"projection_checkpoint_position{projection="catalogue"}"#, "100+100x40"),
            ("search_index_position", "0+100x40"),
        ],
        &[],
    ),
    case(
        "an order stands still",
        10,
        &[
            (r#"saga_instances{saga="fulfilment",state="stuck",instance="a"}"#, "0 1x20"),
            (r#"saga_instances{saga="fulfilment",state="stuck",instance="b"}"#, "0x20"),
        ],
        &[("SagasStuck", "ticket")],
    ),
    case(
        "orders are under way",
        10,
        &[(r#"saga_instances{saga="fulfilment",state="running"}"#, "5x20")],
        &[],
    ),
    case(
        "the payment gateway is away",
        15,
        &[
            (
                r#"gateway_call_duration_seconds_count{gateway="payment",operation="authorize",outcome="answered"}"#,
                "0+30x5 150x20",
            ),
            (
                r#"gateway_call_duration_seconds_count{gateway="payment",operation="authorize",outcome="unavailable"}"#,
                "0x5 0+30x20",
            ),
            (
                r#"gateway_call_duration_seconds_count{gateway="shipping",operation="carry",outcome="answered"}"#,
                "0+30x25",
            ),
        ],
        &[("PaymentsFailing", "page")],
    ),
    case(
        "the shipping gateway is away",
        15,
        &[
            (
                r#"gateway_call_duration_seconds_count{gateway="shipping",operation="carry",outcome="unavailable"}"#,
                "0+30x25",
            ),
            (
                r#"gateway_call_duration_seconds_count{gateway="payment",operation="authorize",outcome="answered"}"#,
                "0+30x25",
            ),
        ],
        &[("ShippingFailing", "ticket")],
    ),
    case(
        "gateways refuse, and one call in a hundred gets no answer",
        15,
        &[
            (
                r#"gateway_call_duration_seconds_count{gateway="payment",operation="authorize",outcome="refused"}"#,
                "0+50x25",
            ),
            (
                r#"gateway_call_duration_seconds_count{gateway="payment",operation="authorize",outcome="answered"}"#,
                "0+49x25",
            ),
            (
                r#"gateway_call_duration_seconds_count{gateway="payment",operation="authorize",outcome="unavailable"}"#,
                "0+1x25",
            ),
            (
                r#"gateway_call_duration_seconds_count{gateway="shipping",operation="track",outcome="not_yet"}"#,
                "0+50x25",
            ),
        ],
        &[],
    ),
    case(
        "appends get no answer",
        10,
        &[(r#"headwater_eventstore_append_duration_seconds_count{result="unreachable"}"#, "0x3 0+2x20")],
        &[("AppendsUnanswered", "page")],
    ),
    case(
        "appends lose against others",
        10,
        &[(r#"headwater_eventstore_append_duration_seconds_count{result="conflict"}"#, "0+20x20")],
        &[],
    ),
    case(
        "the log has failed",
        1,
        &[(r#"headwater_node_log_failed{instance="a"}"#, "0 1x5")],
        &[("LogTakesNoAppends", "page")],
    ),
    case("the log is sound", 5, &[(r#"headwater_node_log_failed{instance="a"}"#, "0x9")], &[]),
    case(
        "syncs are slow",
        20,
        &[
            (r#"headwater_node_log_sync_duration_seconds_bucket{instance="a",le="0.1"}"#, "0+90x30"),
            (r#"headwater_node_log_sync_duration_seconds_bucket{instance="a",le="0.5"}"#, "0+100x30"),
            (r#"headwater_node_log_sync_duration_seconds_bucket{instance="a",le="+Inf"}"#, "0+100x30"),
        ],
        &[("LogSyncSlow", "ticket")],
    ),
    case(
        "syncs are quick",
        20,
        &[
            (r#"headwater_node_log_sync_duration_seconds_bucket{instance="a",le="0.1"}"#, "0+100x30"),
            (r#"headwater_node_log_sync_duration_seconds_bucket{instance="a",le="+Inf"}"#, "0+100x30"),
        ],
        &[],
    ),
    case(
        "a subscription loses its connection each minute",
        30,
        &[(r#"headwater_subscription_reconnects_total{instance="a"}"#, "0+1x40")],
        &[("SubscriptionsReconnecting", "ticket")],
    ),
    case(
        "a subscription lost its connection once",
        30,
        &[(r#"headwater_subscription_reconnects_total{instance="a"}"#, "0x20 1x20")],
        &[],
    ),
    case(
        "a disk is nearly full",
        10,
        &[
            (r#"headwater_disk_free_bytes{instance="a"}"#, "9x20"),
            (r#"headwater_disk_size_bytes{instance="a"}"#, "100x20"),
        ],
        &[("DiskFilling", "page")],
    ),
    case(
        "a disk fills fast",
        400,
        &[
            (r#"headwater_disk_free_bytes{instance="a"}"#, "70000-100x450"),
            (r#"headwater_disk_size_bytes{instance="a"}"#, "100000x450"),
        ],
        &[("DiskFullWithinADay", "ticket")],
    ),
    case(
        "a disk fills fast and has much room",
        100,
        &[
            (r#"headwater_disk_free_bytes{instance="a"}"#, "70000-100x150"),
            (r#"headwater_disk_size_bytes{instance="a"}"#, "100000x150"),
        ],
        &[],
    ),
    case(
        "queries wait for connections",
        15,
        &[(r#"postgres_pool_waiting{instance="a"}"#, "3x20")],
        &[("DatabasePoolExhausted", "page")],
    ),
    case(
        "queries give up waiting",
        15,
        &[(r#"postgres_pool_timeouts_total{instance="a"}"#, "0x5 0+1x20")],
        &[("DatabasePoolExhausted", "page")],
    ),
    case(
        "queries wait now and again",
        15,
        &[
            (r#"postgres_pool_waiting{instance="a"}"#, "3 0 5 0 3 0 5 0 3 0 5 0 3 0 5 0 3 0 5"),
            (r#"postgres_pool_timeouts_total{instance="a"}"#, "0x20"),
        ],
        &[],
    ),
    case(
        "the collector is away",
        40,
        &[(r#"telemetry_spans_total{instance="a",outcome="failed"}"#, "0+10x50")],
        &[("TracesLost", "ticket")],
    ),
    case(
        "the queue of spans overflows",
        60,
        &[
            (r#"telemetry_spans_total{instance="a",outcome="ended"}"#, "0+9000x70"),
            (r#"telemetry_spans_total{instance="a",outcome="exported"}"#, "0+5000x70"),
        ],
        &[("TracesLost", "ticket")],
    ),
    case(
        "the collector takes no log records",
        40,
        &[(r#"telemetry_log_records_total{instance="a",outcome="failed"}"#, "0+10x50")],
        &[("LogsLost", "ticket")],
    ),
    case(
        "the queue of log records overflows",
        60,
        &[
            (r#"telemetry_log_records_total{instance="a",outcome="written"}"#, "0+9000x70"),
            (r#"telemetry_log_records_total{instance="a",outcome="exported"}"#, "0+5000x70"),
        ],
        &[("LogsLost", "ticket")],
    ),
    case(
        "log records arrive",
        60,
        &[
            (r#"telemetry_log_records_total{instance="a",outcome="written"}"#, "0+9000x70"),
            (r#"telemetry_log_records_total{instance="a",outcome="exported"}"#, "0+9000x70"),
            (r#"telemetry_log_records_total{instance="a",outcome="failed"}"#, "0x70"),
        ],
        &[],
    ),
    case(
        "spans arrive",
        60,
        &[
            (r#"telemetry_spans_total{instance="a",outcome="ended"}"#, "0+9000x70"),
            (r#"telemetry_spans_total{instance="a",outcome="exported"}"#, "0+9000x70"),
            (r#"telemetry_spans_total{instance="a",outcome="failed"}"#, "0x70"),
        ],
        &[],
    ),
    case(
        "one of one command is bad",
        70,
        &[(
            r#"http_server_request_duration_seconds_count{method="POST",route="/v1/orders",status="503"}"#,
            "0x10 1x70",
        )],
        &[],
    ),
];
