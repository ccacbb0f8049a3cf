//! Where a projection's events come from: its own reads while it is behind, the process's live tail when it is not.

pub(crate) mod catch_up;
pub(crate) mod feed;
pub(crate) mod tail;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use contract::LogPosition;
use event_store::{RecordedEvent, Revision, StreamId};
use jiff::Timestamp;

use crate::error::DecodeFailure;
use crate::event::{Decoder, Recorded};

/// One step of a projection along the log. Positions only rise.
pub(crate) enum Item<E> {
    /// An event of the projection's categories.
    Event(Arc<Recorded<E>>),
    /// An event of our own that this projection has nothing to do with.
    Passed(LogPosition),
    /// Nothing of ours up to here.
    Considered(LogPosition),
    /// An event of the projection's categories that does not decode.
    Undecodable(Arc<Undecodable>),
}

pub(crate) struct Undecodable {
    pub(crate) event_type: String,
    pub(crate) stream: StreamId,
    pub(crate) revision: Revision,
    pub(crate) position: LogPosition,
    pub(crate) recorded_at: Timestamp,
    pub(crate) failure: DecodeFailure,
}

impl<E> Item<E> {
    pub(crate) fn position(&self) -> LogPosition {
        match self {
            Item::Event(event) => event.position,
            Item::Passed(position) | Item::Considered(position) => *position,
            Item::Undecodable(event) => event.position,
        }
    }

    /// When the log took the event; none for an item that is nothing to fold.
    pub(crate) fn pending_since(&self) -> Option<Timestamp> {
        match self {
            Item::Event(event) => Some(event.recorded_at),
            Item::Undecodable(event) => Some(event.recorded_at),
            Item::Passed(_) | Item::Considered(_) => None,
        }
    }
}

impl<E> Clone for Item<E> {
    fn clone(&self) -> Self {
        match self {
            Item::Event(event) => Item::Event(Arc::clone(event)),
            Item::Passed(position) => Item::Passed(*position),
            Item::Considered(position) => Item::Considered(*position),
            Item::Undecodable(event) => Item::Undecodable(Arc::clone(event)),
        }
    }
}

/// Decodes a record into the item that it is for a projection of its category.
pub(crate) async fn decode<E>(decoder: &dyn Decoder<E>, record: RecordedEvent) -> Item<E> {
    match decoder.decode(&record).await {
        Ok(Some(event)) => Item::Event(Arc::new(Recorded::new(event, record))),
        Ok(None) => Item::Passed(record.position),
        Err(failure) => Item::Undecodable(Arc::new(Undecodable {
            event_type: record.event_type,
            stream: record.stream,
            revision: record.revision,
            position: record.position,
            recorded_at: record.recorded_at,
            failure,
        })),
    }
}

/// The prefixes of the names of the streams of these categories.
pub(crate) fn prefixes<'c>(categories: impl IntoIterator<Item = &'c &'static str>) -> Vec<String> {
    categories.into_iter().map(|category| format!("{category}-")).collect()
}

/// The furthest position of the log that this process has seen.
#[derive(Clone, Default)]
pub(crate) struct Head(Arc<AtomicU64>);

impl Head {
    pub(crate) fn saw(&self, position: LogPosition) {
        self.0.fetch_max(position.0, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> LogPosition {
        LogPosition(self.0.load(Ordering::Relaxed))
    }
}
