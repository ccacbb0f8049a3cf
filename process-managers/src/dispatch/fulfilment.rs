//! The commands of the fulfilment saga.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::ids::{OrderId, PaymentId, ProductId, ShipmentId};
use domain::value::{GatewayReference, GatewayToken, Price, Reason};
use domain::{order, payment, shipment, stock};
use engine::{Dispatch, DispatchError, Outgoing};
use futures::FutureExt as _;
use uuid::Uuid;

use super::asking::Asking;
use super::desk::{Desk, GATEWAY_REFUSED, Outcome};
use super::sent::Sent;
use crate::fulfilment::{Command, NAME};
use crate::gateway::{Authorization, Capture, Carriage, Delivery, GatewayError};

/// What a payment of 0 is called, and what stands for a reference that the gateway has yet to give.
const NO_REFERENCE: &str = "none";

/// How often the gateway is asked to undo what the rules did not take, and the pause between, which doubles.
const UNDO_TRIES: u32 = 8;
const UNDO_PAUSE: Duration = Duration::from_millis(50);

/// Carries out the commands of the fulfilment saga.
pub struct FulfilmentDispatch(Arc<Desk>);

impl FulfilmentDispatch {
    /// With the means of this desk.
    #[must_use]
    pub fn new(desk: Arc<Desk>) -> Self {
        Self(desk)
    }
}

#[async_trait]
impl Dispatch<Command> for FulfilmentDispatch {
    async fn dispatch(&self, outgoing: &Outgoing<Command>) -> Result<(), DispatchError> {
        let order_id = OrderId(outgoing.saga_id);
        let command = outgoing.command.clone();
        let mut sent = Sent::new(NAME, outgoing, command.name(), command.subject(order_id));
        sent.takes_back = command.takes_back();
        let work = async {
            let outcome = self.0.carry_out(&sent, order_id, command).await?;
            self.0.close(&sent, outcome).await
        };
        sent.traced(work).await
    }
}

impl Desk {
    async fn carry_out(
        &self,
        sent: &Sent,
        order_id: OrderId,
        command: Command,
    ) -> Result<Outcome, DispatchError> {
        let (payment_id, shipment_id) = (PaymentId::of_order(order_id), ShipmentId::of_order(order_id));
        match command {
            Command::ReserveStock { product_id, quantity } => {
                self.stock(sent, product_id, stock::Action::Reserve { order_id, quantity }).await
            }
            Command::ReleaseStock { product_id } => {
                self.stock(sent, product_id, stock::Action::Release { order_id }).await
            }
            Command::ShipStock { product_id } => {
                self.stock(sent, product_id, stock::Action::Ship { order_id }).await
            }
            Command::MarkReserved => self.order(sent, order::Command::MarkReserved).await,
            Command::MarkPaid => self.order(sent, order::Command::MarkPaid { payment_id }).await,
            Command::MarkShipped => self.order(sent, order::Command::MarkShipped { shipment_id }).await,
            Command::MarkDelivered => self.order(sent, order::Command::MarkDelivered).await,
            Command::CancelOrder { reason } => {
                self.order(sent, order::Command::Cancel { reason, note: None }).await
            }
            Command::RequestPayment { amount, token } => {
                let request = payment::Command::Request { payment_id, order_id, amount, token };
                self.command(&self.commands.payments, sent, request).await
            }
            Command::DeclinePayment => {
                self.command(&self.commands.payments, sent, called_off_payment()).await
            }
            Command::AuthorizePayment { amount, token } => {
                self.authorize(sent, order_id, amount, token).await
            }
            Command::CapturePayment { reference, amount } => self.capture(sent, reference, amount).await,
            Command::VoidPayment { reference, amount } => self.void(sent, reference, amount).await,
            Command::RefundPayment { reference, amount } => {
                let refund = payment::Command::Refund { return_id: None, amount };
                self.refund(sent, reference, amount, refund).await
            }
            Command::RequestShipment { token } => {
                let request = shipment::Command::Request { shipment_id, order_id, token };
                self.command(&self.commands.shipments, sent, request).await
            }
            Command::FailShipment => {
                let fail = shipment::Command::Fail { reason: reason("the order was called off") };
                self.command(&self.commands.shipments, sent, fail).await
            }
            Command::DispatchShipment { token } => self.hand_over(sent, order_id, token).await,
            Command::TrackDelivery { reference } => self.track(sent, reference).await,
        }
    }

    async fn stock(
        &self,
        sent: &Sent,
        product_id: ProductId,
        action: stock::Action,
    ) -> Result<Outcome, DispatchError> {
        self.command(&self.commands.stock, sent, stock::Command { product_id, action }).await
    }

    async fn order(&self, sent: &Sent, command: order::Command) -> Result<Outcome, DispatchError> {
        self.command(&self.commands.orders, sent, command).await
    }

    async fn authorize(
        &self,
        sent: &Sent,
        order_id: OrderId,
        amount: Price,
        token: Option<GatewayToken>,
    ) -> Result<Outcome, DispatchError> {
        let hoped_for = payment::Command::Authorize { reference: no_reference() };
        if is_nothing(amount) {
            return self.command(&self.commands.payments, sent, hoped_for).await;
        }
        let (gateway, id) = (self.payment.clone(), sent.command_id);
        let asking = Asking::new(hoped_for, move |_: &payment::State| {
            let (gateway, token) = (gateway.clone(), token.clone());
            async move {
                Ok(match gateway.authorize(id, order_id, amount, token.as_ref()).await? {
                    Authorization::Authorized { reference } => payment::Command::Authorize { reference },
                    Authorization::Declined { reason } => payment::Command::Decline { reason },
                })
            }
            .boxed()
        });
        let outcome = self.ask(&self.commands.payments, sent, &asking).await?;
        match (&outcome, asking.answer()) {
            (Outcome::Refused { .. }, Some(Ok(payment::Command::Authorize { reference }))) => {
                undone(outcome, || self.payment.void(undo_id(id), reference)).await
            }
            _ => Ok(outcome),
        }
    }

