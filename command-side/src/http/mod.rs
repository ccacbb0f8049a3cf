//! Between HTTP and the executor: what every route does the same way.

mod answer;
mod body;
mod carry_out;
mod failure;
pub(crate) mod headers;
mod json;
mod path;
mod shape;

pub(crate) use answer::{Answer, Found};
pub(crate) use body::{Envelope, Sent};
pub(crate) use carry_out::{Operation, Order, carry_out, prepare_and_carry_out};
pub use failure::route_not_found;
pub(crate) use failure::{Failure, method_not_allowed};
pub(crate) use path::AggregateId;
