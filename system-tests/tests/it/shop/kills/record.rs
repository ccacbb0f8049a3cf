//! The log as the test follows it, through every end of the node that serves it.

use std::collections::HashMap;

use anyhow::Result;
use contract::LogPosition;
use event_store::{EventStore, MAX_PAGE_EVENTS};
use jiff::Timestamp;
use uuid::Uuid;

/// What the log holds, as far as it was read.
#[derive(Default)]
pub struct Record {
    read_to: LogPosition,
    /// How many events of the shop there are.
    pub events: u64,
    /// How many of them no saga has caused.
    pub sent: u64,
    /// Each command that the log has answered, and when it did first.
    pub answered: HashMap<Uuid, Timestamp>,
}

impl Record {
    /// Reads on to the end.
    pub async fn read_on(&mut self, log: &EventStore) -> Result<()> {
        loop {
            let page = log.read_all(self.read_to, &[], MAX_PAGE_EVENTS).await?;
            self.read_to = page.considered;
            for event in page.events.iter().filter(|event| !event.stream.as_str().starts_with('$')) {
                self.events += 1;
                let by_saga = event.metadata.actor.as_deref().is_some_and(|actor| actor.starts_with("saga:"));
                self.sent += u64::from(!by_saga);
                self.answered.entry(event.metadata.command_id).or_insert(event.recorded_at);
            }
            if page.is_end {
                return Ok(());
            }
        }
    }
}
