//! Parking: an event that cannot be folded stops its own row, or its stream, and nothing else. What waits there, what
//! people decide about it, and how they see it.

mod admin;
pub(crate) mod decision;
pub(crate) mod key;
mod place;

pub use admin::{Decided, ParkedError, ParkedPlace, WaitingEvent, list, retry, skip, waiting};
/// Whether the stream holds what people decide about what a projection has parked: it is for no view.
#[must_use]
pub fn is_decision(stream: &event_store::StreamId) -> bool {
    stream.as_str().starts_with(decision::PREFIX)
}

pub(crate) use place::{EventRef, NewlyParked, PLACES_MAX, Parked, Place, Stuck, Turn, WAITING_MAX, Waiting};
