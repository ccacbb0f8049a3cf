//! The book against a table in memory: whatever happens in whatever order, nothing is sent that must not be, and all
//! is sent in the end, though the book has room for a few commands only.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use tokio::time::Instant;
use uuid::Uuid;

use super::book::{Book, Now};
use super::outbox::OutboxRow;
use super::row::IN_FLIGHT_OF_ROW_MAX;
use super::sweep::PageEnd;
use crate::document::Document;
use crate::saga::DispatchError;

const LIMIT: usize = 4;
const PAGE: usize = 2;
const BEGIN: i64 = 1_800_000_000;

fn failed() -> DispatchError {
    DispatchError::Failed("closed".to_owned())
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    recorded_at: Timestamp,
    not_before: Option<Timestamp>,
}

struct World {
    now: Now,
    book: Book,
    table: BTreeMap<Uuid, BTreeMap<Uuid, Asked>>,
    under_way: Vec<(Uuid, Uuid)>,
    answered: BTreeSet<(Uuid, Uuid)>,
    asked: u128,
}

impl World {
    fn new(limit: usize) -> World {
        let wall = Timestamp::from_second(BEGIN).unwrap();
        let now = Now { instant: Instant::now(), wall };
        World {
            now,
            book: Book::new(limit, now),
            table: BTreeMap::new(),
            under_way: Vec::new(),
            answered: BTreeSet::new(),
            asked: 0,
        }
    }

    fn row(&self, saga_id: Uuid) -> OutboxRow {
        let commands = &self.table[&saga_id];
        let entry = |(id, asked): (&Uuid, &Asked)| {
            let mut entry = serde_json::json!({"commandId": id, "causedBy": id, "correlationId": id,
                "recordedAt": asked.recorded_at, "command": "Do"});
            if let Some(not_before) = asked.not_before {
                entry["notBefore"] = serde_json::json!(not_before);
            }
            entry
        };
        let due_at = commands.values().map(|asked| asked.not_before.unwrap_or(asked.recorded_at)).min();
        let outbox: Vec<_> = commands.iter().map(entry).collect();
        OutboxRow { saga_id, due_at, outbox: Document::of(&outbox).ok() }
    }

    fn written(&mut self, saga: Uuid) {
        self.book.written(self.row(saga), self.now);
    }

    fn ask(&mut self, saga: Uuid, delay: Option<i64>) {
        self.asked += 1;
        let not_before = delay.map(|ms| self.now.wall + SignedDuration::from_millis(ms));
        let asked = Asked { recorded_at: self.now.wall, not_before };
        self.table.entry(saga).or_default().insert(Uuid::from_u128(self.asked), asked);
        self.written(saga);
    }

    fn strike(&mut self, (saga, id): (Uuid, Uuid)) {
        self.answered.remove(&(saga, id));
        if let Some(commands) = self.table.get_mut(&saga)
            && commands.remove(&id).is_some()
        {
            self.written(saga);
        }
    }

    fn read_page(&mut self) -> bool {
        let Some(wanted) = self.book.page_wanted(self.now) else { return false };
        let mut due: Vec<(Timestamp, Uuid)> = self
            .table
            .keys()
            .filter_map(|saga| Some((self.row(*saga).due_at?, *saga)))
            .filter(|at| *at > wanted.after && at.0 <= wanted.until)
            .collect();
        due.sort_unstable();
        due.truncate(PAGE);
        let end =
            if due.len() == PAGE { PageEnd::At(due[PAGE - 1].0, due[PAGE - 1].1) } else { PageEnd::OfTable };
        let rows = due.iter().map(|(_, saga)| self.row(*saga)).collect();
        self.book.page(rows, end, self.now);
        true
    }

    fn send(&mut self) -> Option<(Uuid, Uuid)> {
        self.book.wake(self.now);
        let (saga, entry) = self.book.next()?;
        let sent = (saga, entry.command_id);
        let asked = self.table[&saga].get(&sent.1).expect("only what stands in the outbox is sent");
        assert!(asked.not_before.is_none_or(|at| at <= self.now.wall), "before its time");
        assert!(!self.under_way.contains(&sent), "it is under way");
        assert!(!self.answered.contains(&sent), "it is answered");
        self.under_way.push(sent);
        assert!(self.under_way.iter().filter(|(of, _)| *of == saga).count() <= IN_FLIGHT_OF_ROW_MAX);
        Some(sent)
    }

    fn settle(&mut self, index: usize, outcome: &Result<(), DispatchError>) {
        let (saga, id) = self.under_way.swap_remove(index);
        if outcome.is_ok() {
            self.answered.insert((saga, id));
        }
        self.book.settle(saga, id, outcome, self.now);
    }

    fn pass(&mut self, time: Duration) {
        self.now.instant += time;
        self.now.wall += time;
    }

    fn is_done(&self) -> bool {
        self.table.values().all(BTreeMap::is_empty) && self.under_way.is_empty()
    }

