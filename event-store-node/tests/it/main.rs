//! The node through the official client and through its storage's own door.

mod append;
mod generated;
mod subscribe;
mod support;
