//! Events that are to be put aside: kept until they stand among the parked events on disk.

use std::collections::VecDeque;

use super::Item;

/// Why an event is parked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A consumer wants it so, and says why.
    Consumer(String),
    /// It was tried again as often as may be.
    Retries(u32),
}

/// An event to be parked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parking<P> {
    pub(crate) item: Item<P>,
    pub(crate) reason: Reason,
}

/// All of them, older first; those at the front may be on their way to the disk.
#[derive(Debug)]
pub(super) struct ParkingLot<P> {
    waiting: VecDeque<Parking<P>>,
    writing: usize,
}

impl<P: Clone> ParkingLot<P> {
    pub(super) fn new() -> Self {
        Self { waiting: VecDeque::new(), writing: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn add(&mut self, item: Item<P>, reason: Reason) {
        self.waiting.push_back(Parking { item, reason });
    }

    /// The next to be written, at most so many; none while others are being written.
    pub(super) fn start(&mut self, at_most: usize) -> Vec<Parking<P>> {
        if self.writing > 0 {
            return Vec::new();
        }
        self.writing = self.waiting.len().min(at_most);
        self.waiting.iter().take(self.writing).cloned().collect()
    }

    /// What was started is on disk, or not.
    pub(super) fn finish(&mut self, written: bool) -> Vec<Item<P>> {
        let count = std::mem::take(&mut self.writing);
        if !written {
            return Vec::new();
        }
        self.waiting.drain(..count).map(|parking| parking.item).collect()
    }
}
