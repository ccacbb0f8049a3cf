//! The embedded node: EventStoreDB's gRPC protocol over an embedded log, for the official clients, on one machine.
//!
//! [`Node::start`] opens the log in a data directory and serves it; an answered append is on disk. Clients connect with
//! `esdb://<address>?tls=false`. The bytes on disk are described in FORMAT.md.

mod consumer_group;
mod filter;
mod links;
pub mod metrics;
mod node;
mod persistent;
mod proto;
mod rpc;
mod scavenges;
mod socket;
mod standard_projections;
pub mod storage;

pub use node::{Node, NodeConfig, NodeError, serve};
