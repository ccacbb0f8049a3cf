//! The shop's projections over a real node and a real PostgreSQL.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by failing")]

mod decoding;
mod folding;
mod sales;
mod search;
mod shop;
mod tables;
mod wishes;
