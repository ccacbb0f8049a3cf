//! KurrentDB, where it stands in the place of the embedded node.

use crate::board::{Board, Row, Whose};
use crate::panel::{lines, stat, table};

pub(super) fn board() -> Board {
    Board {
        uid: "headwater-kurrentdb",
        title: "Headwater: KurrentDB",
        description: "KurrentDB 25.0 or newer from within, where it is used instead of the embedded node. Which of this \
                      a server tells is set in its metricsconfig.json.",
        whose: Whose::Others("kurrentdb"),
        rows: vec![now(), clients(), log(), groups(), projections(), process()],
    }
}

fn now() -> Row {
    Row::new(
        "Now",
        [
            stat("Disk in use", "percentunit", "The fullest disk of each server.")
                .query(
                    "{{instance}}",
                    r#"max by (instance) (kurrentdb_sys_disk_bytes{@, kind="used"} / ignoring (kind) (kurrentdb_sys_disk_bytes{@, kind="total"} > 0))"#,
                )
                .thresholds(0.7, 0.9),
            stat("Memory in use", "percentunit", "Of the whole machine.")
                .query(
                    "{{instance}}",
                    r#"1 - max by (instance) (kurrentdb_sys_mem_bytes{@, kind="free"}) / (max by (instance) (kurrentdb_sys_mem_bytes{@, kind="total"}) > 0)"#,
                )
                .thresholds(0.75, 0.85),
            stat("Parked", "none", "Events that consumer groups have put aside.")
                .query("parked", "sum(max by (event_stream_id, group_name) (kurrentdb_persistent_sub_parked_messages{@}))")
                .thresholds(1.0, 100.0),
            stat("Longest pause", "s", "For the runtime to collect garbage; after 8 s the other servers may take it for gone.")
                .query("{{instance}}", "max by (instance) (kurrentdb_gc_pause_duration_max_seconds{@})")
                .thresholds(1.0, 8.0),
            table("Roles", "none", "What each server is in its cluster.").query(
                "{{status}}",
                r#"topk by (instance) (1, kurrentdb_statuses{@, name="Node"})"#,
            ),
            table("What else it does", "none", "What its index and its scavenging are at.").query(
                "{{name}}: {{status}}",
                r#"topk by (instance, name) (1, kurrentdb_statuses{@, name=~"Index|Scavenge"})"#,
            ),
        ],
    )
}

