//! The parked events: how many there are, which of them are to be tried again, and up to where they are done with. A
//! parked event that is tried again stays among the parked ones on disk until it is settled, so a crash does not lose it.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::{Duration, Instant};

/// While a replay goes on, what is done with is taken off the parked events at most so often.
const TRUNCATE_EVERY: Duration = Duration::from_secs(1);

/// The parked events by their revision among themselves.
#[derive(Debug)]
pub(super) struct Replay {
    /// The next that will be parked.
    end: u64,
    /// The next that will be read to be tried again.
    next: u64,
    /// Those before this are to be tried again.
    until: u64,
    /// Read, and not settled.
    unsettled: BTreeSet<u64>,
    /// Those before this are gone from the disk.
    truncated: u64,
    truncated_at: Instant,
    writing: Option<u64>,
}

impl Replay {
    /// Begins with the parked events that are on disk.
    pub(super) fn new(parked: &Range<u64>, now: Instant) -> Self {
        Self {
            end: parked.end,
            next: parked.start,
            until: parked.start,
            unsettled: BTreeSet::new(),
            truncated: parked.start,
            truncated_at: now,
            writing: None,
        }
    }

    /// How many are parked and not to be tried again, with so many that are on their way there.
    pub(super) fn parked(&self, on_the_way: u64) -> u64 {
        (self.end + on_the_way).saturating_sub(self.next.max(self.until))
    }

    /// Events were parked, the last under this revision.
    pub(super) fn parked_up_to(&mut self, last: u64) {
        self.end = self.end.max(last + 1);
    }

    /// All parked events, or those before a revision, are to be tried again, those that are on their way too.
    pub(super) fn request(&mut self, stop_at: Option<u64>, on_the_way: u64) {
        let end = self.end + on_the_way;
        let until = stop_at.map_or(end, |stop_at| stop_at.min(end));
        self.until = self.until.max(until);
    }

    /// What is to be read of the parked events next.
    pub(super) fn wanted(&self, at_most: usize) -> Option<Range<u64>> {
        let end = self.until.min(self.end).min(self.next.saturating_add(at_most as u64));
        (self.next < end).then_some(self.next..end)
    }

    /// A parked event was read to be tried again. `false` when it was read before.
    pub(super) fn read(&mut self, revision: u64) -> bool {
        if revision < self.next {
            return false;
        }
        self.unsettled.insert(revision);
        self.next = revision + 1;
        true
    }

    /// The parked events before this revision were read, however many of them were still there.
    pub(super) fn read_up_to(&mut self, next: u64) {
        self.next = self.next.max(next);
    }

    pub(super) fn settled(&mut self, revision: u64) {
        self.unsettled.remove(&revision);
    }

    fn done(&self) -> u64 {
        self.unsettled.first().copied().unwrap_or(self.next)
    }

    /// Before which revision the parked events are to be taken off the disk now; from then on that is being written.
    pub(super) fn start_truncation(&mut self, now: Instant, is_last: bool) -> Option<u64> {
        if !(is_last || self.truncation_due_at().is_some_and(|due| due <= now))
            || self.writing.is_some()
            || self.done() <= self.truncated
        {
            return None;
        }
        self.writing = Some(self.done());
        self.writing
    }

    /// When that is due, as things stand: at once when the replay is over.
    pub(super) fn truncation_due_at(&self) -> Option<Instant> {
        if self.writing.is_some() || self.done() <= self.truncated {
            return None;
        }
        let is_over = self.unsettled.is_empty() && self.next >= self.until;
        Some(if is_over { self.truncated_at } else { self.truncated_at + TRUNCATE_EVERY })
    }

    /// What was being written is on disk, or not.
    pub(super) fn finish_truncation(&mut self, written: bool, now: Instant) {
        if let Some(before) = self.writing.take().filter(|_| written) {
            self.truncated = before;
        }
        self.truncated_at = now;
    }
}
