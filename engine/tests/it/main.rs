//! The engine over a real node and a real PostgreSQL.

mod bank;
mod crashes;
mod failing;
mod fixture;
mod folding;
mod postgres_restart;
mod refusals;
mod takeover;
