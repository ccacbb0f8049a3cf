//! The engine over a real node and a real PostgreSQL.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by failing")]

mod bank;
mod crashes;
mod failing;
mod fixture;
mod folding;
mod history;
mod postgres_restart;
mod rebuild;
mod refusals;
mod saga_crashes;
mod saga_rows;
mod sagas;
mod takeover;
mod transfers;
mod versions;
