//! Whether an append or a deletion may be written: the expected revision, deleted streams, and idempotency by event id
//! (protocol sheet, 3.2, 3.3 and 3.9).

use uuid::Uuid;

use super::append::{AppendRequest, DeleteRequest, Deletion, Expected};
use super::known::Marks;
use super::{StorageError, StreamKey};

/// What the decision needs to know of the stream, appends of the same group included.
pub(crate) trait StreamState {
    /// The revision of its last event.
    fn last_revision(&self, key: StreamKey) -> Result<Option<u64>, StorageError>;
    /// Ids and positions of the events from a revision on, at most `count`. What a scavenge took away has no id.
    fn ids(&self, key: StreamKey, from: u64, count: usize) -> Result<Vec<(Option<Uuid>, u64)>, StorageError>;
    /// The revision and the position under which an id was written to it lately.
    fn recent(&self, key: StreamKey, id: Uuid) -> Option<(u64, u64)>;
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
    /// The stream is deleted.
    Deleted,
}

/// What is to be done with a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Delete the stream.
    Delete,
    /// The condition does not hold, or there is nothing to delete.
    Refuse { current: Option<u64> },
    /// The stream is deleted.
    Deleted,
}

/// Decides on an append.
pub(crate) fn decide(
    request: &AppendRequest,
    key: StreamKey,
    marks: Marks,
    stream: &impl StreamState,
) -> Result<Decision, StorageError> {
    if is_gone(request.expected, marks) {
        return Ok(Decision::Deleted);
    }
    let current = stream.last_revision(key)?;
    let last = current.map_or(-1, i128::from);
    let refused = Decision::Refuse { current };
    let accepted = if request.events.is_empty() {
        Decision::Nothing { current }
    } else {
        Decision::Write { first: current.map_or(0, |last| last + 1) }
    };
    match request.expected.named_revision() {
        None if request.expected == Expected::StreamExists && current.is_none() && !marks.has_metadata => {
            Ok(refused)
        }
        None => Ok(weak(request, key, accepted, stream).unwrap_or(refused)),
        Some(expected) if expected == last => Ok(accepted),
        Some(expected) if expected > last => Ok(refused),
        Some(expected) => Ok(match strong(request, key, (expected + 1) as u64, stream)? {
            Repeated::Whole { revision, position } => Decision::Duplicate { revision, position },
            Repeated::Not if creates_again(request.expected, marks) => accepted,
            Repeated::Not | Repeated::InPart => refused,
        }),
    }
}

/// Decides on a deletion. Deletions have no id, so none is ever taken for a repeated one.
pub(crate) fn decide_deletion(request: &DeleteRequest, marks: Marks, current: Option<u64>) -> Verdict {
    if is_gone(request.expected, marks) {
        return Verdict::Deleted;
    }
    let is_there = current.is_some() || marks.has_metadata;
    let is_as_expected = match request.expected.named_revision() {
        None => request.expected == Expected::Any || is_there,
        Some(expected) => {
            expected == current.map_or(-1, i128::from) || creates_again(request.expected, marks)
        }
    };
    let has_something_to_delete = is_there || request.deletion == Deletion::Tombstone;
    if is_as_expected && has_something_to_delete { Verdict::Delete } else { Verdict::Refuse { current } }
}

/// Whether the stream is deleted for good, or deleted while it is expected to exist.
fn is_gone(expected: Expected, marks: Marks) -> bool {
    marks.has_tombstone || (expected == Expected::StreamExists && marks.is_deleted)
}

/// A deleted stream is one without events to who expects none.
fn creates_again(expected: Expected, marks: Marks) -> bool {
    expected == Expected::NoStream && marks.is_deleted
}

/// How far the events of an append stand in the stream already.
enum Repeated {
    Whole { revision: u64, position: u64 },
    InPart,
    Not,
}

/// Every id must stand where this append would have put it.
fn strong(
    request: &AppendRequest,
    key: StreamKey,
    first: u64,
    stream: &impl StreamState,
) -> Result<Repeated, StorageError> {
    let stored = stream.ids(key, first, request.events.len())?;
    let same =
        request.events.iter().zip(&stored).take_while(|(event, (id, _))| Some(event.id) == *id).count();
    Ok(match stored.last() {
        Some((_, position)) if same == request.events.len() => {
            Repeated::Whole { revision: first + same as u64 - 1, position: *position }
        }
        _ if same == 0 => Repeated::Not,
        _ => Repeated::InPart,
    })
}

/// Without a revision to look at, ids written lately are all there is: none known is a new append, all known an old
/// one, and a first one known without the others is refused.
fn weak(
    request: &AppendRequest,
    key: StreamKey,
    accepted: Decision,
    stream: &impl StreamState,
) -> Option<Decision> {
    let mut known = request.events.iter().map(|event| stream.recent(key, event.id));
    let Some(Some(mut newest)) = known.next() else { return Some(accepted) };
    for other in known {
        newest = other?;
    }
    let (revision, position) = newest;
    Some(Decision::Duplicate { revision, position })
}
