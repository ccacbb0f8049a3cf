//! The commands of the saga of returns.

use std::sync::Arc;

use async_trait::async_trait;
use contract::ErrorCode;
use domain::ids::{OrderId, ReturnId};
use domain::value::Price;
use domain::{order, payment, returns, stock};
use engine::{Dispatch, DispatchError, Outgoing};
use futures::FutureExt as _;

use super::asking::Asking;
use super::desk::{Desk, Outcome};
use super::sent::Sent;
use crate::gateway::GatewayError;
use crate::return_handling::{Command, NAME};

/// Carries out the commands of the saga of returns.
pub struct ReturnHandlingDispatch(Arc<Desk>);

impl ReturnHandlingDispatch {
    /// With the means of this desk.
    #[must_use]
    pub fn new(desk: Arc<Desk>) -> Self {
        Self(desk)
    }
}

#[async_trait]
impl Dispatch<Command> for ReturnHandlingDispatch {
    async fn dispatch(&self, outgoing: &Outgoing<Command>) -> Result<(), DispatchError> {
        let return_id = ReturnId(outgoing.saga_id);
        let command = outgoing.command.clone();
        let sent = Sent::new(NAME, outgoing, command.name(), command.subject(return_id));
        let work = async {
            let outcome = self.0.handle_return(&sent, return_id, command).await?;
            self.0.close(&sent, outcome).await
        };
        sent.traced(work).await
    }
}

impl Desk {
    async fn handle_return(
        &self,
        sent: &Sent,
        return_id: ReturnId,
        command: Command,
    ) -> Result<Outcome, DispatchError> {
        let returns = &self.commands.returns;
        match command {
            Command::RestockStock { product_id, quantity } => {
                let action = stock::Action::Restock { return_id, quantity };
                self.command(&self.commands.stock, sent, stock::Command { product_id, action }).await
            }
            Command::MarkRestocked => self.command(returns, sent, returns::Command::MarkRestocked).await,
            Command::MarkRefunded { payment_id } => {
                self.command(returns, sent, returns::Command::MarkRefunded { payment_id }).await
            }
            Command::RefundPayment { order_id, amount } => {
                self.refund_return(sent, return_id, order_id, amount).await
            }
        }
    }

    /// The goods may be back before their order is paid: then the money is waited for.
    async fn refund_return(
        &self,
        sent: &Sent,
        return_id: ReturnId,
        order_id: OrderId,
        amount: Price,
    ) -> Result<Outcome, DispatchError> {
        let refund = payment::Command::Refund { return_id: Some(return_id), amount };
        let (gateway, id, recorded) = (self.payment.clone(), sent.command_id, refund.clone());
        let asking = Asking::new(refund, move |state: &payment::State| {
            let (gateway, recorded) = (gateway.clone(), recorded.clone());
            let reference = match state {
                payment::State::Requested(payment) => payment.reference.clone(),
                payment::State::Unknown => None,
            };
            async move {
                // The rules let nothing be refunded that was not captured, and what was captured has a reference.
                let none = || GatewayError::Refused("the payment has no reference".to_owned());
                let reference = reference.ok_or_else(none)?;
                gateway.refund(id, &reference, amount).await.map(|()| recorded)
            }
            .boxed()
        });
        let outcome = self.ask(&self.commands.payments, sent, &asking).await?;
        let unpaid = [ErrorCode::PaymentNotFound, ErrorCode::PaymentNotCaptured].map(ErrorCode::as_str);
        match &outcome {
            Outcome::Refused { code: Some(code), .. } if unpaid.contains(&code.as_str()) => {
                if self.may_be_paid_yet(order_id).await? { Err(DispatchError::NotYet) } else { Ok(outcome) }
            }
            _ => Ok(outcome),
        }
    }

    async fn may_be_paid_yet(&self, order_id: OrderId) -> Result<bool, DispatchError> {
        let order = self.commands.orders.current(order_id.0).await;
        let order = order.map_err(|error| DispatchError::Failed(error.to_string()))?;
        Ok(order.is_some_and(|order| match order.state {
            order::State::Placed(order) => {
                matches!(order.status, order::Status::Placed | order::Status::Reserved)
            }
            order::State::Unknown => false,
        }))
    }
}
