//! The port to the log: typed ids, the event envelope, append, read and subscribe over the official EventStoreDB
//! client. Nothing else in the workspace uses the crate `eventstore`; what it does unexpectedly is tamed here
//! (an append without an answer is sent again, byte for byte, until the log has settled it; a connection that died
//! is replaced; a subscription is owned by one task and resumes by itself).

mod append;
mod connection;
mod envelope;
mod error;
mod identity;
mod ids;
pub mod metrics;
mod read;
mod retry;
mod subscription;
pub mod trace;

use std::sync::Arc;
use std::time::Duration;

use contract::LogIdentity;
use tokio::sync::OnceCell;

use crate::connection::Connection;

pub use append::Appended;
pub use envelope::{Metadata, NewEvent, RecordedEvent};
pub use error::{AppendError, ConnectError, ReadError};
pub use ids::{EventId, Expected, Revision, StreamId};
pub use read::{AllPage, MAX_PAGE_EVENTS, StreamPage};
pub use subscription::{Subscription, SubscriptionMessage};

/// The stream whose first event names the log.
pub const LOG_STREAM: &str = "headwater-log";

/// The most bytes one append may carry: data, metadata and type names of all its events. EventStoreDB before 25.1
/// refuses more than 1 MiB; what is left to that is room for the envelope.
pub const MAX_APPEND_BYTES: usize = 1024 * 1024 - 16 * 1024;

/// How long an append without an answer is sent again before its outcome counts as unknown.
pub const DEFAULT_APPEND_DEADLINE: Duration = Duration::from_secs(10);

/// A log: an EventStoreDB node or cluster, reached by its connection string. Cheap to clone; clones share one
/// connection.
#[derive(Clone)]
pub struct EventStore {
    connection: Arc<Connection>,
    identity: Arc<OnceCell<LogIdentity>>,
    append_deadline: Duration,
}

impl EventStore {
    /// Prepares the way to a log; the first operation connects.
    ///
    /// # Errors
    /// The string is not an `esdb://` or `esdb+discover://` connection string, or there is no Tokio runtime here.
    pub fn connect(connection_string: &str) -> Result<Self, ConnectError> {
        Ok(Self {
            connection: Arc::new(Connection::open(connection_string)?),
            identity: Arc::new(OnceCell::new()),
            append_deadline: DEFAULT_APPEND_DEADLINE,
        })
    }

    /// The same log, with another time until an append without an answer is given up as unknown.
    #[must_use]
    pub fn with_append_deadline(mut self, deadline: Duration) -> Self {
        self.append_deadline = deadline;
        self
    }
}

impl std::fmt::Debug for EventStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventStore").finish_non_exhaustive()
    }
}
