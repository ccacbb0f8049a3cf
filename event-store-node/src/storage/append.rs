//! What an append asks and answers.

use std::fmt;

use bytes::Bytes;
use contract::LogPosition;
use uuid::Uuid;

/// No stream's name is longer, in bytes.
const MAX_STREAM_NAME_BYTES: usize = 16 * 1024;

/// The number of an event in its stream, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of a stream that can be written to: not empty, not `$$`, not the virtual `$all`, at most 16 KiB.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StreamName(String);

impl StreamName {
    /// A checked name; `None` when it is none.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Option<Self> {
        let name = name.into();
        let valid = !name.is_empty() && name != "$$" && name != "$all" && name.len() <= MAX_STREAM_NAME_BYTES;
        valid.then_some(Self(name))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where the metadata of this stream is: `$$` and its name.
    pub(crate) fn metadata_stream(&self) -> Option<Self> {
        (!self.is_metadata()).then(|| Self(format!("$${}", self.0)))
    }

    /// Whether this stream holds the metadata of another one.
    pub(crate) fn is_metadata(&self) -> bool {
        self.0.starts_with("$$")
    }

    /// The stream whose metadata is here and has a meaning: that of `$all` and of metadata streams has none.
    pub(crate) fn described(&self) -> Option<Self> {
        self.0.strip_prefix("$$").and_then(Self::new).filter(|stream| !stream.is_metadata())
    }
}

/// What the writer knows of the stream it appends to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Nothing.
    Any,
    /// It has no event.
    NoStream,
    /// It has events.
    StreamExists,
    /// Its last event has this revision.
    Revision(Revision),
}

/// An event to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposedEvent {
    /// Names the event for idempotency.
    pub id: Uuid,
    /// Its type.
    pub event_type: String,
    /// Whether the data is JSON.
    pub is_json: bool,
    /// Opaque metadata.
    pub metadata: Bytes,
    /// Opaque data.
    pub data: Bytes,
}

impl ProposedEvent {
    /// What counts towards the largest append: data, metadata and twice the type, as the protocol's server counts.
    #[must_use]
    pub fn payload_bytes(&self) -> u64 {
        (self.data.len() + self.metadata.len() + 2 * self.event_type.len()) as u64
    }
}

/// Events for one stream, written all or none, next to each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendRequest {
    /// To which stream.
    pub stream: StreamName,
    /// Under which condition.
    pub expected: Expected,
    /// What; may be empty, then only the condition is checked.
    pub events: Vec<ProposedEvent>,
}

/// How a stream is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// Its events are hidden by its metadata; an append creates it again, its revisions go on.
    Soft,
    /// A last record ends it for good.
    Tombstone,
}

/// A stream to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteRequest {
    pub(crate) stream: StreamName,
    pub(crate) expected: Expected,
    pub(crate) deletion: Deletion,
}

impl DeleteRequest {
    /// A stream to be deleted if it is as expected; `None` for one that holds another stream's metadata, which is
    /// overwritten but never deleted.
    #[must_use]
    pub fn new(stream: StreamName, expected: Expected, deletion: Deletion) -> Option<Self> {
        (!stream.is_metadata()).then_some(Self { stream, expected, deletion })
    }
}

/// What became of an append or a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendOutcome {
    /// The events are in the log and on disk, from now or, when the same ids stood there already, from before. Of a
    /// deletion: the record that deletes the stream.
    Appended {
        /// Of the last event; `None` for an empty append to an empty stream.
        revision: Option<Revision>,
        /// Of the last event; `None` for an empty append.
        position: Option<LogPosition>,
    },
    /// The stream is not as expected; nothing was written.
    WrongExpectedRevision {
        /// The stream's last revision; `None` when it has no event.
        current: Option<Revision>,
    },
    /// The stream has a tombstone, or is expected to exist and is deleted; nothing was written.
    StreamDeleted,
}
