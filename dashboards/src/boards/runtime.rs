//! The processes, their disk, their way to Postgres and their telemetry.

use crate::board::{Board, Row, Whose};
use crate::panel::{lines, stat};

pub(super) fn board() -> Board {
    Board {
        uid: "headwater-runtime",
        title: "Headwater: runtime",
        description: "Processor, memory, files and disk of each process, its connections to Postgres, and its traces.",
        whose: Whose::Headwater,
        rows: vec![process(), disk(), postgres(), telemetry()],
    }
}

fn process() -> Row {
    Row::new(
        "Processes",
        [
            lines("Processor", "none", "Cores in use.").query(
                "{{instance}}",
                r#"sum by (instance) (rate(process_cpu_seconds_total{@, job=~"headwater.*"}[$__rate_interval]))"#,
            ),
            lines("Memory", "bytes", "Memory in use.")
                .query("{{instance}}", r#"sum by (instance) (process_resident_memory_bytes{@, job=~"headwater.*"})"#),
            lines("Open files and connections", "percentunit", "The share of those that may be open.")
                .query("{{instance}}", r#"max by (instance) (process_open_fds{@, job=~"headwater.*"} / (process_max_fds{@, job=~"headwater.*"} > 0))"#)
                .thresholds(0.7, 0.9),
            lines("Threads", "none", "Threads, and of these the ones that carry out tasks.")
                .query("{{instance}}", r#"sum by (instance) (process_threads{@, job=~"headwater.*"})"#)
                .query("workers {{instance}}", "sum by (instance) (tokio_workers{@})"),
            lines("Tasks", "none", "Tasks that have begun and not ended.")
                .query("{{instance}}", "sum by (instance) (tokio_alive_tasks{@})"),
            lines(
                "Tasks that wait for a thread",
                "none",
                "Above zero for long, the process has too little processor.",
            )
            .query("{{instance}}", "sum by (instance) (tokio_global_queue_tasks{@})"),
            lines("Running since", "dateTimeAsIso", "When each process began.")
                .query("{{instance}}", r#"max by (instance) (process_start_time_seconds{@, job=~"headwater.*"}) * 1000"#)
                .wide(),
        ],
    )
}

fn disk() -> Row {
    Row::new(
        "Disk",
        [
            lines("Free", "percentunit", "What is free where the data directory is.")
                .query(
                    "{{instance}}",
                    "min by (instance) (headwater_disk_free_bytes{@} / (headwater_disk_size_bytes{@} > 0))",
                )
                .thresholds(0.2, 0.1)
                .runbook("DiskFilling"),
            stat("Free bytes", "bytes", "What is free where the data directory is.")
                .query("{{instance}}", "min by (instance) (headwater_disk_free_bytes{@})"),
        ],
    )
}

fn postgres() -> Row {
    Row::new(
        "Connections to Postgres",
        [
            lines(
                "Waiting",
                "none",
                "Queries that wait for a connection right now, and how many there may be at once.",
            )
            .query("waiting {{instance}}", "sum by (instance) (postgres_pool_waiting{@})")
            .query("connections {{instance}}", "sum by (instance) (postgres_pool_connections_max{@})")
            .runbook("DatabasePoolExhausted"),
            lines("Time to a connection", "s", "How long queries waited for one.")
                .percentiles("postgres_pool_wait_seconds", "@"),
            lines("Gave up", "ops", "Queries that got no connection in time.")
                .query(
                    "{{instance}}",
                    "sum by (instance) (rate(postgres_pool_timeouts_total{@}[$__rate_interval]))",
                )
                .runbook("DatabasePoolExhausted"),
        ],
    )
}

fn telemetry() -> Row {
    Row::new(
        "Telemetry",
        [
            lines("Spans", "ops", "Ended, exported, and failed to be exported: what is missing was dropped.")
                .query("{{outcome}}", "sum by (outcome) (rate(telemetry_spans_total{@}[$__rate_interval]))")
                .runbook("TracesLost"),
            lines(
                "Log records",
                "ops",
                "Written, exported, and failed to be exported: what is missing was dropped.",
            )
            .query("{{outcome}}", "sum by (outcome) (rate(telemetry_log_records_total{@}[$__rate_interval]))")
            .runbook("LogsLost"),
            lines("Series", "none", "Series that Prometheus takes from each process.").query(
                "{{instance}}",
                r#"sum by (instance) (scrape_samples_scraped{@, job=~"headwater.*"})"#,
            ),
            lines("Time of a scrape", "s", "How long Prometheus takes to fetch them.")
                .query(
                    "{{instance}}",
                    r#"max by (instance) (scrape_duration_seconds{@, job=~"headwater.*"})"#,
                )
                .wide(),
        ],
    )
}
