//! Whatever happens in whatever order, every event is acknowledged, skipped or parked at least once, and no checkpoint
//! passes one that is not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::strategy::Strategy as Generator;
use uuid::Uuid;

use super::*;

/// Everything that can happen.
#[derive(Debug, Clone)]
enum Happening {
    Connect(usize),
    Disconnect(u8),
    Read,
    Send,
    Acknowledge(u8),
    Refuse(u8, Refusal),
    /// Somebody answers an event that may be anybody's.
    Answer(u8, u64),
    Pass(u64),
    Park {
        written: bool,
    },
    Checkpoint {
        written: bool,
    },
    Replay(Option<u64>),
    ReadParked,
    Truncate {
        written: bool,
    },
    Restart,
}

fn happening() -> impl Generator<Value = Happening> {
    let refusal = prop_oneof![Just(Refusal::Park), Just(Refusal::Retry), Just(Refusal::Skip)];
    prop_oneof![
        3 => (1..5usize).prop_map(Happening::Connect),
        1 => (0..4u8).prop_map(Happening::Disconnect),
        6 => Just(Happening::Read),
        10 => Just(Happening::Send),
        8 => (0..4u8).prop_map(Happening::Acknowledge),
        4 => (0..4u8, refusal).prop_map(|(who, refusal)| Happening::Refuse(who, refusal)),
        1 => (0..4u8, 0..60u64).prop_map(|(who, event)| Happening::Answer(who, event)),
        4 => (0..15u64).prop_map(Happening::Pass),
        4 => any::<bool>().prop_map(|written| Happening::Park { written }),
        4 => any::<bool>().prop_map(|written| Happening::Checkpoint { written }),
        1 => prop_oneof![Just(None), (0..10u64).prop_map(Some)].prop_map(Happening::Replay),
        2 => Just(Happening::ReadParked),
        2 => any::<bool>().prop_map(|written| Happening::Truncate { written }),
        1 => Just(Happening::Restart),
    ]
}

/// The world around the group: a log, the parked events and the checkpoint on disk, and who has which event.
struct World {
    rules: Rules,
    events: u64,
    group: Group<Sent>,
    now: Instant,
    /// Who has which events, in the order in which they came.
    hands: BTreeMap<ConsumerId, Vec<Sent>>,
    sizes: BTreeMap<ConsumerId, usize>,
    consumers: u64,
    checkpoint: Option<Place>,
    /// Which event stands under which revision of the parked ones.
    parked: Vec<u64>,
    truncated: u64,
    /// Acknowledged, skipped, or parked on disk at least once.
    settled: BTreeSet<u64>,
    /// Acknowledged or skipped.
    finished: BTreeSet<u64>,
}

/// What is sent: the id to answer by, and the event.
type Sent = (Uuid, u64);

/// Events that are not the group's.
fn is_foreign(event: u64) -> bool {
    event % 5 == 3
}

fn id(event: u64) -> Uuid {
    // Some events share an id.
    Uuid::from_u128(u128::from(event / 2) + 1)
}

impl World {
    fn new(rules: Rules, events: u64) -> Self {
        let now = Instant::now();
        Self {
            rules,
            events,
            group: Group::new(rules, &Start { after: None, parked: 0..0 }, now),
            now,
            hands: BTreeMap::new(),
            sizes: BTreeMap::new(),
            consumers: 0,
            checkpoint: None,
            parked: Vec::new(),
            truncated: 0,
            settled: BTreeSet::new(),
            finished: BTreeSet::new(),
        }
    }

    fn who(&self, who: u8) -> Option<ConsumerId> {
        self.hands.keys().nth(usize::from(who) % self.hands.len().max(1)).copied()
    }

    fn connect(&mut self, size: usize) {
        let consumer = ConsumerId(self.consumers);
        self.consumers += 1;
        if self.group.connect(consumer, size).is_ok() {
            self.hands.insert(consumer, Vec::new());
            self.sizes.insert(consumer, size);
        }
    }

