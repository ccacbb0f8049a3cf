//! A product of the catalogue: what it is called and what it costs, listed or not.

mod command;
mod decide;
mod event;
mod state;

pub use command::Command;
pub use decide::{Product, Rejection};
pub use event::Event;
pub use state::{State, Status};

/// The category of its streams, `product-<id>`.
pub const CATEGORY: &str = "product";
