//! The state machine itself.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::consumers::Consumers;
use super::in_flight::{Flight, InFlight};
use super::parking::{Parking, ParkingLot};
use super::progress::Progress;
use super::replay::Replay;
use super::{ConsumerId, Item, Origin, Place, Reason, Refusal, Rules};

/// From where a group goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Start {
    /// After this place; from the beginning when `None`.
    pub(crate) after: Option<Place>,
    /// The revisions of the parked events that are on disk.
    pub(crate) parked: Range<u64>,
}

/// The group has as many consumers as it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// An event to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivery<P> {
    pub(crate) consumer: ConsumerId,
    pub(crate) payload: P,
    pub(crate) retry_count: u32,
}

/// What the group did since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) sent: u64,
    pub(crate) acknowledged: u64,
    pub(crate) skipped: u64,
    pub(crate) retried: u64,
    pub(crate) parked_by_consumer: u64,
    pub(crate) parked_by_retries: u64,
    pub(crate) replayed: u64,
}

/// A group of competing consumers.
#[derive(Debug)]
pub(crate) struct Group<P> {
    rules: Rules,
    consumers: Consumers,
    buffer: VecDeque<Item<P>>,
    retries: BTreeMap<Origin, Item<P>>,
    in_flight: InFlight<P>,
    parking: ParkingLot<P>,
    progress: Progress,
    replay: Replay,
    held_bytes: usize,
    counters: Counters,
}

impl<P: Clone> Group<P> {
    pub(crate) fn new(rules: Rules, start: &Start, now: Instant) -> Self {
        Self {
            rules,
            consumers: Consumers::default(),
            buffer: VecDeque::new(),
            retries: BTreeMap::new(),
            in_flight: InFlight::new(),
            parking: ParkingLot::new(),
            progress: Progress::new(start.after, now),
            replay: Replay::new(&start.parked, now),
            held_bytes: 0,
            counters: Counters::default(),
        }
    }

    /// A consumer comes, with room for so many events.
    pub(crate) fn connect(&mut self, consumer: ConsumerId, buffer_size: usize) -> Result<(), Full> {
        if self.rules.max_consumers.is_some_and(|max| self.consumers.len() >= max) {
            return Err(Full);
        }
        self.consumers.add(consumer, buffer_size);
        Ok(())
    }

    /// A consumer goes: what it has not answered is tried again. When it was the last one, events that nobody was
    /// sent are let go; they are read again when somebody comes.
    pub(crate) fn disconnect(&mut self, consumer: ConsumerId) {
        for delivery in self.consumers.remove(consumer) {
            if let Some(flight) = self.in_flight.take(delivery) {
                self.try_again(flight.item);
            }
        }
        if self.consumers.is_empty()
            && let Some(Origin::Source(first)) = self.buffer.front().map(|item| item.origin)
        {
            self.progress.rewind(first);
            self.held_bytes -= self.buffer.drain(..).map(|item| item.bytes).sum::<usize>();
        }
    }

    /// How many events are to be read from what the group follows, after [`Group::read_to`].
    pub(crate) fn wanted(&self, is_live: bool) -> usize {
        let batch = self.rules.read_batch;
        let buffer =
            if is_live { self.rules.live_buffer.max(batch) } else { self.rules.history_buffer.max(batch) };
        let has_room = self.buffer.len() + batch <= buffer && self.has_memory();
        if has_room && !self.consumers.is_empty() { batch } else { 0 }
    }

    /// The last place that was considered; `None` before the first.
    pub(crate) fn read_to(&self) -> Option<Place> {
        self.progress.read_to()
    }

    /// Whether the group may take up one more event, whatever its size.
    pub(crate) fn has_memory(&self) -> bool {
        self.held_bytes < self.rules.max_held_bytes
    }

    /// The next event of what the group follows is one for the group.
    pub(crate) fn arrived(&mut self, place: Place, id: Uuid, bytes: usize, payload: P) {
        if self.progress.consider(place, true) {
            self.held_bytes += bytes;
            let origin = Origin::Source(place);
            self.buffer.push_back(Item { origin, id, bytes, retry_count: 0, payload });
        }
    }

    /// What comes next, up to a place, is not for the group.
    pub(crate) fn passed_over(&mut self, place: Place) {
        self.progress.consider(place, false);
    }

    /// Parked events are to be tried again: all, or those before a revision.
    pub(crate) fn request_replay(&mut self, stop_at: Option<u64>) {
        self.replay.request(stop_at, self.parking.len() as u64);
    }

    /// Which parked events are to be read now.
    pub(crate) fn wanted_parked(&self) -> Option<Range<u64>> {
        let has_room = self.retries.len() < self.rules.history_buffer.max(self.rules.read_batch);
        if has_room && self.has_memory() && !self.consumers.is_empty() {
            self.replay.wanted(self.rules.read_batch)
        } else {
            None
        }
    }

    /// A parked event was read to be tried again.
    pub(crate) fn unparked(&mut self, revision: u64, id: Uuid, bytes: usize, payload: P) {
        if self.replay.read(revision) {
            self.counters.replayed += 1;
            self.held_bytes += bytes;
            let origin = Origin::Parked(revision);
            self.retries.insert(origin, Item { origin, id, bytes, retry_count: 0, payload });
        }
    }

    /// The parked events before this revision were read.
    pub(crate) fn unparked_up_to(&mut self, next: u64) {
        self.replay.read_up_to(next);
    }

