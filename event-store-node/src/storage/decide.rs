//! Whether an append may be written: the expected revision and idempotency by event id (protocol sheet, 3.2 and 3.3,
//! without deleted streams).

use uuid::Uuid;

use super::append::{AppendRequest, Expected};
use super::{StorageError, StreamKey};

/// What the decision needs to know of the stream, appends of the same group included.
pub(crate) trait StreamState {
    /// The revision of its last event.
    fn last_revision(&self, key: StreamKey) -> Result<Option<u64>, StorageError>;
    /// Ids and positions of the events from a revision on, at most `count`.
    fn ids(&self, key: StreamKey, from: u64, count: usize) -> Result<Vec<(Uuid, u64)>, StorageError>;
    /// The revision under which an id was written to it lately.
    fn recent_revision(&self, key: StreamKey, id: Uuid) -> Option<u64>;
}

/// What is to be done with an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Write its events, the first under this revision.
    Write { first: u64 },
    /// It stands there already; its last event has this revision and position.
    Duplicate { revision: u64, position: u64 },
    /// It is empty and its condition holds.
    Nothing { current: Option<u64> },
    /// Its condition does not hold.
    Refuse { current: Option<u64> },
}

/// Decides on an append.
pub(crate) fn decide(
    request: &AppendRequest,
    key: StreamKey,
    stream: &impl StreamState,
) -> Result<Decision, StorageError> {
    let current = stream.last_revision(key)?;
    let last = current.map_or(-1, i128::from);
    let refused = Decision::Refuse { current };
    match request.expected.named_revision() {
        None if request.expected == Expected::StreamExists && current.is_none() => Ok(refused),
        None => Ok(weak(request, key, current, stream)?.unwrap_or(refused)),
        Some(expected) if expected == last && request.events.is_empty() => Ok(Decision::Nothing { current }),
        Some(expected) if expected == last => {
            Ok(Decision::Write { first: current.map_or(0, |last| last + 1) })
        }
        Some(expected) if expected > last || request.events.is_empty() => Ok(refused),
        Some(expected) => Ok(strong(request, key, (expected + 1) as u64, stream)?.unwrap_or(refused)),
    }
}

/// Every id must stand where this append would have put it.
fn strong(
    request: &AppendRequest,
    key: StreamKey,
    first: u64,
    stream: &impl StreamState,
) -> Result<Option<Decision>, StorageError> {
    let stored = stream.ids(key, first, request.events.len())?;
    let same = stored.len() == request.events.len()
        && request.events.iter().zip(&stored).all(|(event, (id, _))| event.id == *id);
    let last = stored.last().filter(|_| same);
    Ok(last.map(|(_, position)| Decision::Duplicate {
        revision: first + stored.len() as u64 - 1,
        position: *position,
    }))
}

/// Without a revision to look at, ids written lately are all there is: none known is a new append, all known an old
/// one, and a first one known without the others is refused.
fn weak(
    request: &AppendRequest,
    key: StreamKey,
    current: Option<u64>,
    stream: &impl StreamState,
) -> Result<Option<Decision>, StorageError> {
    let mut known = request.events.iter().map(|event| stream.recent_revision(key, event.id));
    let Some(first) = known.next() else { return Ok(Some(Decision::Nothing { current })) };
    let Some(mut revision) = first else {
        return Ok(Some(Decision::Write { first: current.map_or(0, |last| last + 1) }));
    };
    for other in known {
        let Some(other) = other else { return Ok(None) };
        revision = other;
    }
    let stored = stream.ids(key, revision, 1)?;
    Ok(stored.first().map(|(_, position)| Decision::Duplicate { revision, position: *position }))
}
