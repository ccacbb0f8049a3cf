//! The command side over HTTP, on the real node and the real vault.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by failing")]

mod bad_input;
mod contexts;
mod every_command;
mod idempotency;
mod lifecycle;
mod openapi;
mod orders;
mod payments;
mod processes;
mod returns;
mod sales;
mod shipments;
mod support;
mod unavailable;
