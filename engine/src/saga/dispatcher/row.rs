//! One row in the dispatcher's book.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tokio::time::Instant;
use uuid::Uuid;

use crate::saga::courier::OutboxEntry;

/// The most commands of one row that are under way at once, so that a large one leaves room for the others.
pub(super) const IN_FLIGHT_OF_ROW_MAX: usize = 32;

/// Where a command of the outbox is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// For its time, or to be sent again.
    Waiting(Instant),
    Ready,
    InFlight,
    /// Its answer stands in the log and is still to be folded.
    Answered,
}

pub(super) struct Command {
    pub(super) entry: Arc<OutboxEntry>,
    pub(super) phase: Phase,
    /// How often it was sent in vain.
    pub(super) tries: u32,
}

#[derive(Default)]
pub(super) struct Row {
    pub(super) commands: HashMap<Uuid, Command>,
    /// Those that are ready, and some that have left meanwhile.
    ready: VecDeque<Uuid>,
    /// How many are under way, also of those that have left the outbox meanwhile.
    pub(super) in_flight: usize,
    /// Whether it stands in line.
    pub(super) has_turn: bool,
}

impl Row {
    pub(super) fn insert(&mut self, id: Uuid, entry: Arc<OutboxEntry>, wake: Option<Instant>) {
        let phase = wake.map_or(Phase::Ready, Phase::Waiting);
        if phase == Phase::Ready {
            self.ready.push_back(id);
        }
        self.commands.insert(id, Command { entry, phase, tries: 0 });
    }

    pub(super) fn make_ready(&mut self, id: Uuid) {
        if let Some(command) = self.commands.get_mut(&id) {
            command.phase = Phase::Ready;
            self.ready.push_back(id);
        }
    }

    pub(super) fn wait(&mut self, id: Uuid, wake: Instant) {
        if let Some(command) = self.commands.get_mut(&id) {
            command.phase = Phase::Waiting(wake);
        }
    }

    pub(super) fn can_send(&self) -> bool {
        !self.ready.is_empty() && self.in_flight < IN_FLIGHT_OF_ROW_MAX
    }

    /// The next that is ready, under way from now on.
    pub(super) fn send_next(&mut self) -> Option<Arc<OutboxEntry>> {
        while let Some(id) = self.ready.pop_front() {
            if let Some(command) = self.commands.get_mut(&id)
                && command.phase == Phase::Ready
            {
                command.phase = Phase::InFlight;
                self.in_flight += 1;
                return Some(Arc::clone(&command.entry));
            }
        }
        None
    }

    /// Whether nothing of it is under way, ready, or answered and not yet folded.
    pub(super) fn only_waits(&self) -> bool {
        self.in_flight == 0
            && self.commands.values().all(|command| matches!(command.phase, Phase::Waiting(_)))
    }
}
