//! How far a build is, for whoever waits for it.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use contract::LogPosition;

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// History is read and folded, and rows are loaded.
    Folding,
    /// Indexes are made and statistics taken.
    Indexing,
    /// The checksums are worked out from the tables once more, and compared.
    Checking,
    /// Nothing: the version is built.
    Done,
}

impl Phase {
    /// Every phase, in order.
    pub const ALL: [Phase; 4] = [Phase::Folding, Phase::Indexing, Phase::Checking, Phase::Done];

    /// The name in the row, in metrics and in GraphQL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Phase::Folding => "FOLDING",
            Phase::Indexing => "INDEXING",
            Phase::Checking => "CHECKING",
            Phase::Done => "DONE",
        }
    }

    /// Reads a name back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Phase> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == text)
    }
}

/// How far a build is. Whoever builds counts up, others look.
#[derive(Debug, Default)]
pub struct Progress {
    phase: AtomicU8,
    events: AtomicU64,
    rows: AtomicU64,
    position: AtomicU64,
    target: AtomicU64,
}

impl Progress {
    pub(crate) fn begin(&self, target: LogPosition) {
        self.target.store(target.0, Ordering::Relaxed);
        for count in [&self.events, &self.rows, &self.position] {
            count.store(0, Ordering::Relaxed);
        }
        self.enter(Phase::Folding);
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    pub(crate) fn folded(&self, events: u64, position: LogPosition) {
        self.events.fetch_add(events, Ordering::Relaxed);
        self.position.fetch_max(position.0, Ordering::Relaxed);
    }

    pub(crate) fn wrote(&self, rows: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
    }

    /// What is being done.
    #[must_use]
    pub fn phase(&self) -> Phase {
        let index = usize::from(self.phase.load(Ordering::Relaxed));
        Phase::ALL.get(index).copied().unwrap_or(Phase::Folding)
    }

    /// Events folded so far.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// Rows written so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// How far in the log.
    #[must_use]
    pub fn position(&self) -> LogPosition {
        LogPosition(self.position.load(Ordering::Relaxed))
    }

    /// How far it is to go.
    #[must_use]
    pub fn target(&self) -> LogPosition {
        LogPosition(self.target.load(Ordering::Relaxed))
    }
}
