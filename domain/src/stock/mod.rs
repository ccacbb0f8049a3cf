//! The stock of one product: how many units are on hand, and which of them are reserved for orders.

mod command;
mod decide;
mod event;
mod state;

pub use command::{Action, Command};
pub use decide::{Rejection, Stock};
pub use event::Event;
pub use state::State;

/// The category of its streams, `stock-<product id>`.
pub const CATEGORY: &str = "stock";
