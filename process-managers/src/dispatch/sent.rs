//! A saga's command with what its events say of where it comes from.

use command_side::executor::{CommandId, CommandRequest, Origin};
use engine::{DispatchError, Outgoing};
use event_store::Metadata;
use jiff::Timestamp;
use observability::propagation;
use tracing::Instrument as _;
use uuid::Uuid;

/// The envelope of a command under way.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) saga: &'static str,
    pub(super) saga_id: Uuid,
    pub(super) command_id: Uuid,
    /// The command's name.
    pub(super) name: &'static str,
    /// The aggregate that it is for.
    pub(super) subject: Uuid,
    /// Whether it takes back what was done.
    pub(super) takes_back: bool,
    caused_by: Uuid,
    correlation_id: Uuid,
    traceparent: Option<String>,
}

impl Sent {
    pub(super) fn new<C>(
        saga: &'static str,
        outgoing: &Outgoing<C>,
        name: &'static str,
        subject: Uuid,
    ) -> Self {
        Self {
            saga,
            saga_id: outgoing.saga_id,
            command_id: outgoing.command_id,
            name,
            subject,
            takes_back: false,
            caused_by: outgoing.caused_by,
            correlation_id: outgoing.correlation_id,
            traceparent: outgoing.traceparent.clone(),
        }
    }

    /// The request for the executor of the aggregate. What a saga causes occurs now; nobody chose the id by a key, so
    /// there is nothing to tell a retry from.
    pub(super) fn request<C>(&self, command: C) -> CommandRequest<C> {
        CommandRequest {
            aggregate: self.subject,
            command,
            command_id: CommandId(self.command_id),
            origin: Origin {
                correlation_id: self.correlation_id,
                causation_id: self.caused_by,
                actor: Some(self.actor()),
            },
            occurred_at: Timestamp::now(),
            fingerprinted: None,
            if_match: None,
        }
    }

    /// The metadata of an event that the saga leaves itself.
    pub(super) fn metadata(&self, schema_version: u32) -> Metadata {
        Metadata {
            correlation_id: self.correlation_id,
            causation_id: self.caused_by,
            actor: Some(self.actor()),
            ..Metadata::of_command(self.command_id, schema_version, Timestamp::now())
        }
    }

    /// Runs in a span of its own, linked to the event that called for the command.
    pub(super) async fn traced(
        &self,
        work: impl Future<Output = Result<(), DispatchError>>,
    ) -> Result<(), DispatchError> {
        let span = tracing::info_span!(
            parent: None,
            "send",
            otel.name = format!("send {}", self.name),
            headwater.saga = self.saga,
            headwater.saga_id = %self.saga_id,
            headwater.command_id = %self.command_id,
            headwater.correlation_id = %self.correlation_id,
        );
        async {
            if let Some(traceparent) = &self.traceparent {
                propagation::link_current_span_to(traceparent);
            }
            work.await
        }
        .instrument(span)
        .await
    }

    fn actor(&self) -> String {
        format!("saga:{}", self.saga)
    }
}
