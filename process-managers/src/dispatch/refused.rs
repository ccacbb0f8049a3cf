//! The event that a command leaves when it left no other.

use std::borrow::Cow;

use domain::{codec, process};
use engine::DispatchError;
use event_store::{AppendError, EventId, EventStore, Expected, NewEvent, StreamId};
use uuid::Uuid;

use super::desk::GATEWAY_REFUSED;
use super::sent::Sent;
use crate::metrics;

/// How far back the stream is looked through after an append with an unknown outcome, events.
const LOOK_BACK: usize = 200;

/// Records in the saga's own stream that a command was refused, or with no code had nothing to change.
///
/// Nothing is expected of the stream: many commands of one saga are answered at once, and an event that stands there
/// twice strikes out the same command twice, which is nothing.
pub(super) async fn record(
    log: &EventStore,
    sent: &Sent,
    code: Option<String>,
    message: String,
) -> Result<(), DispatchError> {
    let reason = match code.as_deref() {
        None => "nothing_to_change",
        Some(GATEWAY_REFUSED) => "gateway",
        Some(_) => "rejected",
    };
    let event = process::Event::CommandRefused {
        saga_id: sent.saga_id,
        command_id: sent.command_id,
        command: sent.name.to_owned(),
        subject_id: sent.subject,
        code,
        message,
    };
    let encoded = codec::encode(&event.into());
    let data = serde_json::to_vec(&encoded.data).map_err(|error| DispatchError::Failed(error.to_string()))?;
    let event = NewEvent {
        id: EventId(Uuid::new_v5(&sent.command_id, b"refused")),
        event_type: Cow::Borrowed(encoded.event_type),
        data: data.into(),
        metadata: sent.metadata(encoded.schema_version),
    };
    let stream = StreamId::new(sent.saga, &sent.saga_id);
    let id = event.id;
    match log.append(&stream, Expected::Any, vec![event]).await {
        Ok(_) => {}
        Err(AppendError::Unknown(reason)) if !stands(log, &stream, id).await => {
            return Err(DispatchError::Failed(format!("not known whether a refusal was recorded: {reason}")));
        }
        Err(AppendError::Unknown(_)) => {}
        Err(error) => return Err(DispatchError::Failed(error.to_string())),
    }
    metrics::record_refused(sent.saga, sent.name, reason);
    Ok(())
}

/// Whether the event stands in the stream; no when that cannot be told.
async fn stands(log: &EventStore, stream: &StreamId, id: EventId) -> bool {
    let page = log.read_stream_backward(stream, LOOK_BACK).await;
    page.ok().flatten().is_some_and(|page| page.events.iter().any(|event| event.id == id))
}
