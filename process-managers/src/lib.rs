//! Processes that span aggregates: sagas, pure folds with reactions that the engine runs.

pub mod fulfilment;
pub mod return_handling;
mod trouble;

pub use trouble::Trouble;
