//! What reads and subscriptions send: recorded events with their links resolved, and the marks between them.

use bytes::Bytes;
use contract::LogPosition;

use super::uuids::{self, UuidForm};
use crate::links;
use crate::proto::StreamIdentifier;
use crate::proto::streams::read_resp::read_event::{Position, RecordedEvent};
use crate::proto::streams::read_resp::{
    CaughtUp, Checkpoint, Content, ReadEvent, StreamNotFound, SubscriptionConfirmation,
};
use crate::proto::streams::{Property, ReadResp};
use crate::storage::{Record, Revision, Storage, StorageError};

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
    let target = links::target(&record).filter(|_| form.resolve_links);
    let (event, link) = match target {
        Some((stream, revision)) => {
            let event = links::follow(storage, stream, revision)?.map(|event| recorded(event, form.uuids));
            (event, Some(recorded(record, form.uuids)))
        }
        None => (Some(recorded(record, form.uuids)), None),
    };
    Ok(content(Content::Event(ReadEvent { event, link, position })))
}

/// An event as it goes over the wire.
pub(super) fn recorded(record: Record, form: UuidForm) -> RecordedEvent {
    let content_type = if record.is_json { "application/json" } else { "application/octet-stream" };
    let property = |name: &'static str, value| Property { name: Bytes::from_static(name.as_bytes()), value };
    let metadata = vec![
        property("type", record.event_type),
        property("created", record.recorded_ticks.to_string().into()),
        property("content-type", Bytes::from_static(content_type.as_bytes())),
    ];
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
