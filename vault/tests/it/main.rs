//! The vault through its public door.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by failing")]

mod destroy;
mod file;
mod fingerprint;
mod seal;
mod support;
