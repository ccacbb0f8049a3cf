//! A return of goods: received, then restocked and refunded, in whichever order.

mod command;
mod decide;
mod event;
mod state;

pub use command::{Command, Receive};
pub use decide::{Rejection, Return};
pub use event::Event;
pub use state::{Received, State};

/// The category of its streams, `return-<id>`.
pub const CATEGORY: &str = "return";
