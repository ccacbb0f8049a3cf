//! What commands name besides their own aggregate: it has to be there when the command is carried out.

use contract::{ErrorCode, Position};
use domain::ids::{OrderId, PaymentId, ReturnId, ShipmentId, UserId};
use domain::order::Customer;
use domain::value::CustomerNumber;
use domain::{payment, shipment, user};
use serde_json::{Value, json};

use crate::commands::Commands;
use crate::executor::{Aggregate, CommandError, Prepare};

/// A command that names others.
pub(crate) struct Referring<C> {
    /// The command.
    pub(crate) command: C,
    /// Whom it names.
    pub(crate) references: Vec<Reference>,
    /// Where they are looked for.
    pub(crate) commands: Commands,
}

/// Something that a command names.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reference {
    /// An order.
    Order(OrderId),
    /// A payment, of the order when one is given.
    Payment(PaymentId, Option<OrderId>),
    /// A shipment of an order.
    Shipment(ShipmentId, OrderId),
    /// A return.
    Return(ReturnId),
}

impl<D: Aggregate> Prepare<D> for Referring<D::Command> {
    async fn prepare(&self, state: &D::State, position: Position) -> Result<D::Command, CommandError> {
        // What is refused anyhow, or changes nothing, needs no look elsewhere.
        if D::decide(state, self.command.clone()).is_ok_and(|events| !events.is_empty()) {
            for reference in &self.references {
                reference.check(&self.commands, position).await?;
            }
        }
        Ok(self.command.clone())
    }
}

impl Reference {
    /// Looks whether it is there.
    pub(crate) async fn check(self, commands: &Commands, position: Position) -> Result<(), CommandError> {
        let there = match self {
            Self::Order(id) => commands.orders.exists(id.0).await?,
            Self::Return(id) => commands.returns.exists(id.0).await?,
            Self::Payment(id, None) => commands.payments.exists(id.0).await?,
            Self::Payment(id, Some(order)) => match commands.payments.current(id.0).await? {
                Some(current) => {
                    matches!(current.state, payment::State::Requested(it) if it.order_id == order)
                }
                None => false,
            },
            Self::Shipment(id, order) => match commands.shipments.current(id.0).await? {
                Some(current) => {
                    matches!(current.state, shipment::State::Requested(it) if it.order_id == order)
                }
                None => false,
            },
        };
        if there { Ok(()) } else { Err(self.unknown(position)) }
    }

    fn unknown(self, position: Position) -> CommandError {
        match self {
            Self::Order(id) => unknown("there is no such order", json!({ "orderId": id }), position),
            Self::Return(id) => unknown("there is no such return", json!({ "returnId": id }), position),
            Self::Payment(id, None) => {
                unknown("there is no such payment", json!({ "paymentId": id }), position)
            }
            Self::Payment(id, Some(_)) => {
                unknown("the order has no such payment", json!({ "paymentId": id }), position)
            }
            Self::Shipment(id, _) => {
                unknown("the order has no such shipment", json!({ "shipmentId": id }), position)
            }
        }
    }
}

/// The customer with this number, registered at some time.
pub(crate) async fn find_customer(
    commands: &Commands,
    number: &CustomerNumber,
    position: Position,
) -> Result<Customer, CommandError> {
    let user_id = UserId::from_number(number);
    if commands.users.exists(user_id.0).await? {
        return Ok(Customer { user_id, customer_number: number.clone() });
    }
    Err(unknown("there is no such customer", json!({ "customerNumber": number }), position))
}

/// The customer with this number, if the account is open.
pub(crate) async fn find_active_customer(
    commands: &Commands,
    number: &CustomerNumber,
    position: Position,
) -> Result<Customer, CommandError> {
    let user_id = UserId::from_number(number);
    let details = json!({ "customerNumber": number });
    let Some(current) = commands.users.current(user_id.0).await? else {
        return Err(unknown("there is no such customer", details, position));
    };
    match current.state {
        user::State::Known { status: user::Status::Active, .. } => {
            Ok(Customer { user_id, customer_number: number.clone() })
        }
        _ => Err(unknown("the customer's account is closed", details, later(position, current.position))),
    }
}

/// The later of two positions of the log.
pub(crate) fn later(one: Position, other: Position) -> Position {
    if one.at < other.at { other } else { one }
}

/// The answer to a command that names something that is not there.
pub(crate) fn unknown(message: &str, details: Value, position: Position) -> CommandError {
    CommandError::Rejected {
        code: ErrorCode::UnknownReference,
        message: message.to_owned(),
        details: Some(details),
        position,
    }
}
