//! PostgreSQL, by `postgres_exporter`.

use super::{Label, Metric, Page, Proof, Source, counter, gauge};

/// Only what both 0.11, which the tests run, and today's 0.20 serve, and of PostgreSQL 14 to 18: checkpoints are not among it,
/// since PostgreSQL 17 counts them elsewhere and 0.11 does not look there.
pub(super) const SOURCE: Source = Source {
    job: "postgres",
    proof: Proof::Answer,
    pages: &[Page { url: "https://github.com/prometheus-community/postgres_exporter", metrics: METRICS }],
};

const DATABASE: Label = Label("datname", &[]);

const STATE: Label = Label(
    "state",
    &[
        "active",
        "idle",
        "idle in transaction",
        "idle in transaction (aborted)",
        "fastpath function call",
        "disabled",
    ],
);

const METRICS: &[Metric] = &[
    gauge("pg_up", &[]),
    gauge("pg_exporter_last_scrape_duration_seconds", &[]),
    gauge("pg_exporter_last_scrape_error", &[]),
    gauge("pg_settings_max_connections", &[]),
    gauge("pg_settings_superuser_reserved_connections", &[]),
    gauge("pg_stat_activity_count", &[DATABASE, STATE]),
    gauge("pg_stat_activity_max_tx_duration", &[DATABASE, STATE]),
    gauge("pg_locks_count", &[DATABASE, Label("mode", &[])]),
    gauge("pg_database_size_bytes", &[DATABASE]),
    gauge("pg_stat_database_numbackends", &[DATABASE]),
    counter("pg_stat_database_xact_commit", &[DATABASE]),
    counter("pg_stat_database_xact_rollback", &[DATABASE]),
    counter("pg_stat_database_blks_hit", &[DATABASE]),
    counter("pg_stat_database_blks_read", &[DATABASE]),
    counter("pg_stat_database_tup_fetched", &[DATABASE]),
    counter("pg_stat_database_tup_inserted", &[DATABASE]),
    counter("pg_stat_database_tup_updated", &[DATABASE]),
    counter("pg_stat_database_tup_deleted", &[DATABASE]),
    counter("pg_stat_database_temp_bytes", &[DATABASE]),
    counter("pg_stat_database_deadlocks", &[DATABASE]),
    counter("pg_stat_bgwriter_buffers_alloc_total", &[]),
    counter("pg_stat_bgwriter_buffers_clean_total", &[]),
];
