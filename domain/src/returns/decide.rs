use contract::Currency;
use serde_json::{Value, json};

use super::{CATEGORY, Command, Event, Receive, Received, State};
use crate::decider::Decider;
use crate::lines::{self, InvalidLines};

/// The rules of a return.
pub struct Return;

/// Why a command for a return was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// Nothing came back yet.
    NotFound,
    /// The goods are here already.
    AlreadyReceived,
    /// It has no line.
    NoLines,
    /// It has more than [`lines::LINES_MAX`] lines.
    TooManyLines,
    /// A line is in another currency.
    CurrencyMismatch {
        /// The return's.
        currency: Currency,
    },
    /// The total does not fit.
    AmountOverflow,
    /// All units together are more than can be counted.
    QuantityOverflow,
    /// The money went back from another payment.
    AlreadyRefunded,
}

rejection_codes! {
    NotFound => ReturnNotFound,
    AlreadyReceived => ReturnAlreadyReceived,
    NoLines => NoLines,
    TooManyLines => TooManyLines,
    CurrencyMismatch => CurrencyMismatch,
    AmountOverflow => AmountOverflow,
    QuantityOverflow => QuantityOverflow,
    AlreadyRefunded => AlreadyRefunded,
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

impl Decider for Return {
    const CATEGORY: &'static str = CATEGORY;
    type Command = Command;
    type Event = Event;
    type State = State;
    type Rejection = Rejection;

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Rejection> {
        let State::Received(goods) = state else {
            return match command {
                Command::Receive(goods) => Ok(vec![receive(*goods)?]),
                Command::MarkRestocked | Command::MarkRefunded { .. } => Err(Rejection::NotFound),
            };
        };
        let Received { return_id, order_id, total, restocked, refunded, .. } = **goods;
        match command {
            Command::Receive(_) => Err(Rejection::AlreadyReceived),
            Command::MarkRestocked if restocked => Ok(vec![]),
            Command::MarkRestocked => Ok(vec![Event::Restocked { return_id, order_id }]),
            Command::MarkRefunded { payment_id } => match refunded {
                None => Ok(vec![Event::Refunded { return_id, order_id, payment_id, amount: total }]),
                Some(before) if before == payment_id => Ok(vec![]),
                Some(_) => Err(Rejection::AlreadyRefunded),
            },
        }
    }

    fn evolve(mut state: State, event: &Event) -> State {
        if let Event::Received { return_id, number, order_id, customer, country, currency, lines, total } =
            event
        {
            return State::Received(Box::new(Received {
                return_id: *return_id,
                number: number.clone(),
                order_id: *order_id,
                customer: customer.clone(),
                country: country.clone(),
                currency: *currency,
                lines: lines.clone(),
                total: *total,
                restocked: false,
                refunded: None,
            }));
        }
        if let State::Received(goods) = &mut state {
            match event {
                Event::Received { .. } => {}
                Event::Restocked { .. } => goods.restocked = true,
                Event::Refunded { payment_id, .. } => goods.refunded = Some(*payment_id),
            }
        }
        state
    }
}

fn receive(goods: Receive) -> Result<Event, Rejection> {
    let Receive { return_id, number, order_id, customer, country, currency, lines } = goods;
    let (lines, total) = lines::take(lines, currency).map_err(|invalid| match invalid {
        InvalidLines::None => Rejection::NoLines,
        InvalidLines::TooMany => Rejection::TooManyLines,
        InvalidLines::CurrencyMismatch => Rejection::CurrencyMismatch { currency },
        InvalidLines::AmountOverflow => Rejection::AmountOverflow,
        InvalidLines::QuantityOverflow => Rejection::QuantityOverflow,
    })?;
    Ok(Event::Received { return_id, number, order_id, customer, country, currency, lines, total })
}
