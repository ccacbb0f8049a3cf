//! Where a saga's commands are carried out, whichever saga's.

use command_side::Commands;
use command_side::executor::{Aggregate, CommandError, Done, Executor, How, Prepare, Ready};
use engine::DispatchError;
use event_store::EventStore;

use super::asking::Asking;
use super::refused;
use super::sent::Sent;
use crate::gateway::{GatewayError, PaymentGateway, ShippingGateway};
use crate::metrics;

/// The code of a command that the gateway does not take, whenever it is asked. It is no line of the table of errors:
/// no client meets it.
pub const GATEWAY_REFUSED: &str = "GATEWAY_REFUSED";

/// What the commands of sagas are carried out with.
pub struct Desk {
    /// The executors, the same ones that the routes of the process use.
    pub commands: Commands,
    /// The log, for what the sagas leave there themselves.
    pub log: EventStore,
    /// The gateway to payment.
    pub payment: PaymentGateway,
    /// The gateway to shipping.
    pub shipping: ShippingGateway,
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Its events stand in the log.
    Recorded,
    /// It was refused, or without a code had nothing to change.
    Refused { code: Option<String>, message: String },
}

impl Outcome {
    pub(super) fn refused(code: &str, message: String) -> Self {
        Self::Refused { code: Some(code.to_owned()), message }
    }
}

impl Desk {
    /// Carries out a command that only the rules have a say in.
    pub(super) async fn command<D: Aggregate>(
        &self,
        executor: &Executor<D>,
        sent: &Sent,
        command: D::Command,
    ) -> Result<Outcome, DispatchError> {
        settled(execute(executor, sent, Ready(command)).await)
    }

    /// Carries out a command that a gateway has a say in.
    pub(super) async fn ask<D: Aggregate>(
        &self,
        executor: &Executor<D>,
        sent: &Sent,
        asking: &Asking<D>,
    ) -> Result<Outcome, DispatchError> {
        let done = execute(executor, sent, asking.clone()).await;
        match (&done, asking.answer()) {
            (Err(_), Some(Err(GatewayError::NotYet))) => Err(DispatchError::NotYet),
            (Err(_), Some(Err(GatewayError::Refused(reason)))) => {
                Ok(Outcome::refused(GATEWAY_REFUSED, reason.clone()))
            }
            (Err(_), Some(Err(error @ GatewayError::Unavailable(_)))) => {
                Err(DispatchError::Failed(error.to_string()))
            }
            _ => settled(done),
        }
    }

    /// Sees that the log holds an event with the command's id.
    pub(super) async fn close(&self, sent: &Sent, outcome: Outcome) -> Result<(), DispatchError> {
        let result = match &outcome {
            Outcome::Recorded => "done",
            Outcome::Refused { code: None, .. } => "nothing_to_change",
            Outcome::Refused { code: Some(_), .. } => "refused",
        };
        if let Outcome::Refused { code, message } = outcome {
            refused::record(&self.log, sent, code, message).await?;
        }
        if sent.takes_back {
            metrics::record_compensation(sent.saga, sent.name, result);
        }
        Ok(())
    }
}

async fn execute<D: Aggregate, P: Prepare<D>>(
    executor: &Executor<D>,
    sent: &Sent,
    command: P,
) -> Result<Done, CommandError> {
    executor.prepare_and_execute(sent.request(command)).await
}

/// Whether the log has the last word already, or the command has to be sent again.
fn settled(done: Result<Done, CommandError>) -> Result<Outcome, DispatchError> {
    match done {
        Ok(Done { how: How::Unchanged, .. }) => {
            Ok(Outcome::Refused { code: None, message: "there was nothing to change".to_owned() })
        }
        Ok(_) => Ok(Outcome::Recorded),
        Err(
            error @ (CommandError::Rejected { .. }
            | CommandError::EventTooLarge { .. }
            | CommandError::PersonErased),
        ) => {
            let public = error.public();
            Ok(Outcome::refused(public.code.as_str(), public.message))
        }
        Err(error) => Err(DispatchError::Failed(error.to_string())),
    }
}
