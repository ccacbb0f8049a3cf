//! The payment of an order: requested, authorized, captured; declined on the way; refunded in whole or in parts.

mod command;
mod decide;
mod event;
mod state;

pub use command::Command;
pub use decide::{Payment, Rejection};
pub use event::Event;
pub use state::{Requested, State, Status};

/// The category of its streams, `payment-<id>`.
pub const CATEGORY: &str = "payment";
