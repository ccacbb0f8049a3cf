//! What the sheet says of a group, one sentence a test.

use std::time::{Duration, Instant};

use uuid::Uuid;

use super::*;

const ANNE: ConsumerId = ConsumerId(1);
const BERT: ConsumerId = ConsumerId(2);

/// A group over the events 0, 1, 2 … with a clock.
struct Given {
    group: Group<u64>,
    now: Instant,
    next: u64,
}

fn rules() -> Rules {
    Rules {
        strategy: Strategy::RoundRobin,
        message_timeout: Some(Duration::from_secs(10)),
        max_retry_count: 3,
        max_consumers: None,
        read_batch: 10,
        history_buffer: 100,
        live_buffer: 100,
        checkpoint_after: Duration::from_secs(2),
        min_checkpoint_count: 2,
        max_checkpoint_count: 5,
        max_held_bytes: 1000,
    }
}

fn id(number: u64) -> Uuid {
    Uuid::from_u128(u128::from(number) + 1)
}

impl Given {
    fn new(rules: Rules) -> Self {
        let now = Instant::now();
        let group = Group::new(rules, &Start { after: None, parked: 0..0 }, now);
        Self { group, now, next: 0 }
    }

    fn consumer(mut self, consumer: ConsumerId, buffer_size: usize) -> Self {
        self.group.connect(consumer, buffer_size).expect("room");
        self
    }

    fn events(mut self, count: u64) -> Self {
        for number in self.next..self.next + count {
            self.group.arrived(Place(number), id(number), 1, number);
        }
        self.next += count;
        self
    }

    /// What is sent now: (consumer, event, retry count).
    fn sent(&mut self) -> Vec<(ConsumerId, u64, u32)> {
        let mut sent = Vec::new();
        while let Some(delivery) = self.group.dispatch(self.now, |_| true) {
            sent.push((delivery.consumer, delivery.payload, delivery.retry_count));
        }
        sent
    }

    fn numbers(&mut self) -> Vec<u64> {
        self.sent().into_iter().map(|(_, number, _)| number).collect()
    }

    fn ack(&mut self, consumer: ConsumerId, number: u64) -> bool {
        self.group.acknowledge(consumer, id(number), self.now).is_some()
    }

    fn refuse(&mut self, number: u64, refusal: Refusal) {
        self.group.refuse(ANNE, id(number), refusal, "why");
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.group.expire(self.now);
    }

    fn park(&mut self, last: u64) -> Vec<(u64, Reason)> {
        let parked = self.group.start_parking(100);
        self.group.finish_parking(Some(last));
        parked.into_iter().map(|parking| (parking.item.payload, parking.reason)).collect()
    }

    fn checkpoint(&mut self) -> Option<u64> {
        let place = self.group.start_checkpoint(self.now, false)?;
        self.group.finish_checkpoint(true, self.now);
        Some(place.0)
    }
}

#[test]
fn round_robin_takes_turns_and_passes_over_who_is_full() {
    let mut given = Given::new(rules()).consumer(ANNE, 1).consumer(BERT, 3).events(5);
    assert_eq!(given.sent(), [(ANNE, 0, 0), (BERT, 1, 0), (BERT, 2, 0), (BERT, 3, 0)]);
    assert_eq!(given.group.load(BERT), (3, 0));
    assert!(given.ack(ANNE, 0));
    assert_eq!(given.sent(), [(ANNE, 4, 0)]);
}

#[test]
fn dispatch_to_single_fills_one_before_the_next() {
    let single = Rules { strategy: Strategy::DispatchToSingle, ..rules() };
    let mut given = Given::new(single).consumer(ANNE, 2).consumer(BERT, 2).events(4);
    assert_eq!(given.sent(), [(ANNE, 0, 0), (ANNE, 1, 0), (BERT, 2, 0), (BERT, 3, 0)]);
    assert!(given.ack(BERT, 2) && given.ack(BERT, 3) && given.ack(ANNE, 0));
    assert_eq!(given.events(1).sent(), [(BERT, 4, 0)], "who was sent the last one goes on");
}

#[test]
fn what_is_retried_comes_before_what_was_never_sent() {
    let mut given = Given::new(rules()).consumer(ANNE, 1).events(3);
    assert_eq!(given.sent(), [(ANNE, 0, 0)]);
    given.refuse(0, Refusal::Retry);
    assert_eq!(given.sent(), [(ANNE, 0, 1)]);
    given.ack(ANNE, 0);
    assert_eq!(given.sent(), [(ANNE, 1, 0)]);
    given.ack(ANNE, 1);
    assert_eq!(given.sent(), [(ANNE, 2, 0)]);
    let mut wide = Given::new(rules()).consumer(ANNE, 10).events(3);
    assert_eq!(wide.numbers(), [0, 1, 2]);
    wide.refuse(0, Refusal::Retry);
    assert_eq!(wide.numbers(), [0]);
}

