use serde_json::Value;

use super::{CATEGORY, Command, Event, Requested, State, Status};
use crate::decider::Decider;

/// The rules of a shipment.
pub struct Shipment;

/// Why a command for a shipment was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// Nobody asked for it yet.
    NotFound,
    /// It was asked for already, for another order.
    AlreadyRequested,
    /// The carrier does not have the goods yet.
    NotDispatched,
    /// The carrier has the goods already, under another reference.
    AlreadyDispatched,
    /// The goods arrived already.
    AlreadyDelivered,
    /// The goods did not arrive, or could not be sent.
    Failed,
}

rejection_codes! {
    NotFound => ShipmentNotFound,
    AlreadyRequested => ShipmentAlreadyRequested,
    NotDispatched => ShipmentNotDispatched,
    AlreadyDispatched => ShipmentAlreadyDispatched,
    AlreadyDelivered => ShipmentAlreadyDelivered,
    Failed => ShipmentFailed,
}

impl Rejection {
    /// Nothing besides.
    #[must_use]
    pub const fn details(&self) -> Option<Value> {
        None
    }
}

impl Decider for Shipment {
    const CATEGORY: &'static str = CATEGORY;
    type Command = Command;
    type Event = Event;
    type State = State;
    type Rejection = Rejection;

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Rejection> {
        let State::Requested(shipment) = state else {
            return match command {
                Command::Request { shipment_id, order_id, token } => {
                    Ok(vec![Event::Requested { shipment_id, order_id, token }])
                }
                _ => Err(Rejection::NotFound),
            };
        };
        let Requested { shipment_id, order_id, status, .. } = *shipment;
        let event = match (command, status) {
            (Command::Request { order_id: order, .. }, _) if order == order_id => return Ok(vec![]),
            (Command::Request { .. }, _) => return Err(Rejection::AlreadyRequested),
            (Command::Fail { reason }, Status::Requested | Status::Dispatched) => {
                Event::Failed { shipment_id, order_id, reason }
            }
            (Command::Fail { .. }, Status::Failed) => return Ok(vec![]),
            (Command::Fail { .. }, Status::Delivered) => return Err(Rejection::AlreadyDelivered),
            (_, Status::Failed) => return Err(Rejection::Failed),
            (Command::Dispatch { reference }, Status::Requested) => {
                Event::Dispatched { shipment_id, order_id, reference }
            }
            (Command::Dispatch { reference }, Status::Dispatched | Status::Delivered) => {
                let same = shipment.reference.as_ref() == Some(&reference);
                return if same { Ok(vec![]) } else { Err(Rejection::AlreadyDispatched) };
            }
            (Command::Deliver, Status::Requested) => return Err(Rejection::NotDispatched),
            (Command::Deliver, Status::Dispatched) => Event::Delivered { shipment_id, order_id },
            (Command::Deliver, Status::Delivered) => return Ok(vec![]),
        };
        Ok(vec![event])
    }

    fn evolve(mut state: State, event: &Event) -> State {
        if let Event::Requested { shipment_id, order_id, .. } = event {
            return State::Requested(Requested {
                shipment_id: *shipment_id,
                order_id: *order_id,
                status: Status::Requested,
                reference: None,
            });
        }
        if let State::Requested(shipment) = &mut state {
            match event {
                Event::Requested { .. } => {}
                Event::Dispatched { reference, .. } => {
                    shipment.status = Status::Dispatched;
                    shipment.reference = Some(reference.clone());
                }
                Event::Delivered { .. } => shipment.status = Status::Delivered,
                Event::Failed { .. } => shipment.status = Status::Failed,
            }
        }
        state
    }
}