    fn read(&mut self) {
        let from = self.group.read_to().map_or(0, |place| place.0 + 1);
        for event in (from..self.events).take(self.group.wanted(false)) {
            if is_foreign(event) {
                self.group.passed_over(Place(event));
            } else {
                self.group.arrived(Place(event), id(event), 1, (id(event), event));
            }
        }
    }

    fn send(&mut self) -> Result<(), TestCaseError> {
        let Some(delivery) = self.group.dispatch(self.now, |_| true) else { return Ok(()) };
        prop_assert!(!is_foreign(delivery.payload.1));
        prop_assert!(delivery.retry_count <= self.rules.max_retry_count);
        let hand = self.hands.get_mut(&delivery.consumer).expect("only who is connected is sent events");
        hand.push(delivery.payload);
        let (in_flight, free) = self.group.load(delivery.consumer);
        prop_assert_eq!(in_flight + free, self.sizes[&delivery.consumer]);
        Ok(())
    }

    /// The first event in a consumer's hand leaves it.
    fn take(&mut self, who: u8) -> Option<(ConsumerId, Uuid)> {
        let consumer = self.who(who)?;
        let hand = self.hands.get_mut(&consumer)?;
        if hand.is_empty() { None } else { Some((consumer, hand.remove(0).0)) }
    }

    fn acknowledge(&mut self, consumer: ConsumerId, id: Uuid) {
        if let Some(event) = self.in_flight_first(consumer, id)
            && self.group.acknowledge(consumer, id, self.now).is_some()
        {
            self.settled.insert(event);
            self.finished.insert(event);
        }
    }

    fn refuse(&mut self, consumer: ConsumerId, id: Uuid, refusal: Refusal) {
        let event = self.in_flight_first(consumer, id);
        let before = self.group.counters().skipped;
        self.group.refuse(consumer, id, refusal, "");
        if let Some(event) = event.filter(|_| self.group.counters().skipped > before) {
            self.settled.insert(event);
            self.finished.insert(event);
        }
    }

    /// Which event the group means by an id.
    fn in_flight_first(&self, consumer: ConsumerId, id: Uuid) -> Option<u64> {
        self.group.first_in_flight(consumer, id).map(|(_, event)| *event)
    }

    fn park(&mut self, written: bool) {
        let batch = self.group.start_parking(3);
        if !written || batch.is_empty() {
            self.group.finish_parking(None);
            return;
        }
        for parking in &batch {
            self.parked.push(parking.item.payload.1);
            self.settled.insert(parking.item.payload.1);
        }
        self.group.finish_parking(Some(self.parked.len() as u64 - 1));
    }

    fn read_parked(&mut self) {
        let Some(range) = self.group.wanted_parked() else { return };
        for revision in range.clone() {
            let event = self.parked[revision as usize];
            let id = Uuid::from_u128(1000 + u128::from(revision));
            self.group.unparked(revision, id, 1, (id, event));
        }
        self.group.unparked_up_to(range.end);
    }

    fn checkpoint(&mut self, written: bool) {
        let place = self.group.start_checkpoint(self.now, false);
        self.group.finish_checkpoint(written, self.now);
        if written && place.is_some() {
            self.checkpoint = place;
        }
    }

    fn truncate(&mut self, written: bool) {
        let before = self.group.start_truncation(self.now, false);
        self.group.finish_truncation(written, self.now);
        if let Some(before) = before.filter(|_| written) {
            self.truncated = before;
        }
    }

    fn restart(&mut self) {
        let start = Start { after: self.checkpoint, parked: self.truncated..self.parked.len() as u64 };
        self.group = Group::new(self.rules, &start, self.now);
        self.hands.clear();
        self.sizes.clear();
    }