    async fn capture(
        &self,
        sent: &Sent,
        reference: GatewayReference,
        amount: Price,
    ) -> Result<Outcome, DispatchError> {
        if is_nothing(amount) {
            return self.command(&self.commands.payments, sent, payment::Command::Capture).await;
        }
        let (gateway, id, of) = (self.payment.clone(), sent.command_id, reference.clone());
        let asking = Asking::new(payment::Command::Capture, move |_: &payment::State| {
            let (gateway, reference) = (gateway.clone(), of.clone());
            async move {
                Ok(match gateway.capture(id, &reference, amount).await? {
                    Capture::Captured => payment::Command::Capture,
                    Capture::Declined { reason } => payment::Command::Decline { reason },
                })
            }
            .boxed()
        });
        let outcome = self.ask(&self.commands.payments, sent, &asking).await?;
        match (&outcome, asking.answer()) {
            (Outcome::Refused { .. }, Some(Ok(payment::Command::Capture))) => {
                undone(outcome, || self.payment.refund(undo_id(id), &reference, amount)).await
            }
            _ => Ok(outcome),
        }
    }

    async fn void(
        &self,
        sent: &Sent,
        reference: GatewayReference,
        amount: Price,
    ) -> Result<Outcome, DispatchError> {
        if is_nothing(amount) {
            return self.command(&self.commands.payments, sent, called_off_payment()).await;
        }
        let (gateway, id) = (self.payment.clone(), sent.command_id);
        let asking = Asking::new(called_off_payment(), move |_: &payment::State| {
            let (gateway, reference) = (gateway.clone(), reference.clone());
            async move { gateway.void(id, &reference).await.map(|()| called_off_payment()) }.boxed()
        });
        self.ask(&self.commands.payments, sent, &asking).await
    }

    async fn refund(
        &self,
        sent: &Sent,
        reference: GatewayReference,
        amount: Price,
        refund: payment::Command,
    ) -> Result<Outcome, DispatchError> {
        let (gateway, id, recorded) = (self.payment.clone(), sent.command_id, refund.clone());
        let asking = Asking::new(refund, move |_: &payment::State| {
            let (gateway, reference, recorded) = (gateway.clone(), reference.clone(), recorded.clone());
            async move { gateway.refund(id, &reference, amount).await.map(|()| recorded) }.boxed()
        });
        self.ask(&self.commands.payments, sent, &asking).await
    }

    async fn hand_over(
        &self,
        sent: &Sent,
        order_id: OrderId,
        token: Option<GatewayToken>,
    ) -> Result<Outcome, DispatchError> {
        let (gateway, id) = (self.shipping.clone(), sent.command_id);
        let hoped_for = shipment::Command::Dispatch { reference: no_reference() };
        let asking = Asking::new(hoped_for, move |_: &shipment::State| {
            let (gateway, token) = (gateway.clone(), token.clone());
            async move {
                Ok(match gateway.carry(id, order_id, token.as_ref()).await? {
                    Carriage::Dispatched { reference } => shipment::Command::Dispatch { reference },
                    Carriage::Refused { reason } => shipment::Command::Fail { reason },
                })
            }
            .boxed()
        });
        self.ask(&self.commands.shipments, sent, &asking).await
    }

    async fn track(&self, sent: &Sent, reference: GatewayReference) -> Result<Outcome, DispatchError> {
        let (gateway, id) = (self.shipping.clone(), sent.command_id);
        let asking = Asking::new(shipment::Command::Deliver, move |_: &shipment::State| {
            let (gateway, reference) = (gateway.clone(), reference.clone());
            async move {
                match gateway.track(id, &reference).await? {
                    Delivery::Delivered => Ok(shipment::Command::Deliver),
                    Delivery::Lost { reason } => Ok(shipment::Command::Fail { reason }),
                    Delivery::InTransit => Err(GatewayError::NotYet),
                }
            }
            .boxed()
        });
        self.ask(&self.commands.shipments, sent, &asking).await
    }
}

/// Somebody changed the payment by hand while the gateway was at it: what the gateway did must not stand.
async fn undone<F: Future<Output = Result<(), GatewayError>>>(
    outcome: Outcome,
    undo: impl Fn() -> F,
) -> Result<Outcome, DispatchError> {
    let mut pause = UNDO_PAUSE;
    for _ in 0..UNDO_TRIES {
        match undo().await {
            Ok(()) => return Ok(outcome),
            Err(GatewayError::Refused(reason)) => return Ok(not_undone(&reason)),
            Err(error) => {
                tracing::warn!(%error, "a gateway could not be asked to undo what the rules refuse")
            }
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    Ok(not_undone("it did not answer"))
}

fn not_undone(reason: &str) -> Outcome {
    let message =
        format!("the gateway did what the rules refuse, and could not be asked to undo it: {reason}");
    Outcome::refused(GATEWAY_REFUSED, message)
}

/// The idempotency key of the call that undoes what a command's call did.
fn undo_id(command_id: Uuid) -> Uuid {
    Uuid::new_v5(&command_id, b"undo")
}

fn is_nothing(amount: Price) -> bool {
    amount.money().minor == 0
}

fn called_off_payment() -> payment::Command {
    payment::Command::Decline { reason: reason("the order was called off") }
}

fn no_reference() -> GatewayReference {
    GatewayReference::new(NO_REFERENCE).expect("the text is short and has no blanks around it")
}

fn reason(text: &'static str) -> Reason {
    Reason::new(text).expect("our own texts are short lines")
}
