//! How far the group has come, and when that is worth a checkpoint.

use std::collections::BTreeMap;
use std::time::Instant;

use super::{Place, Rules};

/// A place and how many events were considered up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    /// `None` before the first event.
    place: Option<Place>,
    number: u64,
}

/// What was read, what of it is not settled, and what the last checkpoint says.
#[derive(Debug)]
pub(super) struct Progress {
    read: Mark,
    /// By the place of an event that is not settled: the mark right before it.
    unsettled: BTreeMap<Place, Mark>,
    checkpoint: Mark,
    checkpoint_at: Instant,
    writing: Option<Mark>,
}

impl Progress {
    /// Begins after a place.
    pub(super) fn new(after: Option<Place>, now: Instant) -> Self {
        let start = Mark { place: after, number: 0 };
        Self { read: start, unsettled: BTreeMap::new(), checkpoint: start, checkpoint_at: now, writing: None }
    }

    /// The last place that was considered.
    pub(super) fn read_to(&self) -> Option<Place> {
        self.read.place
    }

    /// The next event was considered; whether it is one for the group. `false` when it was considered before.
    pub(super) fn consider(&mut self, place: Place, is_ours: bool) -> bool {
        if self.read.place.is_some_and(|read| read >= place) {
            return false;
        }
        if is_ours {
            self.unsettled.insert(place, self.read);
        }
        self.read = Mark { place: Some(place), number: self.read.number + 1 };
        true
    }

    /// Nothing more is to be done about an event.
    pub(super) fn settled(&mut self, place: Place) {
        self.unsettled.remove(&place);
    }

    /// Takes back that the events from this one on were considered; all of them must be unsettled or not the group's.
    pub(super) fn rewind(&mut self, first: Place) {
        if let Some(before) = self.unsettled.get(&first).copied() {
            self.unsettled.split_off(&first);
            self.read = before;
        }
    }

    /// Everything up to here is settled.
    fn done(&self) -> Mark {
        self.unsettled.first_key_value().map_or(self.read, |(_, before)| *before)
    }

    /// The place to be written as checkpoint now, if that is due; from then on it is being written.
    pub(super) fn start_checkpoint(&mut self, rules: &Rules, now: Instant, is_last: bool) -> Option<Place> {
        let due = is_last || self.checkpoint_due_at(rules).is_some_and(|due| due <= now);
        let done = self.done();
        if !due || self.writing.is_some() || done.number <= self.checkpoint.number {
            return None;
        }
        self.writing = Some(done);
        done.place
    }

    /// When the next checkpoint is due, as things stand.
    pub(super) fn checkpoint_due_at(&self, rules: &Rules) -> Option<Instant> {
        let count = self.done().number.saturating_sub(self.checkpoint.number);
        if count == 0 || self.writing.is_some() {
            None
        } else if count >= rules.max_checkpoint_count {
            Some(self.checkpoint_at)
        } else if count >= rules.min_checkpoint_count {
            Some(self.checkpoint_at + rules.checkpoint_after)
        } else {
            None
        }
    }

    /// The checkpoint that was being written is on disk, or not.
    pub(super) fn finish_checkpoint(&mut self, written: bool, now: Instant) {
        if let Some(mark) = self.writing.take().filter(|_| written) {
            self.checkpoint = mark;
        }
        self.checkpoint_at = now;
    }

    /// The last checkpoint that is on disk.
    #[cfg(test)]
    pub(super) fn checkpoint(&self) -> Option<Place> {
        self.checkpoint.place
    }
}
