//! A registered customer of the shop.

mod command;
mod decide;
mod event;
mod state;

pub use command::Command;
pub use decide::{Rejection, User};
pub use event::Event;
pub use state::{State, Status};

/// The category of its streams, `user-<id>`.
pub const CATEGORY: &str = "user";
