//! What cannot be folded: a row of an entity view, or a whole stream, from one event on. That event and all later ones of
//! the row or stream wait; everything else goes on.

use std::collections::HashMap;

use contract::LogPosition;
use event_store::{RecordedEvent, Revision, StreamId};
use jiff::Timestamp;

use crate::event::Recorded;
use crate::value::Value;

/// The most rows and streams of a version that may be parked: beyond it the fold is wrong, not the events.
pub(crate) const PLACES_MAX: usize = 1_000;

/// The most events of a version that may wait.
pub(crate) const WAITING_MAX: usize = 100_000;

/// What is parked as one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// A row of an entity view, by the view's number.
    Row { view: usize, key: Vec<Value> },
    /// All events of a stream, for all views.
    Stream(StreamId),
}

/// An event of which only the place in the log is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventRef {
    pub(crate) position: LogPosition,
    pub(crate) stream: StreamId,
    pub(crate) revision: Revision,
    pub(crate) event_type: String,
    pub(crate) recorded_at: Timestamp,
}

impl<E> From<&Recorded<E>> for EventRef {
    fn from(event: &Recorded<E>) -> Self {
        Self {
            position: event.position,
            stream: event.stream.clone(),
            revision: event.revision,
            event_type: event.event_type.clone(),
            recorded_at: event.recorded_at,
        }
    }
}

impl From<&RecordedEvent> for EventRef {
    fn from(event: &RecordedEvent) -> Self {
        Self {
            position: event.position,
            stream: event.stream.clone(),
            revision: event.revision,
            event_type: event.event_type.clone(),
            recorded_at: event.recorded_at,
        }
    }
}

/// A place that is parked from now on, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewlyParked {
    pub(crate) place: Place,
    /// The event that failed.
    pub(crate) event: EventRef,
    /// For operators; nothing personal.
    pub(crate) reason: String,
}

/// An event that waits at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) place: Place,
    pub(crate) position: LogPosition,
    pub(crate) stream: StreamId,
    pub(crate) revision: Revision,
}

impl Waiting {
    pub(crate) fn of<E>(place: Place, event: &Recorded<E>) -> Self {
        Self { place, position: event.position, stream: event.stream.clone(), revision: event.revision }
    }

    pub(crate) fn at(place: Place, event: &EventRef) -> Self {
        Self { place, position: event.position, stream: event.stream.clone(), revision: event.revision }
    }
}

/// What of a batch was not folded.
#[derive(Debug, Default)]
pub(crate) struct Stuck {
    pub(crate) parked: Vec<NewlyParked>,
    /// Those that failed among them.
    pub(crate) waiting: Vec<Waiting>,
}

impl Stuck {
    pub(crate) fn is_empty(&self) -> bool {
        self.parked.is_empty() && self.waiting.is_empty()
    }
}

#[derive(Debug, Clone, Copy)]
struct Since {
    position: LogPosition,
    recorded_at: Timestamp,
}

/// All that is parked of a version.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parked {
    rows: HashMap<usize, HashMap<Vec<Value>, Since>>,
    streams: HashMap<StreamId, Since>,
    /// How many events wait.
    pub(crate) waiting: usize,
}

impl Parked {
    /// Parks a place from an event on; one that is parked stays so from the earlier event on.
    pub(crate) fn insert(&mut self, place: Place, position: LogPosition, recorded_at: Timestamp) {
        let since = Since { position, recorded_at };
        let known = match place {
            Place::Row { view, key } => self.rows.entry(view).or_default().entry(key).or_insert(since),
            Place::Stream(stream) => self.streams.entry(stream).or_insert(since),
        };
        if position < known.position {
            *known = since;
        }
    }

    pub(crate) fn remove(&mut self, place: &Place) {
        match place {
            Place::Row { view, key } => {
                if let Some(of_view) = self.rows.get_mut(view) {
                    of_view.remove(key);
                }
            }
            Place::Stream(stream) => {
                self.streams.remove(stream);
            }
        }
    }

    /// From which event on the row waits.
    pub(crate) fn row(&self, view: usize, key: &[Value]) -> Option<LogPosition> {
        self.rows.get(&view)?.get(key).map(|since| since.position)
    }

    /// Whether the events of the stream wait.
    pub(crate) fn holds(&self, stream: &StreamId) -> bool {
        self.streams.contains_key(stream)
    }

    pub(crate) fn contains(&self, place: &Place) -> bool {
        self.position(place).is_some()
    }

    /// The event from which on the place waits.
    pub(crate) fn position(&self, place: &Place) -> Option<LogPosition> {
        match place {
            Place::Row { view, key } => self.row(*view, key),
            Place::Stream(stream) => self.streams.get(stream).map(|since| since.position),
        }
    }

    /// How many rows and streams.
    pub(crate) fn len(&self) -> usize {
        self.rows.values().map(HashMap::len).sum::<usize>() + self.streams.len()
    }

    /// Recorded time of the earliest event that failed.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        let rows = self.rows.values().flat_map(HashMap::values);
        rows.chain(self.streams.values()).map(|since| since.recorded_at).min()
    }
}

/// Whose turn it is to be folded.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Turn<'p> {
    /// Everything but what is parked.
    AllBut(&'p Parked),
    /// One row of one view, but for what is parked of it.
    Only(usize, &'p [Value], &'p Parked),
}

impl Turn<'_> {
    /// Whether the row is looked at.
    pub(crate) fn takes(&self, view: usize, key: &[Value]) -> bool {
        match self {
            Turn::AllBut(_) => true,
            Turn::Only(only, row, _) => *only == view && *row == key,
        }
    }

    /// From which event on the row waits.
    pub(crate) fn parked(&self, view: usize, key: &[Value]) -> Option<LogPosition> {
        let (Turn::AllBut(parked) | Turn::Only(_, _, parked)) = self;
        parked.row(view, key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_parked_from_the_earliest_event_that_failed_there() {
        let row = Place::Row { view: 1, key: vec!["a".into()] };
        let mut parked = Parked::default();
        for position in [7, 5, 9] {
            parked.insert(row.clone(), LogPosition(position), Timestamp::UNIX_EPOCH);
        }
        parked.insert(Place::Stream(StreamId::named("order-1")), LogPosition(3), Timestamp::UNIX_EPOCH);
        assert_eq!(parked.row(1, &["a".into()]), Some(LogPosition(5)));
        assert_eq!(parked.row(0, &["a".into()]), None);
        assert_eq!(parked.len(), 2);
        parked.remove(&row);
        assert!(!parked.contains(&row) && parked.holds(&StreamId::named("order-1")));
    }
}