    /// The next event that can be sent: what is tried again comes before what was never sent.
    pub(crate) fn dispatch(
        &mut self,
        now: Instant,
        can_take: impl Fn(ConsumerId) -> bool,
    ) -> Option<Delivery<P>> {
        if self.retries.is_empty() && self.buffer.is_empty() {
            return None;
        }
        let consumer = self.consumers.choose(self.rules.strategy, can_take)?;
        let retry = self.retries.pop_first().map(|(_, item)| item);
        let item = retry.or_else(|| self.buffer.pop_front())?;
        let delivery = Delivery { consumer, payload: item.payload.clone(), retry_count: item.retry_count };
        let id = item.id;
        let deadline = self.rules.message_timeout.map(|timeout| now + timeout);
        let number = self.in_flight.add(Flight { consumer, item, sent: now, deadline });
        self.consumers.sent(consumer, id, number);
        self.counters.sent += 1;
        Some(delivery)
    }

    /// A consumer has dealt with an event. Gives how long that took, unless it does not have that event (any longer).
    pub(crate) fn acknowledge(&mut self, consumer: ConsumerId, id: Uuid, now: Instant) -> Option<Duration> {
        let flight = self.answered(consumer, id)?;
        self.counters.acknowledged += 1;
        self.settle(&flight.item);
        Some(now.saturating_duration_since(flight.sent))
    }

    /// A consumer does not want an event.
    pub(crate) fn refuse(&mut self, consumer: ConsumerId, id: Uuid, refusal: Refusal, reason: &str) {
        let Some(flight) = self.answered(consumer, id) else { return };
        match refusal {
            Refusal::Park => {
                self.counters.parked_by_consumer += 1;
                self.parking.add(flight.item, Reason::Consumer(reason.to_owned()));
            }
            Refusal::Retry => self.try_again(flight.item),
            Refusal::Skip => {
                self.counters.skipped += 1;
                self.settle(&flight.item);
            }
        }
    }

    /// Time has passed: what was not answered for too long is tried again.
    pub(crate) fn expire(&mut self, now: Instant) {
        while let Some((delivery, flight)) = self.in_flight.take_overdue(now) {
            self.consumers.forget(flight.consumer, flight.item.id, delivery);
            self.try_again(flight.item);
        }
    }

    /// When time makes a difference next.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let times = [
            self.in_flight.next_deadline(),
            self.progress.checkpoint_due_at(&self.rules),
            self.replay.truncation_due_at(),
        ];
        times.into_iter().flatten().min()
    }

    /// Events to be written to the parked ones now.
    pub(crate) fn start_parking(&mut self, at_most: usize) -> Vec<Parking<P>> {
        self.parking.start(at_most)
    }

    /// They were written, the last under this revision; or they were not, and are to be tried again.
    pub(crate) fn finish_parking(&mut self, last: Option<u64>) {
        let parked = self.parking.finish(last.is_some());
        if let Some(last) = last {
            self.replay.parked_up_to(last);
        }
        for item in parked {
            self.settle(&item);
        }
    }

    /// A checkpoint to be written now. The last one is due whatever the rules say.
    pub(crate) fn start_checkpoint(&mut self, now: Instant, is_last: bool) -> Option<Place> {
        self.progress.start_checkpoint(&self.rules, now, is_last)
    }

    /// It was written, or not.
    pub(crate) fn finish_checkpoint(&mut self, written: bool, now: Instant) {
        self.progress.finish_checkpoint(written, now);
    }

    /// Before which revision the parked events are done with and to be taken off the disk now.
    pub(crate) fn start_truncation(&mut self, now: Instant, is_last: bool) -> Option<u64> {
        self.replay.start_truncation(now, is_last)
    }

    /// They were, or not.
    pub(crate) fn finish_truncation(&mut self, written: bool, now: Instant) {
        self.replay.finish_truncation(written, now);
    }

    /// The last checkpoint that is on disk, or where the group began.
    #[cfg(test)]
    pub(crate) fn checkpoint(&self) -> Option<Place> {
        self.progress.checkpoint()
    }

    /// How many events a consumer has not answered, and how many more it could be sent.
    pub(crate) fn load(&self, consumer: ConsumerId) -> (usize, usize) {
        self.consumers.load(consumer)
    }

    /// Events waiting to be sent for the first time.
    pub(crate) fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Events waiting to be sent again.
    pub(crate) fn retrying(&self) -> usize {
        self.retries.len()
    }

    /// Events that a consumer has and has not answered.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Events that are parked, on disk or on the way there.
    pub(crate) fn parked(&self) -> u64 {
        self.replay.parked(self.parking.len() as u64)
    }

    pub(crate) fn counters(&self) -> Counters {
        self.counters
    }

    /// What an answer of a consumer with this id would be about.
    #[cfg(test)]
    pub(super) fn first_in_flight(&self, consumer: ConsumerId, id: Uuid) -> Option<&P> {
        self.in_flight.get(self.consumers.first_delivery(consumer, id)?).map(|flight| &flight.item.payload)
    }

    fn answered(&mut self, consumer: ConsumerId, id: Uuid) -> Option<Flight<P>> {
        let delivery = self.consumers.answered(consumer, id)?;
        self.in_flight.take(delivery)
    }

    fn try_again(&mut self, mut item: Item<P>) {
        if item.retry_count >= self.rules.max_retry_count {
            self.counters.parked_by_retries += 1;
            let reason = Reason::Retries(item.retry_count);
            self.parking.add(item, reason);
        } else {
            self.counters.retried += 1;
            item.retry_count += 1;
            self.retries.insert(item.origin, item);
        }
    }

    fn settle(&mut self, item: &Item<P>) {
        self.held_bytes -= item.bytes;
        match item.origin {
            Origin::Source(place) => self.progress.settled(place),
            Origin::Parked(revision) => self.replay.settled(revision),
        }
    }
}
