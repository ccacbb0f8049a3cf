//! An order: placed, reserved, paid, shipped, delivered, in this order; or cancelled on the way.

mod buyer;
mod command;
mod decide;
mod event;
mod state;

pub use buyer::{Buyer, CancelReason, Customer};
pub use command::{Command, Place};
pub use decide::{Order, Rejection};
pub use event::Event;
pub use state::{Placed, State, Status};

/// The category of its streams, `order-<id>`.
pub const CATEGORY: &str = "order";
