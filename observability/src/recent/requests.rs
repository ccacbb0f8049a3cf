//! Which requests are kept longer than the others.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use opentelemetry::trace::TraceId;
use serde::Serialize;

/// How many of each kind.
pub(super) const KEPT_MAX: usize = 100;

/// A request is among the slow ones no longer than this.
const SLOW_FOR: Duration = Duration::from_mins(15);

/// Why requests are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The slowest of the last quarter of an hour.
    Slow,
    /// Those that failed here, the newest first.
    Failed,
    /// The newest.
    Recent,
}

/// A request that was answered.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// Its trace.
    pub trace_id: String,
    /// Its method and route.
    pub name: String,
    /// When it came.
    pub at: Timestamp,
    /// How long it took, milliseconds.
    pub duration_ms: f64,
    /// Whether it failed here.
    pub failed: bool,
    /// How many spans are known of it.
    pub spans: usize,
}

/// A request in the lists.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) trace: TraceId,
    pub(super) name: String,
    pub(super) at: SystemTime,
    pub(super) duration: Duration,
    pub(super) failed: bool,
}

/// The requests that are kept, each at most once in each list.
#[derive(Default)]
pub(super) struct Requests {
    /// The slowest first.
    slow: Vec<Entry>,
    failed: VecDeque<Entry>,
    recent: VecDeque<Entry>,
}

impl Requests {
    /// Takes one in. Gives the traces that one list less needs: of the given one once for each list that it did not come
    /// into, as it is counted for all three.
    pub(super) fn add(&mut self, entry: Entry) -> Vec<TraceId> {
        let mut left = Vec::new();
        let now = entry.at + entry.duration;
        self.slow.retain(|kept| {
            let stays = now.duration_since(kept.at).unwrap_or_default() <= SLOW_FOR;
            if !stays {
                left.push(kept.trace);
            }
            stays
        });
        let place = self.slow.partition_point(|kept| kept.duration >= entry.duration);
        self.slow.insert(place, entry.clone());
        if self.slow.len() > KEPT_MAX {
            left.extend(self.slow.pop().map(|kept| kept.trace));
        }
        if entry.failed {
            self.failed.push_back(entry.clone());
            if self.failed.len() > KEPT_MAX {
                left.extend(self.failed.pop_front().map(|kept| kept.trace));
            }
        } else {
            left.push(entry.trace);
        }
        self.recent.push_back(entry);
        if self.recent.len() > KEPT_MAX {
            left.extend(self.recent.pop_front().map(|kept| kept.trace));
        }
        left
    }

    /// Lets one go because there is no room, the least telling first.
    pub(super) fn let_go(&mut self) -> Option<TraceId> {
        let entry =
            self.recent.pop_front().or_else(|| self.slow.pop()).or_else(|| self.failed.pop_front())?;
        Some(entry.trace)
    }

    pub(super) fn of(&self, kind: Kind) -> Vec<&Entry> {
        match kind {
            Kind::Slow => self.slow.iter().collect(),
            Kind::Failed => self.failed.iter().rev().collect(),
            Kind::Recent => self.recent.iter().rev().collect(),
        }
    }
}
