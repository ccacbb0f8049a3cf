//! The sagas through their public door: what happened, what is asked for.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by failing")]

mod any_order;
mod fulfilment;
mod fulfilment_by_hand;
mod return_handling;
mod sandbox;
mod shop;
mod story;
mod whole;
mod world;
