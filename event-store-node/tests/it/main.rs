//! The node through the official client and over the wire, and its storage through its own door.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by failing")]
#![allow(clippy::duplicate_mod, reason = "one runner of cases is compiled with each of two clients")]

mod against_model;
mod append;
mod backup;
mod batch_append;
mod cancelled;
mod conformance;
mod crash;
mod delete;
mod discover;
mod disk;
mod durable;
mod front_ends;
mod fuzz;
mod generated;
mod journal;
mod kill;
mod linearizable;
mod metadata;
mod model;
mod pages;
mod persistent;
mod persistent_manage;
mod persistent_raw;
mod persistent_restart;
mod persistent_support;
mod quick_ack;
mod raw;
mod raw_delete;
mod read;
mod reopen;
mod restart;
mod scavenge;
mod scavenge_client;
mod standard_projections;
mod statistics;
mod subscribe;
mod support;
mod verify;