#[test]
fn what_is_not_answered_in_time_is_retried_and_parked_after_the_last_retry() {
    let mut given = Given::new(rules()).consumer(ANNE, 1).events(2);
    for retry_count in 0..=3 {
        assert_eq!(given.sent(), [(ANNE, 0, retry_count)]);
        given.pass(9);
        assert_eq!(given.sent(), []);
        given.pass(1);
    }
    assert_eq!(given.sent(), [(ANNE, 1, 0)]);
    assert_eq!(given.park(0), [(0, Reason::Retries(3))]);
    assert_eq!(given.group.parked(), 1);
}

#[test]
fn without_a_timeout_an_event_is_waited_for() {
    let patient = Rules { message_timeout: None, ..rules() };
    let mut given = Given::new(patient).consumer(ANNE, 1).events(2);
    assert_eq!(given.numbers(), [0]);
    given.pass(1_000_000);
    assert_eq!(given.numbers(), Vec::<u64>::new());
    assert_eq!(given.group.next_deadline(), None);
}

#[test]
fn what_a_consumer_has_when_it_goes_is_sent_to_another_in_order() {
    let mut given = Given::new(rules()).consumer(ANNE, 3).events(4);
    assert_eq!(given.numbers(), [0, 1, 2]);
    let mut given = given.consumer(BERT, 10);
    assert_eq!(given.sent(), [(BERT, 3, 0)]);
    given.ack(ANNE, 1);
    given.group.disconnect(ANNE);
    assert_eq!(given.sent(), [(BERT, 0, 1), (BERT, 2, 1)]);
    assert!(!given.ack(ANNE, 0), "who has gone has no say");
    assert!(given.ack(BERT, 0));
}

#[test]
fn events_that_nobody_was_sent_are_let_go_with_the_last_consumer_and_read_again() {
    let mut given = Given::new(rules()).consumer(ANNE, 2).events(10);
    assert_eq!(given.numbers(), [0, 1]);
    given.ack(ANNE, 0);
    given.group.disconnect(ANNE);
    assert_eq!((given.group.buffered(), given.group.read_to()), (0, Some(Place(1))));
    assert_eq!(given.group.wanted(true), 0, "nobody is there");
    given.next = 2;
    let mut given = given.consumer(BERT, 10).events(3);
    assert_eq!(given.sent(), [(BERT, 1, 1), (BERT, 2, 0), (BERT, 3, 0), (BERT, 4, 0)]);
}

#[test]
fn an_answer_to_what_is_not_in_flight_is_passed_over() {
    let mut given = Given::new(rules()).consumer(ANNE, 5).events(1);
    assert!(!given.ack(ANNE, 0), "not sent yet");
    assert_eq!(given.numbers(), [0]);
    assert!(!given.ack(BERT, 0), "not connected");
    assert!(given.ack(ANNE, 0));
    assert!(!given.ack(ANNE, 0), "answered already");
    assert_eq!(given.group.in_flight(), 0);
}

#[test]
fn two_events_of_the_same_id_are_two_events() {
    let mut given = Given::new(rules()).consumer(ANNE, 5);
    for number in 0..2 {
        given.group.arrived(Place(number), id(7), 1, number);
    }
    assert_eq!(given.numbers(), [0, 1]);
    given.group.acknowledge(ANNE, id(7), given.now).expect("the first");
    assert_eq!(given.group.in_flight(), 1);
    given.group.disconnect(ANNE);
    let mut given = given.consumer(BERT, 5);
    assert_eq!(given.numbers(), [1]);
}

#[test]
fn skipped_and_parked_events_are_settled_and_parked_ones_only_when_they_are_on_disk() {
    let eager = Rules { checkpoint_after: Duration::ZERO, min_checkpoint_count: 0, ..rules() };
    let mut given = Given::new(eager).consumer(ANNE, 5).events(3);
    assert_eq!(given.numbers(), [0, 1, 2]);
    given.refuse(0, Refusal::Skip);
    given.refuse(1, Refusal::Park);
    given.ack(ANNE, 2);
    assert_eq!(given.checkpoint(), Some(0));
    let parking = given.group.start_parking(100);
    assert_eq!(parking.len(), 1);
    assert_eq!(given.group.start_parking(100), [], "one write at a time");
    given.group.finish_parking(None);
    assert_eq!(given.checkpoint(), None, "the write failed");
    assert_eq!(given.park(0), [(1, Reason::Consumer("why".to_owned()))]);
    assert_eq!(given.checkpoint(), Some(2));
}

