//! From a parsed request to the executor and back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::{ApiError, ErrorCode};
use domain::ids::PersonId;
use jiff::Timestamp;
use observability::span;
use serde_json::json;
use tracing::{Instrument as _, Span};
use uuid::Uuid;

use super::body::Sent;
use super::{Answer, Failure};
use crate::commands::Commands;
use crate::executor::{
    Aggregate, CommandError, CommandId, CommandRequest, Done, Executor, Fingerprinted, How, Origin, Prepare,
    Ready,
};
use crate::metrics;

/// How long a client waits for the answer to a command. The command itself goes on to its end.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// No moment before this can be told: the year 1 is the first that every table and every calendar holds.
const FIRST_MOMENT: Timestamp = Timestamp::constant(-62_135_596_800, 0);

/// What a route is, besides its address.
pub(crate) struct Operation {
    /// Its name in metrics, and the scope of idempotency keys: it never changes.
    pub(crate) name: &'static str,
    /// The kind of aggregate, as it stands in addresses.
    pub(crate) kind: &'static str,
    /// Whether it makes the aggregate.
    pub(crate) creates: bool,
}

/// What a route makes of a request.
pub(crate) struct Order<C> {
    /// For which aggregate.
    pub(crate) aggregate: Uuid,
    /// What is to be done.
    pub(crate) command: C,
    /// Whose personal data the body holds.
    pub(crate) person: Option<PersonId>,
    /// When it happened, if the sender says so.
    pub(crate) occurred_at: Option<Timestamp>,
}

impl<C> Order<C> {
    /// An order without personal data.
    pub(crate) fn new(aggregate: Uuid, command: C, occurred_at: Option<Timestamp>) -> Self {
        Self { aggregate, command, person: None, occurred_at }
    }
}

impl Sent {
    /// The id of something new without a natural key: that of the command that makes it, so that the same command
    /// sent again meets the same stream.
    pub(crate) fn name_new(&mut self, operation: &Operation) -> Uuid {
        let id = command_id(operation, "", self.key.as_deref());
        self.command_id = Some(id);
        id.0
    }
}

/// Has a command carried out, as [`prepare_and_carry_out`].
pub(crate) async fn carry_out<D: Aggregate>(
    commands: &Commands,
    executor: &Executor<D>,
    operation: &'static Operation,
    order: Order<D::Command>,
    sent: Sent,
) -> Result<Answer, Failure> {
    let Order { aggregate, command, person, occurred_at } = order;
    let order = Order { aggregate, command: Ready(command), person, occurred_at };
    prepare_and_carry_out(commands, executor, operation, order, sent).await
}

/// Has a command prepared and carried out. It runs in a task of its own, so that a client that goes away does not leave it half
/// done.
pub(crate) async fn prepare_and_carry_out<D: Aggregate, P: Prepare<D>>(
    commands: &Commands,
    executor: &Executor<D>,
    operation: &'static Operation,
    order: Order<P>,
    sent: Sent,
) -> Result<Answer, Failure> {
    if order.occurred_at.is_some_and(|moment| moment < FIRST_MOMENT) {
        let error = ApiError::new(ErrorCode::InvalidInput)
            .with_message("occurredAt: nothing happens before the year 1")
            .with_details(json!({ "field": "occurredAt" }));
        return Err(sent.refuse(error));
    }
    let Ok(place) = Arc::clone(&commands.places).try_acquire_owned() else {
        metrics::record_overloaded();
        return Err(Failure::new(ErrorCode::TooManyRequests, sent.request));
    };
    let request_id = sent.request.clone();
    let request = request(operation, order, sent);
    request_id.correlate(request.origin.correlation_id);
    span::note(&Span::current(), "headwater.command", operation.name);
    let executor = executor.clone();
    let started = Instant::now();
    let work = async move {
        let outcome = executor.prepare_and_execute(request).await;
        metrics::record_command(operation.name, started.elapsed(), &outcome);
        drop(place);
        outcome
    };
    let running = tokio::spawn(work.in_current_span());
    let outcome: Result<Done, CommandError> = match tokio::time::timeout(ANSWER_TIMEOUT, running).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panicked)) => Err(CommandError::Internal(panicked.to_string())),
        Err(_elapsed) => Err(CommandError::OutcomeUnknown("the command is still under way".to_owned())),
    };
    match outcome {
        Ok(done) => Ok(Answer {
            id: done.aggregate,
            revision: done.revision.map(|revision| revision.0),
            position: done.position,
            created: operation.creates,
            replayed: done.how == How::Repeated,
            kind: operation.kind,
        }),
        Err(error) => Err(Failure::of_command(&error, request_id)),
    }
}

fn request<C>(operation: &Operation, order: Order<C>, sent: Sent) -> CommandRequest<C> {
    let has_key = sent.key.is_some();
    let own = || command_id(operation, &order.aggregate.to_string(), sent.key.as_deref());
    let command_id = sent.command_id.unwrap_or_else(own);
    CommandRequest {
        aggregate: order.aggregate,
        command: order.command,
        command_id,
        origin: Origin::itself(command_id),
        occurred_at: order.occurred_at.unwrap_or_else(Timestamp::now),
        fingerprinted: has_key
            .then(|| Fingerprinted { person: order.person, request: sent.canonical.into() }),
        if_match: sent.if_match,
    }
}

/// The id of a command: from its key within a scope, or of its own.
fn command_id(operation: &Operation, scope: &str, key: Option<&str>) -> CommandId {
    key.map_or_else(CommandId::fresh, |key| CommandId::keyed(operation.name, scope, key))
}
