//! What runs in a process of its own: loading until it is killed, and opening what a killed process left.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde_json::json;

use crate::candidate::{Event, Kind};

const TASK: &str = "HEADWATER_STORAGE_BENCH";
/// Events of one append while loading, and appends under way at once.
const LOAD_APPEND_EVENTS: u64 = 500;
const LOADERS: u64 = 16;
/// Streams are this long, so that their number grows with the log.
const STREAM_EVENTS: u64 = 1000;

/// What a child is told to do.
#[derive(Debug, Clone)]
pub struct Task {
    pub is_load: bool,
    pub kind: Kind,
    pub dir: PathBuf,
    pub events: u64,
    pub limit: Duration,
}

impl Task {
    /// As an environment variable.
    pub fn to_variable(&self) -> (&'static str, String) {
        let Self { is_load, kind, dir, events, limit } = self;
        let kind = kind.to_possible_value().expect("a name").get_name().to_owned();
        (TASK, format!("{is_load}|{kind}|{}|{events}|{}", dir.display(), limit.as_secs()))
    }
}

/// The task of this process, if it is a child.
pub fn task() -> Option<Task> {
    let text = std::env::var(TASK).ok()?;
    let mut parts = text.split('|');
    let mut part = || parts.next().expect("a whole task");
    Some(Task {
        is_load: part() == "true",
        kind: Kind::from_str(part(), false).expect("a kind"),
        dir: part().into(),
        events: part().parse().expect("a number"),
        limit: Duration::from_secs(part().parse().expect("a number")),
    })
}

/// Does it, and says what came out as one line of JSON.
pub fn run(task: Task) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if task.is_load { runtime.block_on(load(&task)) } else { reopen(&task) }
}

/// The stream in which the events from `number` on are.
pub fn stream_of(number: u64) -> String {
    format!("order-{:08}", number / STREAM_EVENTS)
}

/// Loads the events, says so, and goes on appending until it is killed.
async fn load(task: &Task) {
    let engine = task.kind.open(&task.dir);
    let began = Instant::now();
    let next = Arc::new(AtomicU64::new(0));
    let loaders = (0..LOADERS).map(|_| {
        let (engine, next, events, limit) = (engine.clone(), Arc::clone(&next), task.events, task.limit);
        tokio::spawn(async move {
            while began.elapsed() < limit {
                // A whole stream at a time, so that its appends stay in order.
                let first = next.fetch_add(STREAM_EVENTS, Ordering::SeqCst);
                if first >= events {
                    return 0;
                }
                for append in (first..first + STREAM_EVENTS).step_by(LOAD_APPEND_EVENTS as usize) {
                    let numbers = append..append + LOAD_APPEND_EVENTS;
                    let events = numbers.map(|number| Event::new(stream_of(number), number % STREAM_EVENTS));
                    engine.append(events.collect()).await;
                }
            }
            1
        })
    });
    let mut cut_short = 0;
    for loader in loaders.collect::<Vec<_>>() {
        cut_short += loader.await.expect("a loader");
    }
    let loaded = next.load(Ordering::SeqCst).min(task.events);
    let seconds = began.elapsed().as_secs_f64();
    say(&json!({
        "events": loaded, "seconds": seconds, "cutShort": cut_short > 0, "residentBytes": resident_bytes(),
    }));
    for revision in 0.. {
        engine.append(vec![Event::new("after-1".to_owned(), revision)]).await;
    }
}

/// Opens, and reads something to be sure.
fn reopen(task: &Task) {
    let began = Instant::now();
    let engine = task.kind.open(&task.dir);
    let seconds = began.elapsed().as_secs_f64();
    let length = engine.length(&stream_of(0));
    say(&json!({ "seconds": seconds, "firstStream": length, "residentBytes": resident_bytes() }));
    // What closing costs is not asked.
    std::process::exit(0);
}

fn say(line: &serde_json::Value) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("said");
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line");
    line.split_whitespace().nth(1).and_then(|kibibytes| kibibytes.parse::<u64>().ok()).expect("a number")
        * 1024
}
