//! The port against the real node, over real sockets.

mod append;
mod identity;
mod read;
mod subscribe;
mod support;
