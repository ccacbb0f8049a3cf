//! What was sent and is not answered yet.

use std::collections::BTreeMap;
use std::time::Instant;

use super::{ConsumerId, Item};

/// An event that a consumer has.
#[derive(Debug)]
pub(super) struct Flight<P> {
    pub(super) consumer: ConsumerId,
    pub(super) item: Item<P>,
    pub(super) sent: Instant,
    /// When it is not waited for any longer.
    pub(super) deadline: Option<Instant>,
}

/// All of them by the number of their delivery. The timeout is the same for all, so who was sent first is due first.
#[derive(Debug)]
pub(super) struct InFlight<P> {
    flights: BTreeMap<u64, Flight<P>>,
    next: u64,
}

impl<P> InFlight<P> {
    pub(super) fn new() -> Self {
        Self { flights: BTreeMap::new(), next: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.flights.len()
    }

    /// Keeps an event that was sent; gives the number of the delivery.
    pub(super) fn add(&mut self, flight: Flight<P>) -> u64 {
        let delivery = self.next;
        self.next += 1;
        self.flights.insert(delivery, flight);
        delivery
    }

    pub(super) fn take(&mut self, delivery: u64) -> Option<Flight<P>> {
        self.flights.remove(&delivery)
    }

    #[cfg(test)]
    pub(super) fn get(&self, delivery: u64) -> Option<&Flight<P>> {
        self.flights.get(&delivery)
    }

    /// The first that is overdue.
    pub(super) fn take_overdue(&mut self, now: Instant) -> Option<(u64, Flight<P>)> {
        let due = self.next_deadline().is_some_and(|deadline| deadline <= now);
        if due { self.flights.pop_first() } else { None }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.flights.first_key_value().and_then(|(_, flight)| flight.deadline)
    }
}
