//! KurrentDB, the server that can stand in the place of the embedded node.

use super::{Label, Metric, Page, Proof, Source, counter, gauge, histogram};

/// The names of 25.0 and newer; before, they began with `eventstore_`, and some counters had no `_total`.
pub(super) const SOURCE: Source = Source {
    job: "kurrentdb",
    proof: Proof::Syntax("no package has the server"),
    pages: &[Page {
        url: "https://github.com/kurrent-io/KurrentDB/blob/master/docs/server/diagnostics/metrics.md",
        metrics: METRICS,
    }],
};

const OUTCOME: Label = Label("status", &["successful", "failed"]);
const ACTIVITY: Label = Label("activity", &["read", "written"]);
const GROUP: &[Label] = &[Label("event_stream_id", &[]), Label("group_name", &[])];
const PROJECTION: Label = Label("projection", &[]);

const METRICS: &[Metric] = &[
    gauge("kurrentdb_statuses", &[Label("name", &["Index", "Node", "Scavenge"]), Label("status", &[])]),
    counter("kurrentdb_elections_count_total", &[]),
    gauge("kurrentdb_checkpoints", &[Label("name", &["writer", "index", "replication"])]),
    counter("kurrentdb_io_events_total", &[ACTIVITY]),
    counter("kurrentdb_io_bytes_total", &[Label("activity", &["read"])]),
    // What an activity is called is set in `metricsconfig.json`; these are what it says when nobody changes it.
    histogram("kurrentdb_grpc_method_duration_seconds", &[Label("activity", &["append", "read"]), OUTCOME]),
    counter(
        "kurrentdb_incoming_grpc_calls_total",
        &[Label("kind", &["total", "failed", "unimplemented", "deadline-exceeded"])],
    ),
    gauge("kurrentdb_current_incoming_grpc_calls", &[]),
    gauge("kurrentdb_writer_flush_duration_max_seconds", &[]),
    gauge("kurrentdb_writer_flush_size_max", &[]),
    gauge("kurrentdb_queue_queueing_duration_max_seconds", &[Label("name", &[])]),
    counter(
        "kurrentdb_cache_hits_misses_total",
        &[Label("cache", &["stream-info", "chunk"]), Label("kind", &["hits", "misses"])],
    ),
    gauge("kurrentdb_persistent_sub_connections", GROUP),
    gauge("kurrentdb_persistent_sub_parked_messages", GROUP),
    gauge("kurrentdb_persistent_sub_oldest_parked_message_seconds", GROUP),
    gauge("kurrentdb_persistent_sub_in_flight_messages", GROUP),
    counter("kurrentdb_persistent_sub_items_processed_total", GROUP),
    gauge("kurrentdb_persistent_sub_last_known_event_number", GROUP),
    gauge("kurrentdb_persistent_sub_checkpointed_event_number", GROUP),
    gauge("kurrentdb_projection_progress", &[PROJECTION]),
    gauge("kurrentdb_projection_status", &[PROJECTION, Label("status", &["Running", "Faulted", "Stopped"])]),
    counter("kurrentdb_projection_events_processed_after_restart_total", &[PROJECTION]),
    gauge("kurrentdb_gc_pause_duration_max_seconds", &[]),
    gauge("kurrentdb_proc_mem_bytes", &[Label("kind", &["working-set", "paged-bytes", "virtual-bytes"])]),
    counter("kurrentdb_disk_io_bytes_total", &[ACTIVITY]),
    gauge("kurrentdb_sys_load_avg", &[Label("period", &["1m", "5m", "15m"])]),
    gauge("kurrentdb_sys_mem_bytes", &[Label("kind", &["free", "total"])]),
    gauge("kurrentdb_sys_disk_bytes", &[Label("disk", &[]), Label("kind", &["used", "total"])]),
];
