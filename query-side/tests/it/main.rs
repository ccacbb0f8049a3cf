//! The service through HTTP, on tables filled as the projections fill them.

mod bad_input;
mod catalogue;
mod customers;
mod pages;
mod position;
mod projections;
mod schema;
mod snapshot;
mod statements;
mod support;
