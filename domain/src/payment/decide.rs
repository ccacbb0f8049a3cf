use std::collections::BTreeMap;

use contract::Currency;
use serde_json::{Value, json};

use super::{CATEGORY, Command, Event, Requested, State, Status};
use crate::decider::Decider;
use crate::ids::ReturnId;
use crate::value::Price;

/// The rules of a payment.
pub struct Payment;

/// Why a command for a payment was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// Nobody asked for it yet.
    NotFound,
    /// It was asked for already, for another order or amount.
    AlreadyRequested,
    /// The gateway does not hold the money yet.
    NotAuthorized,
    /// The gateway holds the money already, under another reference.
    AlreadyAuthorized,
    /// The gateway has not taken the money yet.
    NotCaptured,
    /// The gateway has taken the money already.
    AlreadyCaptured,
    /// There will be no money.
    Declined,
    /// The refund is in another currency.
    CurrencyMismatch {
        /// The payment's.
        currency: Currency,
    },
    /// More would go back than came in.
    RefundTooLarge {
        /// What can still go back, in minor units.
        left_minor: i64,
    },
    /// Another amount went back for this already.
    AlreadyRefunded,
}

rejection_codes! {
    NotFound => PaymentNotFound,
    AlreadyRequested => PaymentAlreadyRequested,
    NotAuthorized => PaymentNotAuthorized,
    AlreadyAuthorized => PaymentAlreadyAuthorized,
    NotCaptured => PaymentNotCaptured,
    AlreadyCaptured => PaymentAlreadyCaptured,
    Declined => PaymentDeclined,
    CurrencyMismatch => CurrencyMismatch,
    RefundTooLarge => RefundTooLarge,
    AlreadyRefunded => AlreadyRefunded,
}

impl Rejection {
    /// What a program may want to know besides.
    #[must_use]
    pub fn details(&self) -> Option<Value> {
        match self {
            Rejection::CurrencyMismatch { currency } => Some(json!({ "currency": currency })),
            Rejection::RefundTooLarge { left_minor } => Some(json!({ "leftMinor": left_minor })),
            _ => None,
        }
    }
}

impl Decider for Payment {
    const CATEGORY: &'static str = CATEGORY;
    type Command = Command;
    type Event = Event;
    type State = State;
    type Rejection = Rejection;

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Rejection> {
        let State::Requested(payment) = state else {
            return match command {
                Command::Request { payment_id, order_id, amount, token } => {
                    Ok(vec![Event::Requested { payment_id, order_id, amount, token }])
                }
                _ => Err(Rejection::NotFound),
            };
        };
        let Requested { payment_id, order_id, amount, status, .. } = *payment;
        let event = match (command, status) {
            (Command::Request { order_id: order, amount: asked, .. }, _) => {
                let same = order == order_id && asked == amount;
                return if same { Ok(vec![]) } else { Err(Rejection::AlreadyRequested) };
            }
            (Command::Decline { reason }, Status::Requested | Status::Authorized) => {
                Event::Declined { payment_id, order_id, reason }
            }
            (Command::Decline { .. }, Status::Declined) => return Ok(vec![]),
            (Command::Decline { .. }, Status::Captured) => return Err(Rejection::AlreadyCaptured),
            (_, Status::Declined) => return Err(Rejection::Declined),
            (Command::Authorize { reference }, Status::Requested) => {
                Event::Authorized { payment_id, order_id, reference }
            }
            (Command::Authorize { reference }, Status::Authorized | Status::Captured) => {
                let same = payment.reference.as_ref() == Some(&reference);
                return if same { Ok(vec![]) } else { Err(Rejection::AlreadyAuthorized) };
            }
            (Command::Capture, Status::Requested) => return Err(Rejection::NotAuthorized),
            (Command::Capture, Status::Authorized) => Event::Captured { payment_id, order_id, amount },
            (Command::Capture, Status::Captured) => return Ok(vec![]),
            (Command::Refund { .. }, Status::Requested | Status::Authorized) => {
                return Err(Rejection::NotCaptured);
            }
            (Command::Refund { return_id, amount }, Status::Captured) => {
                if !may_refund(payment, return_id, amount)? {
                    return Ok(vec![]);
                }
                Event::Refunded { payment_id, order_id, return_id, amount }
            }
        };
        Ok(vec![event])
    }

    fn evolve(mut state: State, event: &Event) -> State {
        if let Event::Requested { payment_id, order_id, amount, .. } = event {
            return State::Requested(Requested {
                payment_id: *payment_id,
                order_id: *order_id,
                amount: *amount,
                status: Status::Requested,
                reference: None,
                refunds: BTreeMap::new(),
            });
        }
        if let State::Requested(payment) = &mut state {
            match event {
                Event::Requested { .. } => {}
                Event::Authorized { reference, .. } => {
                    payment.status = Status::Authorized;
                    payment.reference = Some(reference.clone());
                }
                Event::Captured { .. } => payment.status = Status::Captured,
                Event::Declined { .. } => payment.status = Status::Declined,
                Event::Refunded { return_id, amount, .. } => {
                    payment.refunds.insert(*return_id, *amount);
                }
            }
        }
        state
    }
}

/// Whether a refund changes anything.
fn may_refund(payment: &Requested, return_id: Option<ReturnId>, refund: Price) -> Result<bool, Rejection> {
    let paid = payment.amount.money();
    if refund.money().currency != paid.currency {
        return Err(Rejection::CurrencyMismatch { currency: paid.currency });
    }
    match payment.refunds.get(&return_id) {
        Some(before) if *before == refund => return Ok(false),
        Some(_) => return Err(Rejection::AlreadyRefunded),
        None => {}
    }
    // Prices are not below 0, so this is between the payment and its negative and cannot overflow.
    let left_minor = paid.minor.saturating_sub(payment.refunded_minor());
    if refund.money().minor > left_minor {
        return Err(Rejection::RefundTooLarge { left_minor });
    }
    Ok(true)
}
