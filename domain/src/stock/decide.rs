use serde_json::{Value, json};

use super::{Action, CATEGORY, Command, Event, State};
use crate::decider::Decider;
use crate::value::UNITS_MAX;

/// The rules of a product's stock.
pub struct Stock;

/// Why a command for stock was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// Fewer units are there than the command needs.
    Insufficient {
        /// Units in the house.
        on_hand: i64,
        /// Units set aside.
        reserved: i64,
        /// Units asked for.
        requested: i64,
    },
    /// The order has another quantity set aside.
    AlreadyReserved {
        /// How many.
        quantity: i64,
    },
    /// The order has nothing set aside.
    ReservationNotFound,
    /// On hand would pass [`UNITS_MAX`].
    Overflow,
}

rejection_codes! {
    Insufficient => InsufficientStock,
    AlreadyReserved => AlreadyReserved,
    ReservationNotFound => ReservationNotFound,
    Overflow => QuantityOverflow,
}

impl Rejection {
    /// What a program may want to know besides.
    #[must_use]
    pub fn details(&self) -> Option<Value> {
        match self {
            Rejection::Insufficient { on_hand, reserved, requested } => {
                Some(json!({ "onHand": on_hand, "reserved": reserved, "requested": requested }))
            }
            Rejection::AlreadyReserved { quantity } => Some(json!({ "quantity": quantity })),
            Rejection::ReservationNotFound | Rejection::Overflow => None,
        }
    }
}

impl Decider for Stock {
    const CATEGORY: &'static str = CATEGORY;
    type Command = Command;
    type Event = Event;
    type State = State;
    type Rejection = Rejection;

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Rejection> {
        let Command { product_id, action } = command;
        let event = match action {
            Action::Receive { quantity } => {
                check_on_hand(state, quantity.units())?;
                Event::Received { product_id, quantity }
            }
            Action::Adjust { quantity, reason } => {
                check_on_hand(state, quantity.units())?;
                Event::Adjusted { product_id, quantity, reason }
            }
            Action::Reserve { order_id, quantity } => {
                if let Some(open) = state.reservations.get(&order_id) {
                    let same = *open == quantity;
                    let other = Rejection::AlreadyReserved { quantity: open.units() };
                    return if same { Ok(vec![]) } else { Err(other) };
                }
                if quantity.units() > state.available() {
                    return Err(insufficient(state, quantity.units()));
                }
                Event::Reserved { product_id, order_id, quantity }
            }
            Action::Release { order_id } => {
                let quantity = *state.reservations.get(&order_id).ok_or(Rejection::ReservationNotFound)?;
                Event::Released { product_id, order_id, quantity }
            }
            Action::Ship { order_id } => {
                let quantity = *state.reservations.get(&order_id).ok_or(Rejection::ReservationNotFound)?;
                check_on_hand(state, -quantity.units())?;
                Event::Shipped { product_id, order_id, quantity }
            }
            Action::Restock { return_id, quantity } => {
                check_on_hand(state, quantity.units())?;
                Event::Restocked { product_id, return_id, quantity }
            }
        };
        Ok(vec![event])
    }

    fn evolve(mut state: State, event: &Event) -> State {
        // Saturating, because evolve takes any event; decide never lets it come to that.
        match event {
            Event::Received { quantity, .. } | Event::Restocked { quantity, .. } => {
                state.on_hand = state.on_hand.saturating_add(quantity.units());
            }
            Event::Adjusted { quantity, .. } => {
                state.on_hand = state.on_hand.saturating_add(quantity.units());
            }
            Event::Reserved { order_id, quantity, .. } => {
                state.reserved = state.reserved.saturating_add(quantity.units());
                state.reservations.insert(*order_id, *quantity);
            }
            Event::Released { order_id, quantity, .. } => {
                state.reserved = state.reserved.saturating_sub(quantity.units());
                state.reservations.remove(order_id);
            }
            Event::Shipped { order_id, quantity, .. } => {
                state.on_hand = state.on_hand.saturating_sub(quantity.units());
                state.reserved = state.reserved.saturating_sub(quantity.units());
                state.reservations.remove(order_id);
            }
        }
        state
    }
}

/// Whether on hand may change by so many units.
fn check_on_hand(state: &State, change: i64) -> Result<(), Rejection> {
    match state.on_hand.checked_add(change) {
        Some(0..=UNITS_MAX) => Ok(()),
        Some(..0) => Err(insufficient(state, change.saturating_neg())),
        Some(_) | None => Err(Rejection::Overflow),
    }
}

fn insufficient(state: &State, requested: i64) -> Rejection {
    Rejection::Insufficient { on_hand: state.on_hand, reserved: state.reserved, requested }
}
