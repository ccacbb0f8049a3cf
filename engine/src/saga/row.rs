//! A saga's row: how far the work is, and what it has asked for. Rows are cloned and compared for every event, so
//! what does not change is shared.

use std::ops::Deref;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Reaction, Saga};
use crate::event::Recorded;
use crate::value::whole_microseconds;

/// The namespace of the ids of sagas' commands.
const NAMESPACE: Uuid = Uuid::from_u128(0x9b1e_64c7_2f3d_4c8a_b0d5_71e8_4a6c_03f9);

/// The row of a saga, as [`SagaView`](super::SagaView) folds it.
#[derive(Clone, PartialEq)]
pub struct SagaRow<S, C> {
    pub(super) state: Shared<S>,
    pub(super) outbox: Shared<Vec<Shared<Pending<C>>>>,
    pub(super) stuck_reason: Option<String>,
}

/// A command of the outbox, in the row as it is here in JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pending<C> {
    pub(crate) command_id: Uuid,
    pub(crate) caused_by: Uuid,
    pub(crate) correlation_id: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) traceparent: Option<String>,
    /// Recorded time of the causing event.
    pub(crate) recorded_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) command: C,
}

impl<S, C: Clone + PartialEq> SagaRow<S, C> {
    pub(super) fn begun(state: S) -> Self {
        Self { state: Shared::new(state), outbox: Shared::new(Vec::new()), stuck_reason: None }
    }

    /// Takes the command that an event answers out of the outbox.
    pub(super) fn strike(&mut self, command_id: Uuid) {
        self.keep(|pending| pending.command_id != command_id);
    }

    /// Does to the outbox what the event calls for as number `index` of its reactions.
    pub(super) fn react<G: Saga<Command = C>>(
        &mut self,
        saga: &G,
        event: &Recorded<G::Event>,
        index: usize,
        reaction: Reaction<C>,
    ) {
        let (delay, command) = match reaction {
            Reaction::Send(command) => (None, command),
            Reaction::SendAfter(delay, command) => (Some(delay), command),
            Reaction::Withdraw(command) => return self.keep(|pending| pending.command != command),
        };
        let name = format!("{}\n{}\n{index}", saga.name(), event.id.0);
        let at = |delay| event.recorded_at.saturating_add(delay).unwrap_or(Timestamp::MAX);
        let pending = Pending {
            command_id: Uuid::new_v5(&NAMESPACE, name.as_bytes()),
            caused_by: event.id.0,
            correlation_id: event.metadata.correlation_id,
            traceparent: event.metadata.traceparent.clone(),
            recorded_at: event.recorded_at,
            not_before: delay.map(|delay| whole_microseconds(at(delay))),
            command,
        };
        self.outbox.make_mut().push(Shared::new(pending));
    }

    fn keep(&mut self, wanted: impl Fn(&Pending<C>) -> bool) {
        if !self.outbox.iter().all(|pending| wanted(pending)) {
            self.outbox.make_mut().retain(|pending| wanted(pending));
        }
    }
}

impl<C> Pending<C> {
    /// When the dispatcher has to look at it.
    pub(crate) fn due_at(&self) -> Timestamp {
        self.not_before.unwrap_or(self.recorded_at)
    }
}

/// A shared value; equal to itself without a look at it.
pub(super) struct Shared<T>(Arc<T>);

impl<T> Shared<T> {
    pub(super) fn new(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T: Clone> Shared<T> {
    fn make_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: PartialEq> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}
