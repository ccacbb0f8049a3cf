//! An event as a group holds it while it is on its way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::system_streams;
use crate::links::{self, LINK_TYPE};
use crate::storage::{ProposedEvent, Record, Storage, StorageError};

/// What an event takes beside its own bytes, about.
const OVERHEAD_BYTES: usize = 512;
/// So much of a reason is kept with a parked event.
const MAX_REASON_CHARS: usize = 1000;

/// An event, with the one that it links to.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) record: Record,
    /// `None`: it is sent as it is. Otherwise what its link points to, if that can be read.
    pub(super) target: Option<Option<Record>>,
    /// What it is parked as: a link's data.
    park_as: String,
    pub(super) bytes: usize,
}

/// How many bytes wait for a consumer to be read.
#[derive(Debug, Clone, Default)]
pub(super) struct Unread(Arc<AtomicUsize>);

impl Unread {
    pub(super) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// An event sent to a consumer; unread as long as it is there.
#[derive(Debug)]
pub(crate) struct Event {
    held: Arc<Held>,
    unread: Unread,
    pub(crate) retry_count: u32,
}

impl Drop for Event {
    fn drop(&mut self) {
        self.unread.0.fetch_sub(self.held.bytes, Ordering::Relaxed);
    }
}

impl Event {
    pub(super) fn new(held: Arc<Held>, retry_count: u32, unread: &Unread) -> Self {
        unread.0.fetch_add(held.bytes, Ordering::Relaxed);
        Self { held, unread: unread.clone(), retry_count }
    }

    /// The record that stands in what the group follows.
    pub(crate) fn record(&self) -> &Record {
        &self.held.record
    }

    /// What that links to, when links are resolved and it is one; `Some(None)` when that cannot be read.
    pub(crate) fn target(&self) -> Option<Option<&Record>> {
        self.held.target.as_ref().map(Option::as_ref)
    }
}

impl Held {
    /// An event of what the group follows.
    pub(super) fn new(storage: &Storage, record: Record, resolve_links: bool) -> Result<Self, StorageError> {
        let park_as = format!("{}@{}", record.revision, record.stream_name());
        let link = links::target(&record).filter(|_| resolve_links);
        let target = link.map(|(stream, revision)| links::follow(storage, stream, revision)).transpose()?;
        Ok(Self::of(record, target, park_as))
    }

    /// A parked event: the link that it was parked as, and what it stands for. Where the parked event was a link that
    /// the group resolves, that is what this one points to.
    pub(super) fn parked(
        storage: &Storage,
        record: Record,
        resolve_links: bool,
    ) -> Result<Self, StorageError> {
        let Some((stream, revision)) = links::target(&record) else {
            // Somebody else's event in the system stream: it is delivered as it is.
            return Self::new(storage, record, false);
        };
        let mut target = links::follow(storage, stream, revision)?;
        if resolve_links
            && let Some((stream, revision)) = target.as_ref().and_then(links::target)
            && let Some(event) = links::follow(storage, stream, revision)?
        {
            target = Some(event);
        }
        let park_as = String::from_utf8_lossy(&record.data).into_owned();
        Ok(Self::of(record, Some(target), park_as))
    }

    fn of(record: Record, target: Option<Option<Record>>, park_as: String) -> Self {
        let record = detached(record);
        let target = target.map(|target| target.map(detached));
        let linked = target.iter().flatten().map(size).sum::<usize>();
        let bytes = OVERHEAD_BYTES + size(&record) + linked + park_as.len();
        Self { record, target, park_as, bytes }
    }

    /// The event that parks this one.
    pub(super) fn parking(&self, reason: &str) -> ProposedEvent {
        let added = prost_types::Timestamp::from(std::time::SystemTime::now()).to_string();
        let reason: String = reason.chars().take(MAX_REASON_CHARS).collect();
        let number = self.record.revision.0;
        let metadata =
            serde_json::json!({ "added": added, "reason": reason, "subscriptionEventNumber": number });
        system_streams::event(LINK_TYPE, false, &self.park_as, metadata.to_string())
    }
}

fn size(record: &Record) -> usize {
    record.stream.len() + record.event_type.len() + record.metadata.len() + record.data.len()
}

/// The record with bytes of its own: as it was read, it keeps the whole block of the log in memory.
fn detached(record: Record) -> Record {
    let mut bytes = Vec::with_capacity(size(&record));
    for part in [&record.stream, &record.event_type, &record.metadata, &record.data] {
        bytes.extend_from_slice(part);
    }
    let mut rest = Bytes::from(bytes);
    let stream = rest.split_to(record.stream.len());
    let event_type = rest.split_to(record.event_type.len());
    let metadata = rest.split_to(record.metadata.len());
    Record { stream, event_type, metadata, data: rest, ..record }
}
