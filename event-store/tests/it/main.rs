//! The port against the real node, over real sockets.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by failing")]

mod append;
mod identity;
mod read;
mod subscribe;
mod support;
