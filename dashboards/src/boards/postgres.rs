//! PostgreSQL itself, as `postgres_exporter` sees it.

use crate::board::{Board, Row, Whose};
use crate::panel::{lines, stat};

pub(super) fn board() -> Board {
    Board {
        uid: "headwater-postgres",
        title: "Headwater: Postgres",
        description: "PostgreSQL by postgres_exporter: connections, work, memory and size. How Headwater's processes \
                      come to their connections is on the dashboard of the runtime.",
        whose: Whose::Others("postgres"),
        rows: vec![now(), connections(), work(), memory(), exporter()],
    }
}

/// What each connection that is not kept for superusers is a share of.
const CONNECTIONS_IN_USE: &str = "sum by (instance) (pg_stat_activity_count{@}) / (max by (instance) (pg_settings_max_connections{@}) - max by (instance) (pg_settings_superuser_reserved_connections{@}) > 0)";

fn now() -> Row {
    Row::new(
        "Now",
        [
            stat("Answers", "none", "Whether the exporter can reach PostgreSQL.")
                .query("{{instance}}", "min by (instance) (pg_up{@})")
                .words(&[("0", "no"), ("1", "yes")])
                .thresholds(1.0, 0.5)
                .runbook("ServiceDown"),
            stat("Connections in use", "percentunit", "The share of those that an ordinary user can have.")
                .query("{{instance}}", CONNECTIONS_IN_USE)
                .thresholds(0.7, 0.9)
                .runbook("PostgresConnectionsUsedUp"),
            stat(
                "Longest transaction",
                "s",
                "How long the oldest one is open; nothing since then can be vacuumed.",
            )
            .query("{{instance}}", "max by (instance) (pg_stat_activity_max_tx_duration{@})")
            .thresholds(300.0, 3600.0),
            stat("Size", "bytes", "What all databases take on disk, without the write-ahead log.")
                .query("{{instance}}", "sum by (instance) (pg_database_size_bytes{@})"),
        ],
    )
}

fn connections() -> Row {
    Row::new(
        "Connections",
        [
            lines("Connections", "none", "By what they do, and how many there may be.")
                .query("{{state}}", "sum by (state) (pg_stat_activity_count{@})")
                .query("at most", "max(pg_settings_max_connections{@})")
                .runbook("PostgresConnectionsUsedUp"),
            lines("Connections by database", "none", "Those to each database, of all kinds.")
                .query("{{datname}}", "sum by (datname) (pg_stat_database_numbackends{@})"),
            lines("Age of transactions", "s", "The oldest open transaction, by what its connection does.")
                .query("{{state}}", "max by (state) (pg_stat_activity_max_tx_duration{@})"),
            lines("Locks", "none", "Locks that are held or waited for, by mode.")
                .query("{{mode}}", "sum by (mode) (pg_locks_count{@})"),
        ],
    )
}

fn work() -> Row {
    Row::new(
        "Work",
        [
            lines("Transactions", "ops", "Those that ended, by how.")
                .query("committed", "sum(rate(pg_stat_database_xact_commit{@}[$__rate_interval]))")
                .query("rolled back", "sum(rate(pg_stat_database_xact_rollback{@}[$__rate_interval]))"),
            lines("Rows", "ops", "Rows that statements fetched and wrote.")
                .query("fetched", "sum(rate(pg_stat_database_tup_fetched{@}[$__rate_interval]))")
                .query("inserted", "sum(rate(pg_stat_database_tup_inserted{@}[$__rate_interval]))")
                .query("updated", "sum(rate(pg_stat_database_tup_updated{@}[$__rate_interval]))")
                .query("deleted", "sum(rate(pg_stat_database_tup_deleted{@}[$__rate_interval]))"),
            lines("Deadlocks", "ops", "Transactions that were ended because they waited for each other.")
                .query(
                    "{{datname}}",
                    "sum by (datname) (rate(pg_stat_database_deadlocks{@}[$__rate_interval]))",
                ),
            lines(
                "Temporary files",
                "Bps",
                "What statements wrote to disk since it did not fit into their memory.",
            )
            .query(
                "{{datname}}",
                "sum by (datname) (rate(pg_stat_database_temp_bytes{@}[$__rate_interval]))",
            ),
        ],
    )
}

fn memory() -> Row {
    Row::new(
        "Memory and disk",
        [
            lines("Found in memory", "percentunit", "The share of blocks that PostgreSQL had in its own memory.")
                .query(
                    "{{instance}}",
                    "sum by (instance) (rate(pg_stat_database_blks_hit{@}[$__rate_interval])) / (sum by (instance) (rate(pg_stat_database_blks_hit{@}[$__rate_interval])) + sum by (instance) (rate(pg_stat_database_blks_read{@}[$__rate_interval])) > 0)",
                )
                .thresholds(0.98, 0.9),
            lines("Blocks read", "ops", "Blocks that it had to ask the operating system for.").query(
                "{{datname}}",
                "sum by (datname) (rate(pg_stat_database_blks_read{@}[$__rate_interval]))",
            ),
            lines("Pages of its memory", "ops", "Taken for other blocks, and written out beforehand to be free.")
                .query("taken", "sum(rate(pg_stat_bgwriter_buffers_alloc_total{@}[$__rate_interval]))")
                .query("written", "sum(rate(pg_stat_bgwriter_buffers_clean_total{@}[$__rate_interval]))"),
            lines("Size of databases", "bytes", "What each takes on disk; a version that is rebuilt is a second set of tables.")
                .query("{{datname}}", "max by (datname) (pg_database_size_bytes{@})"),
        ],
    )
}

fn exporter() -> Row {
    Row::new(
        "The exporter",
        [
            lines("Time to ask", "s", "How long the exporter takes to ask PostgreSQL for all of this.")
                .query("{{instance}}", "max by (instance) (pg_exporter_last_scrape_duration_seconds{@})"),
            lines(
                "Not told",
                "none",
                "Whether some of it could not be asked for: what is above is then old.",
            )
            .query("{{instance}}", "max by (instance) (pg_exporter_last_scrape_error{@})")
            .words(&[("0", "no"), ("1", "yes")]),
        ],
    )
}
