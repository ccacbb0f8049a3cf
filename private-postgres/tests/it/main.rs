//! The private server through its public door. What concerns the end of a process runs in a process of its own: this
//! very binary again, told by environment variables what to do ([`helper`]).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by failing")]

mod errors;
mod helper;
mod lifetime;
mod test_databases;
