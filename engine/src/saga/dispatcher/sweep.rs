//! Reading the table, page by page, oldest first: everything at the beginning and after something was missed; else,
//! now and then, what becomes due next.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use uuid::Uuid;

use super::book::{Book, HORIZON, LET_GO_PAUSE, Now};

/// How often rows are looked up that become due: well before their time.
const EXTEND_PAUSE: Duration = Duration::from_secs(20);

/// Rows due behind `after` and up to `until` are to be read, by (due, id).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageWanted {
    pub(crate) after: (Timestamp, Uuid),
    pub(crate) until: Timestamp,
}

/// Where a page ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageEnd {
    /// At this row; more may follow.
    At(Timestamp, Uuid),
    /// There was nothing more.
    OfTable,
}

/// How far the table is read.
pub(super) struct Sweep {
    /// Up to where the rows are known when the reading is done.
    until: Timestamp,
    state: State,
}

enum State {
    Reading { after: (Timestamp, Uuid) },
    Resting { next: Instant },
}

impl Sweep {
    pub(super) fn of_everything(until: Timestamp) -> Self {
        // Nothing is recorded, so nothing is due, before 1970.
        Self { until, state: State::Reading { after: (Timestamp::UNIX_EPOCH, Uuid::nil()) } }
    }

    pub(super) fn horizon(&self) -> Timestamp {
        self.until
    }

    pub(super) fn go_on(&mut self, end: PageEnd, now: Instant) {
        self.state = match end {
            PageEnd::At(due, id) => State::Reading { after: (due, id) },
            PageEnd::OfTable => State::Resting { next: now + EXTEND_PAUSE },
        };
    }
}

impl Book {
    /// The page to read now, if any. A full book lets go of what only waits: it is read again in its turn.
    pub(crate) fn page_wanted(&mut self, now: Now) -> Option<PageWanted> {
        if self.wanted_at().is_some_and(|at| now.instant < at) {
            return None;
        }
        if self.is_full() {
            self.let_go_at = now.instant + LET_GO_PAUSE;
            self.let_go();
        }
        if matches!(self.sweep.state, State::Resting { .. }) {
            let until = self.sweep.until.max(now.wall + HORIZON);
            if std::mem::take(&mut self.missed) {
                self.sweep = Sweep::of_everything(until);
            } else {
                let after = (self.sweep.until, Uuid::max());
                self.sweep = Sweep { until, state: State::Reading { after } };
            }
        }
        match self.sweep.state {
            State::Reading { after } if !self.is_full() => {
                Some(PageWanted { after, until: self.sweep.until })
            }
            _ => None,
        }
    }

    /// When a page is wanted next though nothing happens until then; none when one is wanted now.
    pub(crate) fn wanted_at(&self) -> Option<Instant> {
        let wanted_at = match self.sweep.state {
            State::Resting { next } if !self.missed => Some(next),
            _ => None,
        };
        if self.is_full() { wanted_at.max(Some(self.let_go_at)) } else { wanted_at }
    }
}