#[test]
fn a_checkpoint_waits_for_time_and_number_or_the_greater_number() {
    let mut given = Given::new(rules()).consumer(ANNE, 10).events(9);
    given.numbers();
    given.ack(ANNE, 0);
    given.pass(2);
    assert_eq!(given.checkpoint(), None, "too few");
    given.ack(ANNE, 1);
    assert_eq!(given.checkpoint(), Some(1));
    for number in [2, 3, 4, 6, 7] {
        given.ack(ANNE, number);
    }
    assert_eq!(given.checkpoint(), None, "too soon");
    assert_eq!(given.group.next_deadline(), Some(given.now + Duration::from_secs(2)));
    given.pass(2);
    assert_eq!(given.checkpoint(), Some(4), "5 is not settled");
    given.ack(ANNE, 5);
    given.ack(ANNE, 8);
    assert_eq!(given.checkpoint(), None);
    for number in 9..11 {
        given.group.passed_over(Place(number));
    }
    assert_eq!(given.checkpoint(), Some(10), "so many are worth one at once, those that are passed over too");
    assert_eq!(given.group.checkpoint(), Some(Place(10)));
}

#[test]
fn parked_events_come_again_as_new_and_stay_parked_until_they_are_settled() {
    let now = Instant::now();
    let mut group = Group::new(rules(), &Start { after: None, parked: 3..6 }, now);
    assert_eq!((group.parked(), group.wanted_parked()), (3, None));
    group.connect(ANNE, 10).expect("room");
    group.request_replay(Some(5));
    assert_eq!((group.parked(), group.wanted_parked()), (1, Some(3..5)));
    group.unparked(3, id(3), 1, 3);
    group.unparked(4, id(4), 1, 4);
    assert_eq!(group.wanted_parked(), None);
    let mut given = Given { group, now, next: 0 };
    given = given.events(1);
    assert_eq!(given.sent(), [(ANNE, 3, 0), (ANNE, 4, 0), (ANNE, 0, 0)]);
    given.ack(ANNE, 4);
    given.pass(1);
    assert_eq!(given.group.start_truncation(given.now, false), None, "the first is not settled");
    given.refuse(3, Refusal::Park);
    assert_eq!(given.park(6), [(3, Reason::Consumer("why".to_owned()))]);
    assert_eq!(given.group.start_truncation(given.now, false), Some(5));
    given.group.finish_truncation(true, given.now);
    assert_eq!(given.group.start_truncation(given.now, true), None);
    assert_eq!(given.group.parked(), 2, "the one that was not replayed and the one that was parked again");
}

#[test]
fn a_replay_takes_what_is_on_its_way_to_the_parked_events_too() {
    let mut given = Given::new(rules()).consumer(ANNE, 5).events(2);
    assert_eq!(given.numbers(), [0, 1]);
    given.refuse(0, Refusal::Park);
    given.group.request_replay(None);
    given.refuse(1, Refusal::Park);
    assert_eq!((given.group.parked(), given.group.wanted_parked()), (1, None), "not there yet");
    assert_eq!(given.park(1).len(), 2);
    assert_eq!((given.group.parked(), given.group.wanted_parked()), (1, Some(0..1)));
}

#[test]
fn a_group_takes_so_many_consumers() {
    let mut given = Given::new(Rules { max_consumers: Some(1), ..rules() }).consumer(ANNE, 1);
    assert_eq!(given.group.connect(BERT, 1), Err(Full));
    given.group.disconnect(ANNE);
    assert_eq!(given.group.connect(BERT, 1), Ok(()));
}

#[test]
fn no_more_is_read_than_buffers_and_memory_have_room_for() {
    let mut given = Given::new(Rules { history_buffer: 25, live_buffer: 15, ..rules() });
    assert_eq!(given.group.wanted(false), 0, "nobody is there");
    given = given.consumer(ANNE, 1).events(5);
    assert_eq!((given.group.wanted(false), given.group.wanted(true)), (10, 10));
    given = given.events(5);
    assert_eq!((given.group.wanted(false), given.group.wanted(true)), (10, 0));
    given = given.events(6);
    assert_eq!(given.group.wanted(false), 0);
    let mut large = Given::new(rules()).consumer(ANNE, 1);
    large.group.arrived(Place(0), id(0), 999, 0);
    assert_eq!(large.group.wanted(false), 10);
    large.group.arrived(Place(1), id(1), 1, 1);
    assert_eq!(large.group.wanted(false), 0);
    large.numbers();
    large.ack(ANNE, 0);
    assert_eq!(large.group.wanted(false), 10);
}
