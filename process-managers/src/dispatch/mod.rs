//! Carrying out the commands of sagas: by the executors that the routes use too, and where a gateway has a say, by
//! asking it first. Every command leaves an event with its id: its own, or `CommandRefused`.

mod asking;
mod desk;
mod fulfilment;
mod refused;
mod return_handling;
mod sent;

pub use desk::{Desk, GATEWAY_REFUSED};
pub use fulfilment::FulfilmentDispatch;
pub use return_handling::ReturnHandlingDispatch;
