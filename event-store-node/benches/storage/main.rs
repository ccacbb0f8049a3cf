//! Compares storage engines for the log on what the design asks of one: durable appends at 1, 16 and 64 writers,
//! reopening after a SIGKILL, memory, and disk per payload byte, all beside the disk's own fdatasync rate.
//!
//! `cargo bench -p event-store-node --bench storage -- --events 10000000 [--json]`

mod candidate;
mod child;
mod committer;
mod disk;
mod measure;

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::candidate::Kind;
use crate::measure::{Limits, Row};

/// Engines for the log, measured side by side.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many events are loaded before the process is killed and the engine opened again.
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Where to write; not a tmpfs.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Only these engines.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Kind>,
    /// How long appending is measured at each number of writers.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// How long one engine may take to load the events, and then to open again.
    #[arg(long, default_value_t = 120)]
    limit_seconds: u64,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    if let Some(task) = child::task() {
        child::run(task);
        return;
    }
    let arguments = Arguments::parse();
    let parent = arguments.dir.clone().unwrap_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")));
    let workplace = tempfile::tempdir_in(&parent).expect("a folder to measure in");
    disk::refuse_memory(workplace.path());
    let limits = Limits {
        events: arguments.events,
        append: Duration::from_secs(arguments.seconds),
        load: Duration::from_secs(arguments.limit_seconds),
    };
    let chosen = if arguments.only.is_empty() { Kind::ALL.to_vec() } else { arguments.only };
    let bar = ProgressBar::new(chosen.len() as u64 * measure::STEPS);
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}").expect("a template"));
    bar.set_message("fdatasync");
    let syncs = disk::syncs_per_second(workplace.path(), limits.append);
    let rows: Vec<Row> =
        chosen.into_iter().map(|kind| measure::measure(kind, workplace.path(), &limits, &bar)).collect();
    bar.finish_and_clear();
    if arguments.json {
        let rows: Vec<_> = rows.iter().map(Row::to_json).collect();
        println!("{}", json!({ "fdatasyncPerSecond": syncs, "events": limits.events, "engines": rows }));
    } else {
        print_table(syncs, &rows);
    }
}

fn print_table(syncs: f64, rows: &[Row]) {
    println!("fdatasync: {syncs:.0} per s (4 KiB overwrites of a preallocated file)\n");
    println!(
        "| engine | appends/s at 1 / 16 / 64 writers | times fdatasync | events loaded | load, events/s | reopen after SIGKILL | memory | disk / payload | seam for faults |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for row in rows {
        println!("{}", row.to_markdown(syncs));
    }
}
