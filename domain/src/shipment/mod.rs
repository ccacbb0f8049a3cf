//! The shipment of an order: requested, dispatched, delivered; or failed on the way.

mod command;
mod decide;
mod event;
mod state;

pub use command::Command;
pub use decide::{Rejection, Shipment};
pub use event::Event;
pub use state::{Requested, State, Status};

/// The category of its streams, `shipment-<id>`.
pub const CATEGORY: &str = "shipment";
