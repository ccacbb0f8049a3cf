//! Sealing events and appending them.

use std::borrow::Cow;

use bytes::Bytes;
use domain::codec;
use event_store::{AppendError, EventId, Metadata, NewEvent};
use uuid::Uuid;
use vault::{Sealed, VaultError};

use super::loaded::{Loaded, Tail};
use super::outcome::{CommandError, Done, How};
use super::request::CommandRequest;
use super::{Aggregate, Executor, stream_of};

/// The most bytes the content of one event may have.
pub const MAX_EVENT_BYTES: usize = 900 * 1024;

pub(super) enum WriteError {
    /// Another writer was there first; nothing was written.
    Conflict,
    /// The command ends here.
    Failed(CommandError),
}

impl<D: Aggregate> Executor<D> {
    /// Appends events behind the state and folds them in when they are acknowledged.
    pub(super) async fn write<C: Sync>(
        &self,
        request: &CommandRequest<C>,
        events: Vec<D::Event>,
        loaded: &mut Loaded<D::State>,
    ) -> Result<Done, WriteError> {
        let sealed = self.seal(request, &events).await.map_err(WriteError::Failed)?;
        let count = events.len() as u64;
        let first = loaded.next_revision();
        let stream = stream_of::<D>(request.aggregate);
        let appended = match self.shared.log.append(&stream, loaded.expected(), sealed).await {
            Ok(appended) => appended,
            Err(AppendError::WrongRevision { .. }) => return Err(WriteError::Conflict),
            Err(other) => return Err(WriteError::Failed(refused(other))),
        };
        let position = self.position(appended.position).await.map_err(WriteError::Failed)?;
        if appended.revision.0 + 1 != first.0 + count {
            let text = format!("{stream}: {count} events from {first} on ended at {}", appended.revision);
            return Err(WriteError::Failed(CommandError::OutcomeUnknown(text)));
        }
        for (offset, event) in events.iter().enumerate() {
            loaded.state = D::evolve(std::mem::take(&mut loaded.state), event);
            // Only the tail's position is ever used, and that is the last event's.
            let revision = event_store::Revision(first.0 + offset as u64);
            loaded.note(request.command_id.0, Tail { revision, position: appended.position });
        }
        let revision = Some(appended.revision);
        Ok(Done { aggregate: request.aggregate, revision, position, how: How::Written })
    }

    async fn seal<C: Sync>(
        &self,
        request: &CommandRequest<C>,
        events: &[D::Event],
    ) -> Result<Vec<NewEvent>, CommandError> {
        // The fingerprint is made before the first event is sealed: both need the person's key, and the one that
        // comes first makes it.
        let fingerprint = match &request.fingerprinted {
            Some(own) => {
                let made = self.shared.vault.fingerprint(own.person, &own.request).await;
                Some(made.map_err(unsealed)?.to_string())
            }
            None => None,
        };
        let mut sealed = Vec::with_capacity(events.len());
        for event in events {
            let encoded = codec::encode(&event.clone().into());
            let Sealed { event_type, schema_version, data } =
                self.shared.vault.seal(encoded).await.map_err(unsealed)?;
            check_size(data.len())?;
            let metadata = Metadata {
                correlation_id: request.origin.correlation_id,
                causation_id: request.origin.causation_id,
                command_id: request.command_id.0,
                fingerprint: fingerprint.clone(),
                actor: request.origin.actor.clone(),
                schema_version,
                occurred_at: request.occurred_at,
                // Of the append, which knows.
                traceparent: None,
                tracestate: None,
            };
            let id = event_id(request.command_id.0, sealed.len(), fingerprint.as_deref(), &data);
            sealed.push(NewEvent {
                id,
                event_type: Cow::Borrowed(event_type),
                data: Bytes::from(data),
                metadata,
            });
        }
        Ok(sealed)
    }
}

/// The id of an event: from the command's, its place among the command's events, the request's fingerprint and its
/// content. The log takes an append with ids that it holds for one that is sent again. With request and content in
/// the id that is only ever true of the very same: another process that meets the key again with an older state, or
/// with another request, gets a conflict, and with it a look at what was written.
fn event_id(command: Uuid, index: usize, fingerprint: Option<&str>, data: &[u8]) -> EventId {
    let mut name = (index as u64).to_be_bytes().to_vec();
    name.extend_from_slice(fingerprint.unwrap_or_default().as_bytes());
    name.push(0);
    name.extend_from_slice(data);
    EventId(Uuid::new_v5(&command, &name))
}

fn check_size(bytes: usize) -> Result<(), CommandError> {
    if bytes > MAX_EVENT_BYTES { Err(CommandError::EventTooLarge { bytes }) } else { Ok(()) }
}

fn unsealed(error: VaultError) -> CommandError {
    match error {
        VaultError::Erased(_) => CommandError::PersonErased,
        VaultError::NoPerson { .. } => CommandError::Internal(error.to_string()),
        other => CommandError::Unavailable(other.to_string()),
    }
}

fn refused(error: AppendError) -> CommandError {
    match error {
        AppendError::TooLarge { bytes, .. } => CommandError::EventTooLarge { bytes },
        AppendError::Unreachable(reason) => CommandError::Unavailable(reason),
        AppendError::Unknown(reason) => CommandError::OutcomeUnknown(reason),
        other => CommandError::Internal(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_id_is_bound_to_command_place_request_and_content() {
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let id = event_id(a, 0, Some("f"), b"{}");
        assert_eq!(id, event_id(a, 0, Some("f"), b"{}"));
        assert_ne!(id, event_id(b, 0, Some("f"), b"{}"));
        assert_ne!(id, event_id(a, 1, Some("f"), b"{}"));
        assert_ne!(id, event_id(a, 0, None, b"{}"));
        assert_ne!(id, event_id(a, 0, Some("f"), b"{ }"));
    }

    #[test]
    fn an_event_of_more_than_900_kib_is_too_large() {
        assert_eq!(check_size(900 * 1024), Ok(()));
        assert_eq!(check_size(900 * 1024 + 1), Err(CommandError::EventTooLarge { bytes: 921_601 }));
    }
}
