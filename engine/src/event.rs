//! A decoded event with its envelope, and who decodes it.

use async_trait::async_trait;
use contract::LogPosition;
use event_store::{EventId, Metadata, RecordedEvent, Revision, StreamId};
use jiff::Timestamp;

use crate::error::DecodeFailure;
use crate::value::whole_microseconds;

/// One event of the log as views fold it. Its times are in whole microseconds, as Postgres keeps them.
#[derive(Debug, Clone)]
pub struct Recorded<E> {
    /// What happened.
    pub event: E,
    /// The name of the type in the log.
    pub event_type: String,
    /// In which stream.
    pub stream: StreamId,
    /// The event's id.
    pub id: EventId,
    /// Its number in the stream, from 0.
    pub revision: Revision,
    /// Its place in the log.
    pub position: LogPosition,
    /// When the log took it.
    pub recorded_at: Timestamp,
    /// When it happened, as its writer said (recorded time when it said nothing).
    pub occurred_at: Timestamp,
    /// The rest of the envelope.
    pub metadata: Metadata,
}

impl<E> Recorded<E> {
    /// Puts a decoded event into the envelope it was recorded with.
    #[must_use]
    pub fn new(event: E, record: RecordedEvent) -> Self {
        Self {
            event,
            event_type: record.event_type,
            stream: record.stream,
            id: record.id,
            revision: record.revision,
            position: record.position,
            recorded_at: whole_microseconds(record.recorded_at),
            occurred_at: whole_microseconds(record.metadata.occurred_at),
            metadata: record.metadata,
        }
    }
}

/// Turns recorded bytes into events.
#[async_trait]
pub trait Decoder<E>: Send + Sync {
    /// The event; none for a type that this binary does not know, which is passed over.
    ///
    /// # Errors
    /// [`DecodeFailure`], which says what becomes of the projection.
    async fn decode(&self, record: &RecordedEvent) -> Result<Option<E>, DecodeFailure>;
}
