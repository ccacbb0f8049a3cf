use contract::Currency;
use serde_json::{Value, json};

use super::{CATEGORY, CancelReason, Command, Event, Place, Placed, State, Status};
use crate::decider::Decider;
use crate::ids::{PaymentId, ShipmentId};
use crate::lines::{self, InvalidLines};

/// The rules of an order.
pub struct Order;

/// Why a command for an order was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// Nobody placed it yet.
    NotFound,
    /// It is placed already.
    AlreadyPlaced,
    /// It has no line.
    NoLines,
    /// It has more than [`lines::LINES_MAX`] lines.
    TooManyLines,
    /// A line is in another currency.
    CurrencyMismatch {
        /// The order's.
        currency: Currency,
    },
    /// The total does not fit.
    AmountOverflow,
    /// All units together are more than can be counted.
    QuantityOverflow,
    /// Not everything it needs is set aside yet.
    NotReserved,
    /// It is not paid yet.
    NotPaid,
    /// It has not left the house yet.
    NotShipped,
    /// Another payment paid it.
    AlreadyPaid,
    /// It has left the house already, with another shipment when it is to leave again.
    AlreadyShipped,
    /// It arrived already.
    AlreadyDelivered,
    /// It was called off.
    Cancelled,
}

rejection_codes! {
    NotFound => OrderNotFound,
    AlreadyPlaced => OrderAlreadyPlaced,
    NoLines => NoLines,
    TooManyLines => TooManyLines,
    CurrencyMismatch => CurrencyMismatch,
    AmountOverflow => AmountOverflow,
    QuantityOverflow => QuantityOverflow,
    NotReserved => OrderNotReserved,
    NotPaid => OrderNotPaid,
    NotShipped => OrderNotShipped,
    AlreadyPaid => OrderAlreadyPaid,
    AlreadyShipped => OrderAlreadyShipped,
    AlreadyDelivered => OrderAlreadyDelivered,
    Cancelled => OrderCancelled,
}

impl Rejection {
    /// What a program may want to know besides.
    #[must_use]
    pub fn details(&self) -> Option<Value> {
        match self {
            Rejection::CurrencyMismatch { currency } => Some(json!({ "currency": currency })),
            _ => None,
        }
    }
}

impl Decider for Order {
    const CATEGORY: &'static str = CATEGORY;
    type Command = Command;
    type Event = Event;
    type State = State;
    type Rejection = Rejection;

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Rejection> {
        let event = match (state, command) {
            (State::Unknown, Command::Place(order)) => Some(place(*order)?),
            (State::Unknown, _) => return Err(Rejection::NotFound),
            (State::Placed(_), Command::Place(_)) => return Err(Rejection::AlreadyPlaced),
            (State::Placed(order), Command::MarkReserved) => mark_reserved(order)?,
            (State::Placed(order), Command::MarkPaid { payment_id }) => mark_paid(order, payment_id)?,
            (State::Placed(order), Command::MarkShipped { shipment_id }) => mark_shipped(order, shipment_id)?,
            (State::Placed(order), Command::MarkDelivered) => mark_delivered(order)?,
            (State::Placed(order), Command::Cancel { reason, note }) => {
                let order_id = order.order_id;
                may_cancel(order, reason)?.then_some(Event::Cancelled { order_id, reason, note })
            }
        };
        Ok(event.into_iter().collect())
    }

