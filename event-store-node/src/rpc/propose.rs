//! Proposed events and stream names as they come in, checked.

use std::collections::HashMap;

use bytes::Bytes;
use tonic::Status;

use super::{refuse, uuids};
use crate::proto;
use crate::storage::{ProposedEvent, StreamName};

const TYPE: &str = "type";
const CONTENT_TYPE: &str = "content-type";
const JSON: &str = "application/json";

/// An event to be written, from the fields that append and batch append share.
pub(crate) fn event(
    id: Option<&proto::Uuid>,
    mut metadata: HashMap<String, String>,
    custom_metadata: Bytes,
    data: Bytes,
) -> Result<ProposedEvent, Status> {
    let id = uuids::from_wire(id).filter(|id| !id.is_nil());
    let id = id.ok_or_else(|| refuse::invalid("an event needs an id that is not all zeros"))?;
    let (Some(event_type), Some(content_type)) = (metadata.remove(TYPE), metadata.get(CONTENT_TYPE)) else {
        return Err(refuse::missing_metadata_property());
    };
    if event_type.is_empty() {
        return Err(refuse::invalid("an event's type is not empty"));
    }
    Ok(ProposedEvent { id, event_type, is_json: content_type == JSON, metadata: custom_metadata, data })
}

/// The stream to be written to.
pub(crate) fn stream_name(identifier: Option<&proto::StreamIdentifier>) -> Result<StreamName, Status> {
    let bytes = identifier.map(|identifier| identifier.stream_name.to_vec()).unwrap_or_default();
    let name = String::from_utf8(bytes).map_err(|_| refuse::invalid("a stream's name is UTF-8"))?;
    StreamName::new(name).ok_or_else(|| {
        refuse::invalid("a stream's name is not empty, not $$, not $all, and at most 16 KiB long")
    })
}
