//! What reads and subscriptions send: recorded events with their links resolved, and the marks between them.

use std::collections::HashMap;

use bytes::Bytes;
use contract::LogPosition;

use super::uuids::{self, UuidForm};
use crate::proto::StreamIdentifier;
use crate::proto::streams::ReadResp;
use crate::proto::streams::read_resp::read_event::{Position, RecordedEvent};
use crate::proto::streams::read_resp::{
    CaughtUp, Checkpoint, Content, ReadEvent, StreamNotFound, SubscriptionConfirmation,
};
use crate::storage::{Direction, Record, Revision, Storage, StorageError};

const LINK_TYPE: &[u8] = b"$>";
const LINK_TARGET_BYTES: usize = 1;

/// How events are to be sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    pub(super) uuids: UuidForm,
    /// Whether a link is sent with the event that it points to.
    pub(super) resolve_links: bool,
}

/// An event, read for a client. May read the event that it links to.
pub(super) fn event(storage: &Storage, record: Record, form: Form) -> Result<ReadResp, StorageError> {
    let position = Some(Position::CommitPosition(record.position.0));
    let target = link_target(&record).filter(|_| form.resolve_links);
    let (event, link) = match target {
        Some((stream, revision)) => {
            let event = linked(storage, stream, revision)?.map(|event| recorded(event, form.uuids));
            (event, Some(recorded(record, form.uuids)))
        }
        None => (Some(recorded(record, form.uuids)), None),
    };
    Ok(content(Content::Event(ReadEvent { event, link, position })))
}

/// Where a link points: `<revision>@<stream>`. A link that says anything else is an event like any other.
fn link_target(record: &Record) -> Option<(&str, Revision)> {
    if record.event_type != LINK_TYPE {
        return None;
    }
    let (revision, stream) = std::str::from_utf8(&record.data).ok()?.split_once('@')?;
    Some((stream, Revision(revision.parse().ok()?)))
}

fn linked(storage: &Storage, stream: &str, revision: Revision) -> Result<Option<Record>, StorageError> {
    let page = match storage.read_stream(stream, revision, Direction::Forwards, 1, LINK_TARGET_BYTES) {
        Err(StorageError::StreamDeleted { .. }) => None,
        page => page?,
    };
    let record = page.and_then(|page| page.records.into_iter().next());
    Ok(record.filter(|record| record.revision == revision))
}

fn recorded(record: Record, form: UuidForm) -> RecordedEvent {
    let content_type = if record.is_json { "application/json" } else { "application/octet-stream" };
    let metadata = HashMap::from([
        ("type".to_owned(), record.type_name().to_owned()),
        ("created".to_owned(), record.recorded_ticks.to_string()),
        ("content-type".to_owned(), content_type.to_owned()),
    ]);
    RecordedEvent {
        id: Some(uuids::to_wire(record.id, form)),
        stream_identifier: Some(StreamIdentifier { stream_name: record.stream }),
        stream_revision: record.revision.0,
        prepare_position: record.position.0,
        commit_position: record.position.0,
        metadata,
        custom_metadata: record.metadata,
        data: record.data,
    }
}

/// The first message of a subscription.
pub(super) fn confirmation() -> ReadResp {
    let subscription_id = uuid::Uuid::new_v4().to_string();
    content(Content::Confirmation(SubscriptionConfirmation { subscription_id }))
}

/// The subscription has shown everything there was.
pub(super) fn caught_up() -> ReadResp {
    content(Content::CaughtUp(CaughtUp { timestamp: None, stream_revision: None, position: None }))
}

/// Everything up to this event was shown or filtered out.
pub(super) fn checkpoint(at: LogPosition) -> ReadResp {
    let timestamp = Some(std::time::SystemTime::now().into());
    content(Content::Checkpoint(Checkpoint { commit_position: at.0, prepare_position: at.0, timestamp }))
}

/// The stream has no event.
pub(super) fn stream_not_found(stream: &str) -> ReadResp {
    let stream_name = Bytes::copy_from_slice(stream.as_bytes());
    content(Content::StreamNotFound(StreamNotFound {
        stream_identifier: Some(StreamIdentifier { stream_name }),
    }))
}

/// The first revision that can be read.
pub(super) fn first_stream_position(revision: Revision) -> ReadResp {
    content(Content::FirstStreamPosition(revision.0))
}

/// The stream's last revision.
pub(super) fn last_stream_position(revision: Revision) -> ReadResp {
    content(Content::LastStreamPosition(revision.0))
}

fn content(content: Content) -> ReadResp {
    ReadResp { content: Some(content) }
}
