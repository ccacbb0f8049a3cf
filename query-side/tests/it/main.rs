//! The service through HTTP, on tables filled as the projections fill them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by failing")]

mod as_of;
mod bad_input;
mod catalogue;
mod customers;
mod order_pages;
mod orders;
mod pages;
mod position;
mod projections;
mod replica;
mod sales;
mod schema;
mod search;
mod snapshot;
mod statements;
mod support;
