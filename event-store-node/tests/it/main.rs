//! The node through the official client and over the wire, and its storage through its own door.

mod append;
mod batch_append;
mod discover;
mod disk;
mod durable;
mod generated;
mod kill;
mod raw;
mod read;
mod reopen;
mod restart;
mod subscribe;
mod support;
