use serde_json::{Value, json};

use super::{CATEGORY, Command, Event, State, Status};
use crate::decider::Decider;
use crate::ids::ProductId;
use contract::Currency;

/// The rules of a product.
pub struct Product;

/// Why a command for a product was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// Nobody listed it yet.
    NotFound,
    /// It is in the catalogue already.
    AlreadyListed,
    /// It was taken out of the catalogue; it can only be relisted.
    Delisted,
    /// A price keeps its currency.
    CurrencyMismatch {
        /// The currency it has.
        current: Currency,
    },
}

rejection_codes! {
    NotFound => ProductNotFound,
    AlreadyListed => ProductAlreadyListed,
    Delisted => ProductDelisted,
    CurrencyMismatch => CurrencyMismatch,
}

impl Rejection {
    /// What a program may want to know besides.
    #[must_use]
    pub fn details(&self) -> Option<Value> {
        match self {
            Rejection::CurrencyMismatch { current } => Some(json!({ "currency": current })),
            _ => None,
        }
    }
}

impl Decider for Product {
    const CATEGORY: &'static str = CATEGORY;
    type Command = Command;
    type Event = Event;
    type State = State;
    type Rejection = Rejection;

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Rejection> {
        let State::Known { product_id, name, description, price, status, .. } = state else {
            return match command {
                Command::List { sku, name, description, price } => {
                    let product_id = ProductId::from_sku(&sku);
                    Ok(vec![Event::Listed { product_id, sku, name, description, price }])
                }
                _ => Err(Rejection::NotFound),
            };
        };
        let product_id = *product_id;
        match (command, status) {
            (Command::List { .. }, Status::Listed) => Err(Rejection::AlreadyListed),
            (Command::Delist, Status::Listed) => Ok(vec![Event::Delisted { product_id }]),
            (Command::Relist, Status::Delisted) => Ok(vec![Event::Relisted { product_id }]),
            (Command::Delist, Status::Delisted) | (Command::Relist, Status::Listed) => Ok(vec![]),
            (_, Status::Delisted) => Err(Rejection::Delisted),
            (Command::ChangeDetails { name: new_name, description: new_description }, Status::Listed) => {
                if new_name == *name && new_description == *description {
                    return Ok(vec![]);
                }
                Ok(vec![Event::DetailsChanged { product_id, name: new_name, description: new_description }])
            }
            (Command::ChangePrice { price: new }, Status::Listed) => {
                let current = price.money().currency;
                if new.money().currency != current {
                    return Err(Rejection::CurrencyMismatch { current });
                }
                if new == *price {
                    return Ok(vec![]);
                }
                Ok(vec![Event::PriceChanged { product_id, price: new }])
            }
        }
    }

    fn evolve(mut state: State, event: &Event) -> State {
        if let Event::Listed { product_id, sku, name, description, price } = event {
            return State::Known {
                product_id: *product_id,
                sku: sku.clone(),
                name: name.clone(),
                description: description.clone(),
                price: *price,
                status: Status::Listed,
            };
        }
        if let State::Known { name, description, price, status, .. } = &mut state {
            match event {
                Event::Listed { .. } => {}
                Event::DetailsChanged { name: new_name, description: new_description, .. } => {
                    name.clone_from(new_name);
                    description.clone_from(new_description);
                }
                Event::PriceChanged { price: new, .. } => *price = *new,
                Event::Delisted { .. } => *status = Status::Delisted,
                Event::Relisted { .. } => *status = Status::Listed,
            }
        }
        state
    }
}
