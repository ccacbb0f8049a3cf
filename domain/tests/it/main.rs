//! The rules through their public door: what was, what is asked, what comes of it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by failing")]

mod golden;
mod order;
mod payment;
mod product;
mod returns;
mod shipment;
mod stock;
mod support;
mod user;
