//! A group of competing consumers as a state machine (protocol sheet, 5.6): which event goes to whom, what becomes of it
//! when it is acknowledged, refused or forgotten, what is parked, and how far the group has come. It knows no log, no
//! clock and no connection; all of these are told to it.
//!
//! An event that was considered is in exactly one place: `buffer`, `in_flight`, `retries` or `parking`, until it is
//! settled. The checkpoint never passes an event that is not settled, so whatever ends the process, what was not settled
//! comes again.

mod consumers;
mod group;
mod in_flight;
mod parking;
mod progress;
#[cfg(test)]
mod property;
mod replay;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(crate) use consumers::ConsumerId;
pub(crate) use group::{Counters, Full, Group, Start};
pub(crate) use parking::{Parking, Reason};

/// Where an event stands in what the group follows: its revision in a stream, or its position in everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place(pub(crate) u64);

/// Where an event came from. What is replayed from the parked events comes after everything else that is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// From what the group follows.
    Source(Place),
    /// From the parked events, where it has this revision.
    Parked(u64),
}

/// An event on its way through the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item<P> {
    pub(crate) origin: Origin,
    /// By which a consumer acknowledges it.
    pub(crate) id: Uuid,
    /// The memory that it takes.
    pub(crate) bytes: usize,
    /// How often it was sent before.
    pub(crate) retry_count: u32,
    /// What is sent.
    pub(crate) payload: P,
}

/// Who gets the next event. In the definition of a group it has the protocol's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Strategy {
    /// The consumer whose turn it is, if it has room; then it is the next one's turn.
    RoundRobin,
    /// The same consumer as long as it has room.
    DispatchToSingle,
}

impl Strategy {
    /// As the protocol names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::RoundRobin => "RoundRobin",
            Self::DispatchToSingle => "DispatchToSingle",
        }
    }
}

/// The settings that the state machine goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) strategy: Strategy,
    /// After which an event that was sent and not answered is tried again; never when `None`.
    pub(crate) message_timeout: Option<Duration>,
    /// An event that was tried again so often is parked.
    pub(crate) max_retry_count: u32,
    /// How many consumers there may be; any number when `None`.
    pub(crate) max_consumers: Option<usize>,
    /// Events read at a time.
    pub(crate) read_batch: usize,
    /// Events kept to be sent while the group is behind.
    pub(crate) history_buffer: usize,
    /// Events kept to be sent while the group is at the end of what it follows.
    pub(crate) live_buffer: usize,
    /// The least time between two checkpoints, but for `max_checkpoint_count`.
    pub(crate) checkpoint_after: Duration,
    /// Fewer events than this are not worth a checkpoint.
    pub(crate) min_checkpoint_count: u64,
    /// So many events are worth one at once.
    pub(crate) max_checkpoint_count: u64,
    /// Above so many bytes in all its places the group takes up no more events.
    pub(crate) max_held_bytes: usize,
}

/// What a consumer says of an event that it does not acknowledge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Put it aside.
    Park,
    /// Send it again.
    Retry,
    /// Have done with it.
    Skip,
}
