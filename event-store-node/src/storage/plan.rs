//! What a change of a stream comes to: an answer alone, or events for its stream and perhaps for the one that holds
//! its metadata, written all or none.

use std::borrow::Cow;

use bytes::Bytes;
use contract::LogPosition;
use uuid::Uuid;

use super::StorageError;
use super::append::{
    AppendOutcome, AppendRequest, DeleteRequest, Deletion, ProposedEvent, Revision, StreamName,
};
use super::decide::{Decision, StreamState, Verdict, decide, decide_deletion};
use super::group::{GroupEvents, GroupView};
use super::known::KnownStreams;
use super::metadata;
use super::record::TOMBSTONE_REVISION;

const TOMBSTONE_TYPE: &str = "$streamDeleted";

/// What the writer is asked to do to a stream.
#[derive(Debug)]
pub(crate) enum Change {
    Append(AppendRequest),
    Delete(DeleteRequest),
}

/// What that comes to.
#[derive(Debug)]
pub(crate) enum Plan<'a> {
    /// Nothing is written.
    Answer(AppendOutcome),
    /// This is written; the answer is about the first of them.
    Write(Vec<GroupEvents<'a>>),
}

impl Change {
    /// Decides, as things will be once `view` is written.
    pub(crate) fn plan<'a>(
        &'a self,
        view: &GroupView<'_>,
        known: &mut KnownStreams,
    ) -> Result<Plan<'a>, StorageError> {
        match self {
            Self::Append(request) => append(request, view, known),
            Self::Delete(request) => delete(request, view, known),
        }
    }
}

fn append<'a>(
    request: &'a AppendRequest,
    view: &GroupView<'_>,
    known: &mut KnownStreams,
) -> Result<Plan<'a>, StorageError> {
    let (stream, key) = (&request.stream, view.shared.key(&request.stream));
    let marks = known.marks(view.shared, stream)?;
    let first = match decide(request, key, marks, view)? {
        Decision::Write { first } => first,
        Decision::Duplicate { revision, position } => {
            return Ok(answer(Some(revision), Some(position)));
        }
        Decision::Nothing { current } => return Ok(answer(current, None)),
        Decision::Refuse { current } => return Ok(refusal(current)),
        Decision::Deleted => return Ok(Plan::Answer(AppendOutcome::StreamDeleted)),
    };
    let events =
        GroupEvents { key, stream: Cow::Borrowed(stream), first, events: Cow::Borrowed(&request.events) };
    let recreation = match stream.described() {
        Some(described) => unhidden(&described, &events, view, known)?,
        None if marks.is_deleted => created_again(stream, first, view)?,
        None => None,
    };
    Ok(Plan::Write([events].into_iter().chain(recreation).collect()))
}

/// The metadata with which a deleted stream goes on: its events from `first` on are to be seen.
fn created_again(
    stream: &StreamName,
    first: u64,
    view: &GroupView<'_>,
) -> Result<Option<GroupEvents<'static>>, StorageError> {
    let Some(holder) = stream.metadata_stream() else { return Ok(None) };
    let written = view.metadata(&holder)?.unwrap_or_default();
    let key = view.shared.key(&holder);
    let revision = view.next_revision(key)?;
    Ok(metadata::recreation(&written, first).map(|event| one(Cow::Owned(holder), key, revision, event)))
}

/// Metadata written to a deleted stream takes the mark away; what is there of the stream stays hidden.
fn unhidden<'a>(
    described: &StreamName,
    written: &GroupEvents<'a>,
    view: &GroupView<'_>,
    known: &mut KnownStreams,
) -> Result<Option<GroupEvents<'a>>, StorageError> {
    let marks = known.marks(view.shared, described)?;
    if !marks.is_deleted || marks.has_tombstone {
        return Ok(None);
    }
    let first = view.next_revision(view.shared.key(described))?;
    let newest = written.events.last().filter(|event| event.is_json);
    let revision = written.first + written.events.len() as u64;
    let event = newest.and_then(|event| metadata::recreation(&event.data, first));
    Ok(event.map(|event| one(written.stream.clone(), written.key, revision, event)))
}

fn delete<'a>(
    request: &'a DeleteRequest,
    view: &GroupView<'_>,
    known: &mut KnownStreams,
) -> Result<Plan<'a>, StorageError> {
    let (stream, key) = (&request.stream, view.shared.key(&request.stream));
    let marks = known.marks(view.shared, stream)?;
    match decide_deletion(request, marks, view.last_revision(key)?) {
        Verdict::Refuse { current } => return Ok(refusal(current)),
        Verdict::Deleted => return Ok(Plan::Answer(AppendOutcome::StreamDeleted)),
        Verdict::Delete => {}
    }
    let holder = stream.metadata_stream().filter(|_| request.deletion == Deletion::Soft);
    let events = match holder {
        Some(holder) => {
            let key = view.shared.key(&holder);
            one(Cow::Owned(holder), key, view.next_revision(key)?, metadata::deletion())
        }
        None => one(Cow::Borrowed(stream), key, TOMBSTONE_REVISION, tombstone()),
    };
    Ok(Plan::Write(vec![events]))
}

fn one(
    stream: Cow<'_, StreamName>,
    key: super::StreamKey,
    revision: u64,
    event: ProposedEvent,
) -> GroupEvents<'_> {
    GroupEvents { key, stream, first: revision, events: Cow::Owned(vec![event]) }
}

fn tombstone() -> ProposedEvent {
    let (id, event_type) = (Uuid::new_v4(), TOMBSTONE_TYPE.to_owned());
    ProposedEvent { id, event_type, is_json: false, metadata: Bytes::new(), data: Bytes::new() }
}

fn answer(revision: Option<u64>, position: Option<u64>) -> Plan<'static> {
    let (revision, position) = (revision.map(Revision), position.map(LogPosition));
    Plan::Answer(AppendOutcome::Appended { revision, position })
}

fn refusal(current: Option<u64>) -> Plan<'static> {
    Plan::Answer(AppendOutcome::WrongExpectedRevision { current: current.map(Revision) })
}