fn clients() -> Row {
    Row::new(
        "Clients",
        [
            lines("Events", "ops", "Events written and read.").query(
                "{{activity}}",
                "sum by (activity) (rate(kurrentdb_io_events_total{@}[$__rate_interval]))",
            ),
            lines("Bytes read", "Bps", "Bytes of events, those from its caches included.").query(
                "{{instance}}",
                r#"sum by (instance) (rate(kurrentdb_io_bytes_total{@, activity="read"}[$__rate_interval]))"#,
            ),
            lines("Time of an append", "s", "From its arrival to its answer.")
                .percentiles("kurrentdb_grpc_method_duration_seconds", r#"@, activity="append""#),
            lines("Time of a read", "s", "From its arrival to its end.")
                .percentiles("kurrentdb_grpc_method_duration_seconds", r#"@, activity="read""#),
            lines("Appends and reads", "ops", "By whether they were successful.").query(
                "{{activity}} {{status}}",
                "sum by (activity, status) (rate(kurrentdb_grpc_method_duration_seconds_count{@}[$__rate_interval]))",
            ),
            lines("Calls that fail", "ops", "Calls by gRPC, of every kind.").query(
                "{{kind}}",
                r#"sum by (kind) (rate(kurrentdb_incoming_grpc_calls_total{@, kind!="total"}[$__rate_interval]))"#,
            ),
            lines("Open calls", "none", "Calls that have begun and not ended; a subscription is one.")
                .query("{{instance}}", "sum by (instance) (kurrentdb_current_incoming_grpc_calls{@})")
                .wide(),
        ],
    )
}

fn log() -> Row {
    Row::new(
        "The log",
        [
            lines("Behind the leader", "bytes", "How much of the log a server has not written yet.").query(
                "{{instance}}",
                r#"scalar(max(kurrentdb_checkpoints{@, name="writer"})) - max by (instance) (kurrentdb_checkpoints{@, name="writer"})"#,
            ),
            lines("Behind the writer", "bytes", "How much of its own log a server has not indexed or replicated.")
                .query(
                    "index {{instance}}",
                    r#"max by (instance) (kurrentdb_checkpoints{@, name="writer"}) - max by (instance) (kurrentdb_checkpoints{@, name="index"})"#,
                )
                .query(
                    "replication {{instance}}",
                    r#"max by (instance) (kurrentdb_checkpoints{@, name="writer"}) - max by (instance) (kurrentdb_checkpoints{@, name="replication"})"#,
                ),
            lines("Time to flush", "s", "The longest of late.")
                .query("{{instance}}", "max by (instance) (kurrentdb_writer_flush_duration_max_seconds{@})")
                .thresholds(0.02, 0.1),
            lines("Bytes of a flush", "bytes", "The largest of late.")
                .query("{{instance}}", "max by (instance) (kurrentdb_writer_flush_size_max{@})"),
            lines("Time in a queue", "s", "The longest that anything has waited of late, by queue.")
                .query("{{name}}", "max by (name) (kurrentdb_queue_queueing_duration_max_seconds{@})"),
            lines("Found in caches", "percentunit", "The share of look-ups that a cache could answer.")
                .query(
                    "{{cache}}",
                    r#"sum by (cache) (rate(kurrentdb_cache_hits_misses_total{@, kind="hits"}[$__rate_interval])) / (sum by (cache) (rate(kurrentdb_cache_hits_misses_total{@}[$__rate_interval])) > 0)"#,
                )
                .thresholds(0.8, 0.5),
            lines("Elections", "ops", "Each is a moment without a leader, in which appends wait.")
                .query(
                    "{{instance}}",
                    "sum by (instance) (rate(kurrentdb_elections_count_total{@}[$__rate_interval]))",
                )
                .wide(),
        ],
    )
}

fn groups() -> Row {
    const GROUP: &str = "{{event_stream_id}} {{group_name}}";
    let of_group = |metric: &str| format!("max by (event_stream_id, group_name) ({metric}{{@}})");
    Row::new(
        "Consumer groups",
        [
            lines("Consumers", "none", "Those connected to each group.")
                .query(GROUP, &of_group("kurrentdb_persistent_sub_connections")),
            lines("Events to consumers", "ops", "Events that each group has handled.").query(
                GROUP,
                "sum by (event_stream_id, group_name) (rate(kurrentdb_persistent_sub_items_processed_total{@}[$__rate_interval]))",
            ),
            lines("Not answered", "none", "Events that consumers have and have not answered.")
                .query(GROUP, &of_group("kurrentdb_persistent_sub_in_flight_messages")),
            lines("Events behind", "none", "Events of its stream that a group has not settled; not told of groups on everything.")
                .query(
                    GROUP,
                    &format!(
                        "clamp_min({} - {}, 0)",
                        of_group("kurrentdb_persistent_sub_last_known_event_number"),
                        of_group("kurrentdb_persistent_sub_checkpointed_event_number"),
                    ),
                ),
            lines("Parked by group", "none", "Events that a group has put aside.")
                .query(GROUP, &of_group("kurrentdb_persistent_sub_parked_messages")),
            lines("Oldest parked", "s", "The age of the oldest of them.")
                .query(GROUP, &of_group("kurrentdb_persistent_sub_oldest_parked_message_seconds"))
                .thresholds(3600.0, 86_400.0),
        ],
    )
}

fn projections() -> Row {
    Row::new(
        "Its own projections",
        [
            lines("Stopped or failed", "none", "Whether a projection of the server's does not run.").query(
                "{{projection}} {{status}}",
                r#"max by (projection, status) (kurrentdb_projection_status{@, status=~"Faulted|Stopped"})"#,
            )
            .thresholds(1.0, 1.0),
            lines("Progress", "percentunit", "Rounded: of a long log, all of it may leave much to do.")
                .query("{{projection}}", "min by (projection) (kurrentdb_projection_progress{@})"),
            lines("Events of projections", "ops", "Events that each has handled.")
                .query(
                    "{{projection}}",
                    "sum by (projection) (rate(kurrentdb_projection_events_processed_after_restart_total{@}[$__rate_interval]))",
                )
                .wide(),
        ],
    )
}

fn process() -> Row {
    Row::new(
        "The process",
        [
            lines("Load", "none", "Of the machine, over one minute.")
                .query("{{instance}}", r#"max by (instance) (kurrentdb_sys_load_avg{@, period="1m"})"#),
            lines("Memory", "bytes", "What the process has in memory.").query(
                "{{instance}}",
                r#"sum by (instance) (kurrentdb_proc_mem_bytes{@, kind="working-set"})"#,
            ),
            lines("Reads and writes", "Bps", "What the process reads from disk and writes to it.").query(
                "{{activity}} {{instance}}",
                "sum by (activity, instance) (rate(kurrentdb_disk_io_bytes_total{@}[$__rate_interval]))",
            ),
            lines("Disks", "bytes", "What is in use on each disk.").query(
                "{{disk}} {{instance}}",
                r#"max by (disk, instance) (kurrentdb_sys_disk_bytes{@, kind="used"})"#,
            ),
        ],
    )
}
