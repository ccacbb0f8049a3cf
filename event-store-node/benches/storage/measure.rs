//! One engine, measured: appends in this process, loading and reopening in children.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use serde_json::{Value, json};

use crate::candidate::{Event, Kind, PAYLOAD_BYTES};
use crate::child::{Task, stream_of};
use crate::disk;

/// Steps of the progress bar that one engine takes.
pub const STEPS: u64 = 3;
const WRITERS: [u64; 3] = [1, 16, 64];
/// How long a process may append alone before it is killed.
const BEFORE_KILL: Duration = Duration::from_millis(500);

/// What bounds a measurement.
#[derive(Debug)]
pub struct Limits {
    pub events: u64,
    pub append: Duration,
    pub load: Duration,
}

/// What came out for one engine.
#[derive(Debug)]
pub struct Row {
    kind: Kind,
    appends_per_second: Vec<f64>,
    loaded: u64,
    load_per_second: f64,
    reopen_seconds: Option<f64>,
    limit: Duration,
    resident_bytes: u64,
    disk_bytes: u64,
}

/// Measures one engine in folders of its own, which are removed.
pub fn measure(kind: Kind, workplace: &Path, limits: &Limits, bar: &ProgressBar) -> Row {
    bar.set_message(format!("{}: appends", kind.name()));
    let dir = workplace.join("append");
    let appends_per_second =
        WRITERS.iter().map(|writers| appends_per_second(kind, &dir, *writers, limits.append)).collect();
    bar.inc(1);
    bar.set_message(format!("{}: loading {} events", kind.name(), limits.events));
    let dir = workplace.join("load");
    fs::create_dir_all(&dir).expect("a folder");
    let task = Task { is_load: true, kind, dir: dir.clone(), events: limits.events, limit: limits.load };
    let (mut loader, loaded) = start(&task, limits.load * 2);
    let loaded = loaded.expect("the loader is bounded");
    std::thread::sleep(BEFORE_KILL);
    loader.kill().expect("killed");
    loader.wait().expect("gone");
    let disk_bytes = disk::used_bytes(&dir);
    bar.inc(1);
    bar.set_message(format!("{}: opening again", kind.name()));
    let (mut opener, reopened) = start(&Task { is_load: false, ..task }, limits.load);
    let _ = opener.kill();
    opener.wait().expect("gone");
    if let Some(reopened) = &reopened {
        assert!(reopened["firstStream"].as_u64() > Some(0), "{} lost {}", kind.name(), stream_of(0));
    }
    bar.inc(1);
    fs::remove_dir_all(&dir).expect("removed");
    let events = loaded["events"].as_u64().unwrap_or_default();
    Row {
        kind,
        appends_per_second,
        loaded: events,
        load_per_second: events as f64 / loaded["seconds"].as_f64().unwrap_or(f64::NAN),
        reopen_seconds: reopened.and_then(|reopened| reopened["seconds"].as_f64()),
        limit: limits.load,
        resident_bytes: loaded["residentBytes"].as_u64().unwrap_or_default(),
        disk_bytes,
    }
}

/// Durable appends of one event each, every writer to a stream of its own.
fn appends_per_second(kind: Kind, dir: &Path, writers: u64, time: Duration) -> f64 {
    fs::create_dir_all(dir).expect("a folder");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let rate = runtime.block_on(async {
        let engine = kind.open(dir);
        let began = Instant::now();
        let tasks: Vec<_> = (0..writers)
            .map(|writer| {
                let engine = engine.clone();
                tokio::spawn(async move {
                    let mut appended = 0u64;
                    while began.elapsed() < time {
                        engine.append(vec![Event::new(format!("writer-{writer}"), appended)]).await;
                        appended += 1;
                    }
                    appended
                })
            })
            .collect();
        let mut appended = 0;
        for task in tasks {
            appended += task.await.expect("a writer");
        }
        appended as f64 / began.elapsed().as_secs_f64()
    });
    drop(runtime);
    // The engine's own threads may still be letting go of their files.
    std::thread::sleep(BEFORE_KILL);
    fs::remove_dir_all(dir).expect("removed");
    rate
}

/// Starts a child; gives the line it says, unless it says nothing in time.
fn start(task: &Task, limit: Duration) -> (Child, Option<Value>) {
    let (name, value) = task.to_variable();
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .env(name, value)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let output = child.stdout.take().expect("its output");
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        if BufReader::new(output).read_line(&mut line).is_ok() {
            let _ = sender.send(line);
        }
    });
    let line = receiver.recv_timeout(limit).ok();
    (child, line.map(|line| serde_json::from_str(&line).expect("a line of JSON")))
}

impl Row {
    fn disk_per_payload(&self) -> f64 {
        self.disk_bytes as f64 / (self.loaded as f64 * PAYLOAD_BYTES as f64)
    }

    pub fn to_json(&self) -> Value {
        json!({
            "engine": self.kind.name(),
            "appendsPerSecond": WRITERS.iter().zip(&self.appends_per_second)
                .map(|(writers, rate)| (writers.to_string(), json!(rate)))
                .collect::<serde_json::Map<_, _>>(),
            "eventsLoaded": self.loaded,
            "loadPerSecond": self.load_per_second,
            "reopenSeconds": self.reopen_seconds,
            "residentBytes": self.resident_bytes,
            "diskBytesPerPayloadByte": self.disk_per_payload(),
            "seam": self.kind.seam(),
        })
    }

    pub fn to_markdown(&self, syncs: f64) -> String {
        let join = |digits: usize, divisor: f64| {
            let rates = self.appends_per_second.iter().map(|rate| format!("{:.digits$}", rate / divisor));
            rates.collect::<Vec<_>>().join(" / ")
        };
        let reopen = self
            .reopen_seconds
            .map_or_else(|| format!("over {} s", self.limit.as_secs()), |seconds| format!("{seconds:.2} s"));
        format!(
            "| {} | {} | {} | {} | {:.0} | {reopen} | {} MiB | {:.2} | {} |",
            self.kind.name(),
            join(0, 1.0),
            join(2, syncs),
            self.loaded,
            self.load_per_second,
            self.resident_bytes / (1024 * 1024),
            self.disk_per_payload(),
            self.kind.seam(),
        )
    }
}