    /// From here on everything succeeds; nobody looks before the book says so.
    fn run_out(&mut self) {
        for _ in 0..2000 {
            while self.read_page() || self.send().is_some() {}
            while !self.under_way.is_empty() {
                self.settle(0, &Ok(()));
            }
            if self.answered.is_empty() {
                if self.is_done() {
                    break;
                }
                let wakes = [self.book.next_timer(), self.book.wanted_at()];
                let wake = wakes.into_iter().flatten().min().expect("something is still to come");
                self.pass(wake.saturating_duration_since(self.now.instant) + Duration::from_millis(1));
            }
            while let Some(answered) = self.answered.first().copied() {
                self.strike(answered);
            }
        }
        assert!(self.is_done(), "left: {:?}", self.table);
        assert_eq!((self.book.rows.len(), self.book.commands), (0, 0), "nothing is kept of what is over");
        assert_eq!(self.book.next_timer(), None);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Ask(u128, Option<i64>),
    ReadPage,
    Send,
    Succeed(usize),
    Fail(usize),
    NotYet(usize),
    Fold,
    /// A row's first command is withdrawn, wherever it is.
    Withdraw(u128),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u128..6, proptest::option::weighted(0.4, -1000_i64..180_000)).prop_map(|(r, d)| Step::Ask(r, d)),
        3 => Just(Step::ReadPage),
        6 => Just(Step::Send),
        3 => any::<usize>().prop_map(Step::Succeed),
        2 => any::<usize>().prop_map(Step::Fail),
        1 => any::<usize>().prop_map(Step::NotYet),
        3 => Just(Step::Fold),
        1 => (0_u128..6).prop_map(Step::Withdraw),
        2 => (0_u64..2_000).prop_map(Step::Pass),
        1 => (0_u64..120_000).prop_map(Step::Pass),
    ]
}

fn play(world: &mut World, step: Step) {
    let under_way = world.under_way.len();
    match step {
        Step::Ask(row, delay) => world.ask(Uuid::from_u128(row), delay),
        Step::ReadPage => drop(world.read_page()),
        Step::Send => drop(world.send()),
        Step::Succeed(at) if under_way > 0 => world.settle(at % under_way, &Ok(())),
        Step::Fail(at) if under_way > 0 => world.settle(at % under_way, &Err(failed())),
        Step::NotYet(at) if under_way > 0 => world.settle(at % under_way, &Err(DispatchError::NotYet)),
        Step::Succeed(_) | Step::Fail(_) | Step::NotYet(_) => {}
        Step::Fold => {
            // The answer may be folded before whoever sent the command hears of it.
            let early = world.under_way.first().copied();
            if let Some(answered) = world.answered.first().copied().or(early) {
                world.strike(answered);
            }
        }
        Step::Withdraw(row) => {
            let saga = Uuid::from_u128(row);
            let first = world.table.get(&saga).and_then(|commands| commands.keys().next().copied());
            if let Some(id) = first {
                world.strike((saga, id));
            }
        }
        Step::Pass(ms) => world.pass(Duration::from_millis(ms)),
    }
}

proptest! {
    #[test]
    fn nothing_is_sent_that_must_not_be_and_all_is_sent_in_the_end(
        steps in proptest::collection::vec(step(), 0..120),
    ) {
        let mut world = World::new(LIMIT);
        for step in steps {
            play(&mut world, step);
        }
        world.run_out();
    }
}

#[test]
fn what_is_never_ready_does_not_keep_the_rest_out_of_a_full_book() {
    let mut world = World::new(LIMIT);
    let late = Uuid::from_u128(100);
    for saga in 0..10 {
        world.ask(Uuid::from_u128(saga), None);
        world.pass(Duration::from_millis(1));
    }
    world.ask(late, None);
    for _ in 0..20 {
        while world.read_page() || world.send().is_some() {}
        if world.under_way.iter().any(|(saga, _)| *saga == late) {
            return;
        }
        while !world.under_way.is_empty() {
            world.settle(0, &Err(DispatchError::NotYet));
        }
        world.pass(Duration::from_secs(1));
    }
    unreachable!("the last row had no turn");
}

#[test]
fn rows_take_turns_and_one_never_has_more_than_its_share_under_way() {
    let mut world = World::new(1000);
    let (large, small) = (Uuid::from_u128(1), Uuid::from_u128(2));
    for _ in 0..3 * IN_FLIGHT_OF_ROW_MAX {
        world.ask(large, None);
    }
    world.ask(small, None);
    let first: Vec<Uuid> = (0..3).filter_map(|_| Some(world.send()?.0)).collect();
    assert!(first.contains(&small), "{first:?}");
    while world.send().is_some() {}
    assert_eq!(world.under_way.len(), IN_FLIGHT_OF_ROW_MAX + 1);
    world.run_out();
}

#[test]
fn a_command_that_fails_waits_ever_longer_up_to_a_bound() {
    let pauses = |outcome: DispatchError| {
        let mut world = World::new(LIMIT);
        world.ask(Uuid::from_u128(1), None);
        let mut pauses = Vec::new();
        for _ in 0..9 {
            world.send().unwrap();
            world.settle(0, &Err(outcome.clone()));
            let wake = world.book.next_timer().unwrap();
            pauses.push((wake - world.now.instant).as_millis());
            world.pass(wake - world.now.instant);
        }
        pauses
    };
    assert_eq!(pauses(failed()), [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
    assert_eq!(pauses(DispatchError::NotYet), [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
}
