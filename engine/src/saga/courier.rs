//! Who carries a saga's commands out, without the saga's types.

use std::sync::Arc;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::row::Pending;
use super::{Dispatch, DispatchError, Outgoing};

/// A command as it stands in the outbox.
pub(crate) type OutboxEntry = Pending<Box<RawValue>>;

/// Carries out commands as they stand in the outbox.
#[async_trait]
pub(crate) trait Courier: Send + Sync {
    /// Carries one out; see [`Dispatch::dispatch`].
    async fn send(&self, saga_id: Uuid, entry: &OutboxEntry) -> Result<(), DispatchError>;
}

#[async_trait]
impl<C: DeserializeOwned + Send + Sync + 'static> Courier for Arc<dyn Dispatch<C>> {
    async fn send(&self, saga_id: Uuid, entry: &OutboxEntry) -> Result<(), DispatchError> {
        let command = serde_json::from_str(entry.command.get())
            .map_err(|error| DispatchError::Failed(format!("the stored command cannot be read: {error}")))?;
        let outgoing = Outgoing {
            saga_id,
            command_id: entry.command_id,
            caused_by: entry.caused_by,
            correlation_id: entry.correlation_id,
            traceparent: entry.traceparent.clone(),
            command,
        };
        self.dispatch(&outgoing).await
    }
}
