//! What the dispatcher knows of the outboxes: a bounded part of the table, whose rows are the truth. Every row that is
//! due by the horizon is in the book, or `missed` says that one is not and the table has to be read again.
//!
//! Only the worker's term tells of rows, in the order of its transactions, and it reads the table between these: what
//! is told last is what stands there.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use uuid::Uuid;

use super::outbox::OutboxRow;
use super::row::{Phase, Row};
use super::sweep::{PageEnd, Sweep};
use crate::saga::DispatchError;
use crate::saga::courier::OutboxEntry;

/// The most commands that the book takes; one page or one row may bring it above.
pub(crate) const COMMANDS_KNOWN_MAX: usize = 20_000;

/// How far ahead rows with a deadline are known.
pub(super) const HORIZON: SignedDuration = SignedDuration::from_secs(60);

/// How often at most a full book lets go of what only waits.
pub(super) const LET_GO_PAUSE: Duration = Duration::from_secs(1);

/// Pauses before a command is sent again: doubled each time from the first to the last.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_FAILED_LAST: Duration = Duration::from_secs(10);
const PAUSE_NOT_YET_LAST: Duration = Duration::from_secs(5);

/// A clock far in the future is looked at again after so long.
const TIMER_MAX: Duration = Duration::from_secs(60);

/// One moment by both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) instant: Instant,
    pub(crate) wall: Timestamp,
}

impl Now {
    pub(crate) fn read() -> Self {
        Self { instant: Instant::now(), wall: Timestamp::now() }
    }

    /// When to look at something that is not to happen before a time of the wall clock.
    fn instant_of(self, not_before: Timestamp) -> Instant {
        let ahead = Duration::try_from(not_before.duration_since(self.wall)).unwrap_or_default();
        self.instant + ahead.min(TIMER_MAX)
    }
}

pub(crate) struct Book {
    limit: usize,
    pub(super) rows: HashMap<Uuid, Row>,
    /// How many commands the rows hold.
    pub(super) commands: usize,
    /// Rows with a command that can be sent now, each at most once: they take turns.
    turns: VecDeque<Uuid>,
    /// When a waiting command wakes: then, of which row, which.
    timers: BTreeSet<(Instant, Uuid, Uuid)>,
    pub(super) sweep: Sweep,
    pub(super) missed: bool,
    pub(super) let_go_at: Instant,
}