    fn happen(&mut self, happening: Happening) -> Result<(), TestCaseError> {
        match happening {
            Happening::Connect(size) => self.connect(size),
            Happening::Disconnect(who) => {
                if let Some(consumer) = self.who(who) {
                    self.group.disconnect(consumer);
                    self.hands.remove(&consumer);
                    self.sizes.remove(&consumer);
                }
            }
            Happening::Read => self.read(),
            Happening::Send => self.send()?,
            Happening::Acknowledge(who) => {
                if let Some((consumer, id)) = self.take(who) {
                    self.acknowledge(consumer, id);
                }
            }
            Happening::Refuse(who, refusal) => {
                if let Some((consumer, id)) = self.take(who) {
                    self.refuse(consumer, id, refusal);
                }
            }
            Happening::Answer(who, event) => {
                if let Some(consumer) = self.who(who) {
                    self.acknowledge(consumer, id(event));
                }
            }
            Happening::Pass(seconds) => {
                self.now += Duration::from_secs(seconds);
                self.group.expire(self.now);
            }
            Happening::Park { written } => self.park(written),
            Happening::Checkpoint { written } => self.checkpoint(written),
            Happening::Replay(stop_at) => self.group.request_replay(stop_at),
            Happening::ReadParked => self.read_parked(),
            Happening::Truncate { written } => self.truncate(written),
            Happening::Restart => self.restart(),
        }
        self.check()
    }

    /// What must hold at any moment, if the process ended now.
    fn check(&self) -> Result<(), TestCaseError> {
        let passed = self.checkpoint.map_or(0, |place| place.0 + 1);
        for event in (0..passed).filter(|event| !is_foreign(*event)) {
            prop_assert!(self.settled.contains(&event), "the checkpoint passed {}", event);
        }
        let still_parked: BTreeSet<_> = self.parked[self.truncated as usize..].iter().copied().collect();
        for event in self.parked.iter().filter(|event| !self.finished.contains(event)) {
            prop_assert!(still_parked.contains(event), "{} was parked and is gone", event);
        }
        let all = self.group.buffered() + self.group.retrying() + self.group.in_flight();
        prop_assert!(
            all <= self.rules.max_held_bytes + 2 * self.rules.read_batch,
            "more is held than there is memory for: {}",
            all
        );
        Ok(())
    }

    /// Somebody comes who acknowledges everything.
    fn finish(&mut self) -> Result<(), TestCaseError> {
        for consumer in self.hands.keys().copied().collect::<Vec<_>>() {
            self.group.disconnect(consumer);
        }
        self.hands.clear();
        self.sizes.clear();
        self.connect(4);
        for _ in 0..1000 {
            self.park(true);
            self.read();
            self.send()?;
            while let Some((consumer, id)) = self.take(0) {
                self.acknowledge(consumer, id);
            }
            self.check()?;
        }
        let expected: BTreeSet<_> = (0..self.events).filter(|event| !is_foreign(*event)).collect();
        prop_assert_eq!(&self.settled, &expected, "every event, and no other");
        prop_assert_eq!((self.group.in_flight(), self.group.retrying(), self.group.buffered()), (0, 0, 0));
        let last = self.group.start_checkpoint(self.now, true).or(self.group.checkpoint());
        prop_assert_eq!(last, Some(Place(self.events - 1)));
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn nothing_is_lost(
        happenings in proptest::collection::vec(happening(), 1..250),
        events in 1..60u64,
        max_retry_count in 0..3u32,
        single: bool,
        max_held_bytes in 1..20usize,
    ) {
        let strategy = if single { super::Strategy::DispatchToSingle } else { super::Strategy::RoundRobin };
        let rules = Rules {
            strategy,
            message_timeout: Some(Duration::from_secs(10)),
            max_retry_count,
            max_consumers: Some(3),
            read_batch: 4,
            history_buffer: 9,
            live_buffer: 9,
            checkpoint_after: Duration::from_secs(3),
            min_checkpoint_count: 1,
            max_checkpoint_count: 5,
            max_held_bytes,
        };
        let mut world = World::new(rules, events);
        for happening in happenings {
            world.happen(happening)?;
        }
        world.finish()?;
    }
}
