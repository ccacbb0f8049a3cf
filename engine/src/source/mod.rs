//! Where a projection's events come from: its own reads while it is behind, the process's live tail when it is not.

pub(crate) mod catch_up;
pub(crate) mod feed;
pub(crate) mod tail;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use contract::LogPosition;
use event_store::{RecordedEvent, StreamId};
use jiff::Timestamp;

use crate::error::DecodeFailure;
use crate::event::{Decoder, Recorded};
use crate::parked::EventRef;
use crate::parked::decision::{self, Decision};
use crate::projection::Projection;

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
    /// What a person decides about something that the projection has parked.
    Decision(Arc<Decision>),
}

pub(crate) struct Undecodable {
    pub(crate) event: EventRef,
    pub(crate) failure: DecodeFailure,
}

impl Undecodable {
    /// Whether only a newer binary can go on.
    pub(crate) fn needs_upgrade(&self) -> bool {
        matches!(self.failure, DecodeFailure::NeedsUpgrade(_))
    }
}

/// What a projection takes from the log.
#[derive(Clone)]
pub(crate) struct Wanted {
    pub(crate) categories: &'static [&'static str],
    /// The stream of decisions about it.
    pub(crate) decisions: StreamId,
}

impl Wanted {
    pub(crate) fn of<E: Send + Sync + 'static>(projection: &Projection<E>) -> Self {
        Self { categories: projection.categories, decisions: decision::stream(projection.name) }
    }

    /// How the names of its streams begin. Others may begin so too.
    pub(crate) fn prefixes(&self) -> Vec<String> {
        let mut prefixes = prefixes(self.categories);
        prefixes.push(self.decisions.as_str().to_owned());
        prefixes
    }

    /// The item that a record is if it needs no decoding.
    pub(crate) fn without_decoding<E>(&self, record: &RecordedEvent) -> Option<Item<E>> {
        if record.stream == self.decisions {
            let decision = Decision::read(record);
            if decision.is_none() {
                let (position, event_type) = (record.position.0, record.event_type.as_str());
                tracing::warn!(position, event_type, "no decision that this binary knows: passed over");
            }
            return Some(decision.map_or(Item::Passed(record.position), |d| Item::Decision(Arc::new(d))));
        }
        let is_wanted = self.categories.contains(&record.stream.category());
        (!is_wanted).then_some(Item::Passed(record.position))
    }
}

impl<E> Item<E> {
    pub(crate) fn position(&self) -> LogPosition {
        match self {
            Item::Event(event) => event.position,
            Item::Passed(position) | Item::Considered(position) => *position,
            Item::Undecodable(undecodable) => undecodable.event.position,
            Item::Decision(decision) => decision.position,
        }
    }

    /// The event that it is; none for an item that is nothing to fold.
    pub(crate) fn event(&self) -> Option<EventRef> {
        match self {
            Item::Event(event) => Some(EventRef::from(&**event)),
            Item::Undecodable(undecodable) => Some(undecodable.event.clone()),
            Item::Passed(_) | Item::Considered(_) | Item::Decision(_) => None,
        }
    }

    /// When the log took the event; none for an item that is nothing to fold.
    pub(crate) fn pending_since(&self) -> Option<Timestamp> {
        match self {
            Item::Event(event) => Some(event.recorded_at),
            Item::Undecodable(undecodable) => Some(undecodable.event.recorded_at),
            Item::Passed(_) | Item::Considered(_) | Item::Decision(_) => None,
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
            Item::Decision(decision) => Item::Decision(Arc::clone(decision)),
        }
    }
}

/// Decodes a record into the item that it is for a projection of its category.
pub(crate) async fn decode<E>(decoder: &dyn Decoder<E>, record: RecordedEvent) -> Item<E> {
    match decoder.decode(&record).await {
        Ok(Some(event)) => Item::Event(Arc::new(Recorded::new(event, record))),
        Ok(None) => Item::Passed(record.position),
        Err(failure) => Item::Undecodable(Arc::new(Undecodable { event: EventRef::from(&record), failure })),
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
