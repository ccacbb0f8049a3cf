//! Folding a stream, and finding the answer that a command got before.

use std::time::Duration;

use domain::codec::Decoded;
use event_store::{ReadError, RecordedEvent, Revision};
use observability::span;
use tracing::Instrument as _;
use uuid::Uuid;
use vault::{Fingerprint, InvalidFingerprint, OpenError, VaultError, Verified};

use super::loaded::{Loaded, Tail};
use super::outcome::{CommandError, Done, How};
use super::request::CommandRequest;
use super::{Aggregate, Executor, stream_of};
use crate::metrics;

/// Events of a page.
const PAGE: usize = 500;

/// A key that is not there yet (another process is writing it) is looked for this often, so far apart.
const KEY_TRIES: u32 = 5;
const KEY_PAUSE: Duration = Duration::from_millis(20);

impl<D: Aggregate> Executor<D> {
    /// The stream, from its beginning to its tail.
    pub(super) async fn load(&self, id: Uuid) -> Result<Loaded<D::State>, CommandError> {
        let span = tracing::info_span!(
            "load",
            otel.name = format!("load {}", D::CATEGORY),
            headwater.aggregate = D::CATEGORY,
        );
        let mut loaded = Loaded::default();
        self.catch_up(id, &mut loaded).instrument(span.clone()).await?;
        span::note(&span, "headwater.events_replayed", span::count(loaded.events()));
        metrics::record_replayed(D::CATEGORY, loaded.events());
        Ok(loaded)
    }

    /// Folds in what the stream holds behind the state. After an error the state must not be used any more.
    pub(super) async fn catch_up(&self, id: Uuid, loaded: &mut Loaded<D::State>) -> Result<(), CommandError> {
        let stream = stream_of::<D>(id);
        loop {
            let page = self.shared.log.read_stream(&stream, loaded.next_revision(), PAGE).await;
            let Some(page) = page.map_err(unreadable)? else {
                return match loaded.tail() {
                    None => Ok(()),
                    Some(_) => Err(CommandError::Internal(format!("the stream {stream} is gone"))),
                };
            };
            for event in page.events {
                self.fold(loaded, &event).await?;
            }
            if page.is_end {
                return Ok(());
            }
        }
    }

    async fn fold(&self, loaded: &mut Loaded<D::State>, event: &RecordedEvent) -> Result<(), CommandError> {
        if event.revision != loaded.next_revision() {
            let text = format!("{} has no event {}", event.stream, loaded.next_revision());
            return Err(CommandError::Internal(text));
        }
        if let Decoded::Event(shop_event) = self.open(event).await? {
            let foreign =
                || CommandError::Internal(format!("{} holds {} of others", event.stream, event.event_type));
            let own = D::Event::try_from(shop_event).map_err(|_| foreign())?;
            loaded.state = D::evolve(std::mem::take(&mut loaded.state), &own);
        }
        loaded.note(event.metadata.command_id, Tail { revision: event.revision, position: event.position });
        Ok(())
    }

    async fn open(&self, event: &RecordedEvent) -> Result<Decoded, CommandError> {
        let version = event.metadata.schema_version;
        let mut tries = 0;
        loop {
            match self.shared.vault.open_event(&event.event_type, version, &event.data).await {
                Ok(decoded) => return Ok(decoded),
                Err(OpenError::Decode(error)) => {
                    return Err(CommandError::Internal(format!("{}: {error}", event.stream)));
                }
                Err(error) => {
                    tries += 1;
                    if tries == KEY_TRIES {
                        return Err(CommandError::Unavailable(error.to_string()));
                    }
                    tokio::time::sleep(KEY_PAUSE).await;
                }
            }
        }
    }

    /// The answer that this command got when its events were written, if they were. The log has said so, so it does
    /// not matter how old the state is.
    pub(super) async fn known_answer<C: Sync>(
        &self,
        loaded: &Loaded<D::State>,
        request: &CommandRequest<C>,
    ) -> Result<Option<Result<Done, CommandError>>, CommandError> {
        for (first, length) in loaded.candidates(request.command_id.0) {
            let Some(last) = self.last_of_command(request, first, length).await? else {
                continue;
            };
            let position = self.position(last.position).await?;
            if self.is_other_request(request, last.metadata.fingerprint.as_deref()).await? {
                let position = self.position(loaded.position()).await?;
                return Ok(Some(Err(CommandError::KeyReused { position })));
            }
            return Ok(Some(Ok(Done {
                aggregate: request.aggregate,
                revision: Some(last.revision),
                position,
                how: How::Repeated,
            })));
        }
        Ok(None)
    }

    /// The last event of the command among `length` events that share its digest.
    async fn last_of_command<C: Sync>(
        &self,
        request: &CommandRequest<C>,
        first: Revision,
        length: usize,
    ) -> Result<Option<RecordedEvent>, CommandError> {
        let stream = stream_of::<D>(request.aggregate);
        let page = self.shared.log.read_stream(&stream, first, length).await.map_err(unreadable)?;
        let events = page.map(|page| page.events).unwrap_or_default();
        Ok(events.into_iter().rfind(|event| event.metadata.command_id == request.command_id.0))
    }

    /// Whether a known command was another request. When that cannot be told any more (the key of its fingerprint
    /// was destroyed) it counts as the same.
    async fn is_other_request<C: Sync>(
        &self,
        request: &CommandRequest<C>,
        stored: Option<&str>,
    ) -> Result<bool, CommandError> {
        let (Some(own), Some(stored)) = (&request.fingerprinted, stored) else {
            return Ok(false);
        };
        let stored: Fingerprint =
            stored.parse().map_err(|error: InvalidFingerprint| CommandError::Internal(error.to_string()))?;
        match self.shared.vault.verify(stored, own.person, &own.request).await {
            Ok(Verified::Match | Verified::KeyGone) => Ok(false),
            // A key is durable before anything made with it is written: what was stored is not of this person.
            Ok(Verified::Mismatch) | Err(VaultError::KeyMissing(_)) => Ok(true),
            Err(error) => Err(CommandError::Unavailable(error.to_string())),
        }
    }
}

/// A read that failed, as an answer.
pub(super) fn unreadable(error: ReadError) -> CommandError {
    match error {
        ReadError::Unavailable(reason) => CommandError::Unavailable(reason),
        other => CommandError::Internal(other.to_string()),
    }
}
