//! The configuration in force: flag, then environment, then file, then default.

mod address;
mod file;
mod mask;
mod resolve;
mod setting;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;

use jiff::tz::TimeZone;
use observability::LogFormat;

pub use mask::masked;
pub use resolve::{Environment, resolve};
pub use setting::{InForce, Setting, Source};

/// Every setting, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where all data is kept.
    pub data_dir: PathBuf,
    /// REST and GraphQL.
    pub listen: SocketAddr,
    /// The node of the event log.
    pub node_listen: SocketAddr,
    /// Metrics, health and log level.
    pub admin_listen: SocketAddr,
    /// A PostgreSQL database instead of a private one.
    pub database_url: Option<String>,
    /// An EventStoreDB instead of a node of our own.
    pub eventstore: Option<String>,
    /// The zone whose days sales are summed up by.
    pub shop_time_zone: TimeZone,
    /// How log lines look.
    pub log_format: LogFormat,
    /// What is logged, in the syntax of `RUST_LOG`.
    pub log_filter: String,
    /// The same as text, each with where it comes from.
    pub in_force: Vec<InForce>,
}

impl Config {
    /// The connection string of the event log: the one given, or that of the node on this machine.
    #[must_use]
    pub fn eventstore_url(&self) -> String {
        self.eventstore.clone().unwrap_or_else(|| node_url(self.node_listen))
    }
}

/// What EventStoreDB clients connect to for the node at an address.
#[must_use]
pub fn node_url(mut address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    format!("esdb://{address}?tls=false")
}
