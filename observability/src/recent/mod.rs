//! What happened lately, in memory with a fixed budget: log lines, and requests with their spans. It feeds pages that an
//! operator opens where no store of logs and traces runs.

mod lines;
mod requests;
mod spans;

use std::fmt;
use std::sync::Arc;

pub(crate) use self::lines::layer;
pub use self::lines::{Line, LineQuery, Lines};
pub use self::requests::{Kind, Request};
pub(crate) use self::spans::Remembering;
pub use self::spans::Span;

/// Of the budget, the part that log lines may take: one of so many.
const LINES_SHARE: usize = 4;

/// What happened lately. Clones share it.
#[derive(Clone)]
pub struct Recent {
    budget: usize,
    pub(crate) lines: Arc<lines::LineMemory>,
    pub(crate) spans: Arc<spans::SpanMemory>,
}

/// How full the memory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// What it may take at most, bytes.
    pub budget_bytes: usize,
    /// What it takes, bytes, by estimate.
    pub used_bytes: usize,
    /// How many traces are in it.
    pub traces: usize,
    /// How many log lines are in it.
    pub lines: usize,
}

impl Recent {
    /// An empty memory with a budget of so many bytes.
    pub(crate) fn new(budget: usize) -> Self {
        let lines = budget / LINES_SHARE;
        Self {
            budget,
            lines: Arc::new(lines::LineMemory::new(lines)),
            spans: Arc::new(spans::SpanMemory::new(budget - lines)),
        }
    }

    /// The requests of a kind: the slowest first, or the newest first.
    #[must_use]
    pub fn requests(&self, kind: Kind) -> Vec<Request> {
        self.spans.requests(kind)
    }

    /// The spans of a trace by their begin, with those of other traces that link to it; none when it is not in memory.
    #[must_use]
    pub fn trace(&self, trace_id: &str) -> Option<Vec<Span>> {
        self.spans.trace(trace_id)
    }

    /// Log lines, the newest first.
    #[must_use]
    pub fn lines(&self, query: &LineQuery) -> Lines {
        self.lines.find(query)
    }

    /// How full it is.
    #[must_use]
    pub fn fill(&self) -> Fill {
        let (traces, of_spans) = self.spans.fill();
        let (lines, of_lines) = self.lines.fill();
        Fill { budget_bytes: self.budget, used_bytes: of_spans + of_lines, traces, lines }
    }
}

impl fmt::Debug for Recent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recent").field(&self.fill()).finish()
    }
}