    fn evolve(mut state: State, event: &Event) -> State {
        if let Event::Placed { order_id, number, buyer, country, currency, lines, total, .. } = event {
            return State::Placed(Box::new(Placed {
                order_id: *order_id,
                number: number.clone(),
                buyer: buyer.clone(),
                country: country.clone(),
                currency: *currency,
                lines: lines.clone(),
                total: *total,
                status: Status::Placed,
                payment_id: None,
                shipment_id: None,
                cancelled: None,
            }));
        }
        if let State::Placed(order) = &mut state {
            match event {
                Event::Placed { .. } => {}
                Event::Reserved { .. } => order.status = Status::Reserved,
                Event::Paid { payment_id, .. } => {
                    order.status = Status::Paid;
                    order.payment_id = Some(*payment_id);
                }
                Event::Shipped { shipment_id, .. } => {
                    order.status = Status::Shipped;
                    order.shipment_id = Some(*shipment_id);
                }
                Event::Delivered { .. } => order.status = Status::Delivered,
                Event::Cancelled { reason, note, .. } => {
                    order.status = Status::Cancelled;
                    order.cancelled = Some((*reason, note.clone()));
                }
            }
        }
        state
    }
}

fn place(order: Place) -> Result<Event, Rejection> {
    let Place { order_id, number, buyer, country, currency, lines, payment_token, shipping_token } = order;
    let (lines, total) = lines::take(lines, currency).map_err(|invalid| match invalid {
        InvalidLines::None => Rejection::NoLines,
        InvalidLines::TooMany => Rejection::TooManyLines,
        InvalidLines::CurrencyMismatch => Rejection::CurrencyMismatch { currency },
        InvalidLines::AmountOverflow => Rejection::AmountOverflow,
        InvalidLines::QuantityOverflow => Rejection::QuantityOverflow,
    })?;
    Ok(Event::Placed {
        order_id,
        number,
        buyer,
        country,
        currency,
        lines,
        total,
        payment_token,
        shipping_token,
    })
}

// Each step is taken once: asked for again in the same way, it changes nothing.

fn mark_reserved(order: &Placed) -> Result<Option<Event>, Rejection> {
    match order.status {
        Status::Placed => Ok(Some(Event::Reserved { order_id: order.order_id })),
        Status::Reserved | Status::Paid | Status::Shipped | Status::Delivered => Ok(None),
        Status::Cancelled => Err(Rejection::Cancelled),
    }
}

fn mark_paid(order: &Placed, payment_id: PaymentId) -> Result<Option<Event>, Rejection> {
    match order.status {
        Status::Placed => Err(Rejection::NotReserved),
        Status::Reserved => Ok(Some(Event::Paid { order_id: order.order_id, payment_id })),
        Status::Cancelled => Err(Rejection::Cancelled),
        _ if order.payment_id == Some(payment_id) => Ok(None),
        _ => Err(Rejection::AlreadyPaid),
    }
}

fn mark_shipped(order: &Placed, shipment_id: ShipmentId) -> Result<Option<Event>, Rejection> {
    match order.status {
        Status::Placed | Status::Reserved => Err(Rejection::NotPaid),
        Status::Paid => Ok(Some(Event::Shipped { order_id: order.order_id, shipment_id })),
        Status::Cancelled => Err(Rejection::Cancelled),
        _ if order.shipment_id == Some(shipment_id) => Ok(None),
        _ => Err(Rejection::AlreadyShipped),
    }
}

fn mark_delivered(order: &Placed) -> Result<Option<Event>, Rejection> {
    match order.status {
        Status::Placed | Status::Reserved | Status::Paid => Err(Rejection::NotShipped),
        Status::Shipped => Ok(Some(Event::Delivered { order_id: order.order_id })),
        Status::Delivered => Ok(None),
        Status::Cancelled => Err(Rejection::Cancelled),
    }
}

/// Whether cancelling changes anything.
fn may_cancel(order: &Placed, reason: CancelReason) -> Result<bool, Rejection> {
    match order.status {
        Status::Placed | Status::Reserved | Status::Paid => Ok(true),
        Status::Shipped if reason == CancelReason::ShipmentFailed => Ok(true),
        Status::Shipped => Err(Rejection::AlreadyShipped),
        Status::Delivered => Err(Rejection::AlreadyDelivered),
        Status::Cancelled if order.cancelled.as_ref().is_some_and(|(known, _)| *known == reason) => Ok(false),
        Status::Cancelled => Err(Rejection::Cancelled),
    }
}
