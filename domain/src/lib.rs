//! Pure rules of the shop: commands in, events out, state folded from events. No async, no I/O, no clock, no
//! randomness: time and ids come in with the command. One folder an aggregate; [`codec`] gives events their JSON.

#[macro_use]
mod macros;

pub mod codec;
pub mod decider;
pub mod event;
pub mod ids;
pub mod lines;
pub mod order;
pub mod payment;
pub mod personal;
pub mod process;
pub mod product;
pub mod returns;
pub mod shipment;
pub mod stock;
pub mod user;
pub mod value;

pub use decider::{Decider, Refusal, fold};
pub use event::ShopEvent;
pub use personal::Personal;
