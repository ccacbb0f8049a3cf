//! The shop's projections over a real node and a real PostgreSQL.

mod decoding;
mod folding;
mod shop;
mod tables;
