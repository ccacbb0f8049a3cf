//! A row of a saga's table, as far as sending goes.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::document::Document;
use crate::saga::courier::OutboxEntry;

pub(crate) struct OutboxRow {
    pub(crate) saga_id: Uuid,
    /// None when the outbox is empty.
    pub(crate) due_at: Option<Timestamp>,
    /// None when there is no row any more.
    pub(crate) outbox: Option<Document>,
}

/// What is looked at of every command whenever its row is told; the rest is read when it is new.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listed<'r> {
    pub(super) command_id: Uuid,
    #[serde(default)]
    not_before: Option<Timestamp>,
    #[serde(skip)]
    text: &'r str,
}

impl OutboxRow {
    /// The commands of the outbox. What is none is said and passed over.
    pub(super) fn commands(&self) -> Vec<Listed<'_>> {
        let Some(outbox) = &self.outbox else { return Vec::new() };
        let entries: Vec<&RawValue> = serde_json::from_str(outbox.as_str()).unwrap_or_else(|error| {
            tracing::error!(saga = %self.saga_id, %error, "not an outbox");
            Vec::new()
        });
        let listed = entries.into_iter().map(|entry| {
            let listed = serde_json::from_str::<Listed<'_>>(entry.get());
            listed.map(|listed| Listed { text: entry.get(), ..listed })
        });
        let told = |error: &serde_json::Error| {
            tracing::error!(saga = %self.saga_id, %error, "not an entry of an outbox");
        };
        listed.filter_map(|listed| listed.inspect_err(told).ok()).collect()
    }

    /// Whether the row has something to send by then. What is to be sent at once is due whatever the log's clock says.
    pub(super) fn is_due_by(&self, horizon: Timestamp) -> bool {
        self.due_at.is_some_and(|due| due <= horizon)
            || self.commands().iter().any(|listed| listed.not_before.is_none())
    }
}

impl Listed<'_> {
    pub(super) fn read(&self) -> Result<OutboxEntry, serde_json::Error> {
        serde_json::from_str(self.text)
    }
}
