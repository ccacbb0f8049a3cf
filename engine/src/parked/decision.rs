//! What a person decides about a parked row or stream: an event in the stream `projection-<name>`, which the worker of
//! each version carries out when it comes to it. So decisions survive Postgres and are part of a fold of all history.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use contract::LogPosition;
use event_store::{EventId, EventStore, Metadata, NewEvent, ReadError, RecordedEvent, Revision, StreamId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Place;
use super::key;
use crate::table::Table;

/// Before the name of the projection, in the name of the stream of its decisions.
pub(crate) const PREFIX: &str = "projection-";

const RETRIED: &str = "ParkedRetried";
const SKIPPED: &str = "ParkedSkipped";
const SCHEMA_VERSION: u32 = 1;

/// Decisions that are read at once.
const PAGE_EVENTS: usize = 1000;

/// The stream of a projection's decisions.
pub(crate) fn stream(projection: &str) -> StreamId {
    StreamId::named(&format!("{PREFIX}{projection}"))
}

/// How rows and streams are named in events and in Postgres: by view and key, or by the name of the stream.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct PlaceName {
    /// Empty for a stream.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) view: String,
    /// The key as JSON, or the stream.
    pub(crate) key: String,
}

impl PlaceName {
    pub(crate) fn new(place: &Place, tables: &[&'static Table]) -> Self {
        match place {
            Place::Row { view, key } => {
                let view = tables.get(*view).map_or_else(String::new, |table| table.name.to_owned());
                Self { view, key: key::to_json(key) }
            }
            Place::Stream(stream) => Self { view: String::new(), key: stream.as_str().to_owned() },
        }
    }

    /// For operators: view and key between slashes, or `stream/` and the name of the stream.
    pub(crate) fn shown(&self) -> String {
        match self.view.as_str() {
            "" => format!("stream/{}", self.key),
            view => format!("{view}/{}", key::shown(&self.key)),
        }
    }

    /// What it names, if there is such a view with keys of this kind.
    pub(crate) fn resolve(&self, tables: &[&'static Table]) -> Option<Place> {
        if self.view.is_empty() {
            return Some(Place::Stream(StreamId::named(&self.key)));
        }
        let view = tables.iter().position(|table| table.name == self.view)?;
        Some(Place::Row { view, key: key::from_json(tables[view].key, &self.key)? })
    }
}

/// A decision in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decision {
    /// Where it stands in the log.
    pub(crate) position: LogPosition,
    pub(crate) place: PlaceName,
    /// The event that is left out if it fails again; none only tries again.
    pub(crate) skip: Option<LogPosition>,
}

#[derive(Serialize, Deserialize)]
struct Data {
    #[serde(flatten)]
    place: PlaceName,
    /// Of the event to be left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
}

impl Decision {
    /// Reads a record; none when it is no decision that this binary knows.
    pub(crate) fn read(record: &RecordedEvent) -> Option<Self> {
        let data: Data = serde_json::from_slice(&record.data).ok()?;
        let skip = match record.event_type.as_str() {
            RETRIED => None,
            SKIPPED => Some(LogPosition(data.position?)),
            _ => return None,
        };
        Some(Self { position: record.position, place: data.place, skip })
    }
}

/// The event by which a person decides.
pub(crate) fn event(place: &PlaceName, skip: Option<LogPosition>) -> Result<NewEvent, serde_json::Error> {
    let id = Uuid::new_v4();
    let data = Data { place: place.clone(), position: skip.map(|position| position.0) };
    Ok(NewEvent {
        id: EventId(id),
        event_type: Cow::Borrowed(if skip.is_some() { SKIPPED } else { RETRIED }),
        data: serde_json::to_vec(&data)?.into(),
        metadata: Metadata::of_command(id, SCHEMA_VERSION, Timestamp::now()),
    })
}

/// Which events are to be left out where they fail, by what was decided so far.
#[derive(Debug, Default)]
pub(crate) struct Skips(HashMap<PlaceName, HashSet<LogPosition>>);

impl Skips {
    /// Reads the decisions up to a position.
    pub(crate) async fn until(
        store: &EventStore,
        projection: &str,
        position: LogPosition,
    ) -> Result<Self, ReadError> {
        let (stream, mut from) = (stream(projection), Revision::FIRST);
        let mut skips = Self::default();
        loop {
            let Some(page) = store.read_stream(&stream, from, PAGE_EVENTS).await? else { return Ok(skips) };
            for record in page.events.iter().filter(|record| record.position <= position) {
                if let Some(Decision { place, skip: Some(skip), .. }) = Decision::read(record) {
                    skips.0.entry(place).or_default().insert(skip);
                }
            }
            match page.events.last() {
                Some(last) if !page.is_end && last.position < position => from = last.revision.next(),
                _ => return Ok(skips),
            }
        }
    }

    /// Those of one place.
    pub(crate) fn of(&self, place: &PlaceName) -> HashSet<LogPosition> {
        self.0.get(place).cloned().unwrap_or_default()
    }

    /// Where there are any.
    pub(crate) fn places(&self) -> impl Iterator<Item = &PlaceName> {
        self.0.keys()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(event: NewEvent) -> RecordedEvent {
        RecordedEvent {
            stream: stream("bank"),
            id: event.id,
            revision: Revision::FIRST,
            position: LogPosition(9),
            event_type: event.event_type.into_owned(),
            data: event.data,
            metadata: event.metadata,
            recorded_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn decisions_come_back_from_the_log_and_what_is_none_is_passed_over() {
        let row = PlaceName { view: "accounts".into(), key: "[\"a\"]".into() };
        let whole = PlaceName { view: String::new(), key: "account-1".into() };
        for (place, skip) in [(&row, None), (&row, Some(LogPosition(3))), (&whole, Some(LogPosition(4)))] {
            let read = Decision::read(&recorded(event(place, skip).unwrap()));
            assert_eq!(read, Some(Decision { position: LogPosition(9), place: place.clone(), skip }));
        }
        let mut other = recorded(event(&row, None).unwrap());
        other.event_type = "ParkedForgotten".to_owned();
        assert_eq!(Decision::read(&other), None);
        (other.event_type, other.data) = (RETRIED.to_owned(), "no JSON".into());
        assert_eq!(Decision::read(&other), None);
    }
}
