//! A command that a gateway has a say in. The executor asks for it only when the log does not know its id, so no call
//! that the log has answered is made again; and the rules are asked before the gateway, so none is made in vain.

use std::sync::Arc;

use command_side::executor::{Aggregate, CommandError, Prepare};
use contract::Position;
use futures::future::BoxFuture;
use tokio::sync::OnceCell;

use crate::gateway::GatewayError;

/// Asks the gateway; what it answers is recorded by a command.
type Ask<D> = dyn Fn(
        &<D as domain::Decider>::State,
    ) -> BoxFuture<'static, Result<<D as domain::Decider>::Command, GatewayError>>
    + Send
    + Sync;

/// Handed to the executor, and looked at again afterwards.
pub(super) struct Asking<D: Aggregate>(Arc<Inner<D>>);

struct Inner<D: Aggregate> {
    /// The command of the answer that is hoped for.
    hoped_for: D::Command,
    ask: Box<Ask<D>>,
    /// Asked once, however often the executor decides anew.
    answer: OnceCell<Result<D::Command, GatewayError>>,
}

impl<D: Aggregate> Clone for Asking<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<D: Aggregate> Asking<D> {
    pub(super) fn new(
        hoped_for: D::Command,
        ask: impl Fn(&D::State) -> BoxFuture<'static, Result<D::Command, GatewayError>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner { hoped_for, ask: Box::new(ask), answer: OnceCell::new() }))
    }

    /// What the gateway answered, if it was asked.
    pub(super) fn answer(&self) -> Option<&Result<D::Command, GatewayError>> {
        self.0.answer.get()
    }
}

impl<D: Aggregate> Prepare<D> for Asking<D> {
    async fn prepare(&self, state: &D::State, position: Position) -> Result<D::Command, CommandError> {
        let hoped_for = &self.0.hoped_for;
        match D::decide(state, hoped_for.clone()) {
            Ok(events) if events.is_empty() => return Ok(hoped_for.clone()),
            Ok(_) => {}
            Err(rejection) => return Err(CommandError::rejected(&rejection, position)),
        }
        match self.0.answer.get_or_init(|| (self.0.ask)(state)).await {
            Ok(command) => Ok(command.clone()),
            // Who sent the command looks at the answer itself.
            Err(error) => Err(CommandError::Unavailable(error.to_string())),
        }
    }
}