impl Book {
    /// A book that knows nothing and wants to read the table.
    pub(crate) fn new(limit: usize, now: Now) -> Self {
        Self {
            limit,
            rows: HashMap::new(),
            commands: 0,
            turns: VecDeque::new(),
            timers: BTreeSet::new(),
            sweep: Sweep::of_everything(now.wall + HORIZON),
            missed: false,
            let_go_at: now.instant,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.commands >= self.limit
    }

    /// A transaction wrote this row.
    pub(crate) fn written(&mut self, row: OutboxRow, now: Now) {
        if !self.rows.contains_key(&row.saga_id) {
            if !row.is_due_by(self.sweep.horizon()) {
                return;
            }
            if self.is_full() {
                self.missed = true;
                return;
            }
        }
        self.take(row, now);
    }

    /// The page that the sweep asked for. Rows that wait for later wait in the table.
    pub(crate) fn page(&mut self, rows: Vec<OutboxRow>, end: PageEnd, now: Now) {
        self.sweep.go_on(end, now.instant);
        for row in rows {
            self.take(row, now);
        }
    }

    fn take(&mut self, told: OutboxRow, now: Now) {
        let saga = told.saga_id;
        let row = self.rows.entry(saga).or_default();
        let listed = told.commands();
        let wanted: HashSet<Uuid> = listed.iter().map(|listed| listed.command_id).collect();
        let timers = &mut self.timers;
        let before = row.commands.len();
        row.commands.retain(|id, command| {
            let stays = wanted.contains(id);
            if !stays && let Phase::Waiting(wake) = command.phase {
                timers.remove(&(wake, saga, *id));
            }
            stays
        });
        for listed in listed {
            let id = listed.command_id;
            if row.commands.contains_key(&id) {
                continue;
            }
            match listed.read() {
                Ok(entry) => {
                    let wake = entry.not_before.filter(|at| *at > now.wall).map(|at| now.instant_of(at));
                    timers.extend(wake.map(|wake| (wake, saga, id)));
                    row.insert(id, Arc::new(entry), wake);
                }
                Err(error) => tracing::error!(%saga, command = %id, %error, "not an entry of an outbox"),
            }
        }
        self.commands = self.commands + row.commands.len() - before;
        self.give_turn(saga);
        self.forget_if_idle(saga);
    }

    /// Wakes what has waited long enough.
    pub(crate) fn wake(&mut self, now: Now) {
        while let Some(&(wake, saga, id)) = self.timers.first()
            && wake <= now.instant
        {
            self.timers.pop_first();
            let Some(row) = self.rows.get_mut(&saga) else { continue };
            let Some(command) = row.commands.get(&id) else { continue };
            match command.entry.not_before {
                // The clock was set back, or the timer was shorter than the wait.
                Some(at) if at > now.wall => {
                    let wake = now.instant_of(at).max(now.instant + Duration::from_millis(1));
                    row.wait(id, wake);
                    self.timers.insert((wake, saga, id));
                }
                _ => row.make_ready(id),
            }
            self.give_turn(saga);
        }
    }

    /// The next command to send; from here on it is under way.
    pub(crate) fn next(&mut self) -> Option<(Uuid, Arc<OutboxEntry>)> {
        while let Some(saga) = self.turns.pop_front() {
            let Some(row) = self.rows.get_mut(&saga) else { continue };
            row.has_turn = false;
            let next = row.send_next();
            self.give_turn(saga);
            if let Some(entry) = next {
                return Some((saga, entry));
            }
        }
        None
    }

    /// What became of a command that was under way. Says how often it was sent in vain by now.
    pub(crate) fn settle(
        &mut self,
        saga: Uuid,
        id: Uuid,
        outcome: &Result<(), DispatchError>,
        now: Now,
    ) -> u32 {
        let Some(row) = self.rows.get_mut(&saga) else { return 0 };
        let last = match outcome {
            Ok(()) => None,
            Err(DispatchError::Failed(_)) => Some(PAUSE_FAILED_LAST),
            Err(DispatchError::NotYet) => Some(PAUSE_NOT_YET_LAST),
        };
        row.in_flight -= 1;
        let mut tries = 0;
        if let Some(command) = row.commands.get_mut(&id) {
            command.phase = Phase::Answered;
            if let Some(last) = last {
                command.tries = command.tries.saturating_add(1);
                tries = command.tries;
                let wake = now.instant + pause(tries, last);
                command.phase = Phase::Waiting(wake);
                self.timers.insert((wake, saga, id));
            }
        }
        self.give_turn(saga);
        self.forget_if_idle(saga);
        tries
    }

    /// When the next of what waits wakes.
    pub(crate) fn next_timer(&self) -> Option<Instant> {
        self.timers.first().map(|(wake, ..)| *wake)
    }

    /// Lets go of every row of which nothing is under way, answered or ready.
    pub(super) fn let_go(&mut self) {
        let waiting: Vec<Uuid> =
            self.rows.iter().filter(|(_, row)| row.only_waits()).map(|(saga, _)| *saga).collect();
        for saga in waiting {
            self.forget(saga);
            self.missed = true;
        }
    }

    fn give_turn(&mut self, saga: Uuid) {
        if let Some(row) = self.rows.get_mut(&saga)
            && !row.has_turn
            && row.can_send()
        {
            row.has_turn = true;
            self.turns.push_back(saga);
        }
    }

    /// Forgets a row that has nothing to send before the horizon: the sweep finds it when its time comes.
    fn forget_if_idle(&mut self, saga: Uuid) {
        let horizon = self.sweep.horizon();
        let idle = |row: &Row| {
            row.only_waits() && row.commands.values().all(|c| c.tries == 0 && c.entry.due_at() > horizon)
        };
        if self.rows.get(&saga).is_some_and(idle) {
            self.forget(saga);
        }
    }

    fn forget(&mut self, saga: Uuid) {
        let Some(row) = self.rows.remove(&saga) else { return };
        self.commands -= row.commands.len();
        for (id, command) in row.commands {
            if let Phase::Waiting(wake) = command.phase {
                self.timers.remove(&(wake, saga, id));
            }
        }
    }
}

fn pause(tries: u32, last: Duration) -> Duration {
    PAUSE_FIRST.saturating_mul(1 << (tries.saturating_sub(1)).min(16)).min(last)
}
