//! Who is connected, how much room each has, and whose turn it is.

use std::collections::{HashMap, VecDeque};

use uuid::Uuid;

use super::Strategy;

/// A consumer, as long as it is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ConsumerId(pub(crate) u64);

/// A connected consumer.
#[derive(Debug)]
struct Consumer {
    buffer_size: usize,
    /// What it was sent and has not answered: the numbers of the deliveries by event id, older first. More than one
    /// when events of several streams have the same id.
    deliveries: HashMap<Uuid, VecDeque<u64>>,
    in_flight: usize,
}

/// The consumers of a group.
#[derive(Debug, Default)]
pub(super) struct Consumers {
    by_id: HashMap<ConsumerId, Consumer>,
    /// The next to be asked first.
    turns: VecDeque<ConsumerId>,
}

impl Consumers {
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub(super) fn add(&mut self, id: ConsumerId, buffer_size: usize) {
        let consumer = Consumer { buffer_size, deliveries: HashMap::new(), in_flight: 0 };
        self.by_id.insert(id, consumer);
        self.turns.push_back(id);
    }

    /// Takes a consumer away; gives the deliveries that it has not answered.
    pub(super) fn remove(&mut self, id: ConsumerId) -> Vec<u64> {
        self.turns.retain(|other| *other != id);
        let deliveries = self.by_id.remove(&id).map(|consumer| consumer.deliveries).unwrap_or_default();
        deliveries.into_values().flatten().collect()
    }

    /// Who gets the next event: nobody when all are full. `can_take` knows what else may keep a consumer from it.
    pub(super) fn choose(
        &mut self,
        strategy: Strategy,
        can_take: impl Fn(ConsumerId) -> bool,
    ) -> Option<ConsumerId> {
        for _ in 0..self.turns.len() {
            let id = *self.turns.front()?;
            let has_room =
                self.by_id.get(&id).is_some_and(|consumer| consumer.in_flight < consumer.buffer_size);
            let chosen = has_room && can_take(id);
            if !chosen || strategy == Strategy::RoundRobin {
                self.turns.rotate_left(1);
            }
            if chosen {
                return Some(id);
            }
        }
        None
    }

    /// A consumer was sent an event.
    pub(super) fn sent(&mut self, id: ConsumerId, event: Uuid, delivery: u64) {
        if let Some(consumer) = self.by_id.get_mut(&id) {
            consumer.deliveries.entry(event).or_default().push_back(delivery);
            consumer.in_flight += 1;
        }
    }

    /// A consumer answers an event: which delivery that was, if it has it.
    pub(super) fn answered(&mut self, id: ConsumerId, event: Uuid) -> Option<u64> {
        let consumer = self.by_id.get_mut(&id)?;
        let deliveries = consumer.deliveries.get_mut(&event)?;
        let delivery = deliveries.pop_front()?;
        if deliveries.is_empty() {
            consumer.deliveries.remove(&event);
        }
        consumer.in_flight -= 1;
        Some(delivery)
    }

    #[cfg(test)]
    pub(super) fn first_delivery(&self, id: ConsumerId, event: Uuid) -> Option<u64> {
        self.by_id.get(&id)?.deliveries.get(&event)?.front().copied()
    }

    /// A consumer is not waited for any longer with one delivery.
    pub(super) fn forget(&mut self, id: ConsumerId, event: Uuid, delivery: u64) {
        let Some(consumer) = self.by_id.get_mut(&id) else { return };
        let Some(deliveries) = consumer.deliveries.get_mut(&event) else { return };
        let before = deliveries.len();
        deliveries.retain(|other| *other != delivery);
        consumer.in_flight -= before - deliveries.len();
        if deliveries.is_empty() {
            consumer.deliveries.remove(&event);
        }
    }

    /// How many events a consumer has not answered, and how many more it could be sent.
    pub(super) fn load(&self, id: ConsumerId) -> (usize, usize) {
        self.by_id
            .get(&id)
            .map_or((0, 0), |consumer| (consumer.in_flight, consumer.buffer_size - consumer.in_flight))
    }
}
