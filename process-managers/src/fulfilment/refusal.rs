//! Which refusals mean something.

use contract::ErrorCode;
use domain::{ShopEvent, process};
use engine::{Recorded, Refusal};

use super::command::{CANCEL_ORDER, RESERVE_STOCK};

/// What the event says when it tells that a command was refused or changed nothing.
pub(super) fn of(event: &Recorded<ShopEvent>) -> Option<Refusal> {
    let ShopEvent::Process(process::Event::CommandRefused { command, code, message, .. }) = &event.event
    else {
        return None;
    };
    let is_settled = |code: &String| command == RESERVE_STOCK || is_answered_elsewhere(command, code);
    let code = code.clone().filter(|code| !is_settled(code));
    Some(Refusal { code, message: message.clone() })
}

/// Whether a command was refused only because somebody else was there first. The event that says so is an event of
/// this order and has been folded, so the refusal tells nothing new.
pub(super) fn is_answered_elsewhere(command: &str, code: &str) -> bool {
    // Calling off what has left by hand is not: the saga is after what cannot be.
    let is_cancel = command == CANCEL_ORDER;
    let codes: &[ErrorCode] = if is_cancel {
        &[ErrorCode::OrderCancelled]
    } else {
        &[
            ErrorCode::ReservationNotFound,
            ErrorCode::OrderCancelled,
            ErrorCode::OrderAlreadyPaid,
            ErrorCode::OrderAlreadyShipped,
            ErrorCode::OrderAlreadyDelivered,
            ErrorCode::PaymentAlreadyAuthorized,
            ErrorCode::PaymentAlreadyCaptured,
            ErrorCode::PaymentDeclined,
            ErrorCode::ShipmentAlreadyDispatched,
            ErrorCode::ShipmentAlreadyDelivered,
            ErrorCode::ShipmentFailed,
        ]
    };
    codes.iter().any(|known| known.as_str() == code)
}
