//! The configuration in force: flag, then environment, then file, then default.

mod address;
mod file;
mod mask;
mod resolve;
mod setting;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use command_side::Contexts;
use engine::KeepHistory;
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use observability::LogFormat;
use process_managers::gateway::{GatewayUrl, InvalidGatewayUrl};

use crate::failure::Failure;

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
    /// Whether the node keeps the system streams of the standard projections.
    pub start_standard_projections: bool,
    /// Metrics, health and log level.
    pub admin_listen: SocketAddr,
    /// Payment and shipping to try out.
    pub sandbox_listen: SocketAddr,
    /// How long goods of the sandbox are on their way.
    pub delivery_delay: SignedDuration,
    /// A payment gateway instead of the sandbox.
    pub payment_gateway: Option<GatewayUrl>,
    /// A shipping gateway instead of the sandbox.
    pub shipping_gateway: Option<GatewayUrl>,
    /// Whether other addresses than loopback may be listened on.
    pub allow_unauthenticated_network: bool,
    /// A PostgreSQL database instead of a private one.
    pub database_url: Option<String>,
    /// An EventStoreDB instead of a node of our own.
    pub eventstore: Option<String>,
    /// The zone whose days sales are summed up by.
    pub shop_time_zone: TimeZone,
    /// How long what the rows of the views were is kept.
    pub history: KeepHistory,
    /// The contexts that `serve commands` takes commands for; `up` takes all.
    pub contexts: Contexts,
    /// Whether a new shop begins without the sample.
    pub no_sample: bool,
    /// How log lines look.
    pub log_format: LogFormat,
    /// What is logged, in the syntax of `RUST_LOG`.
    pub log_filter: String,
    /// How much memory the latest requests and log lines may take for `/ops`, MiB; with 0 there is no such page.
    pub ops_memory: usize,
    /// The same as text, each with where it comes from.
    pub in_force: Vec<InForce>,
}

impl Config {
    /// The connection string of the event log: the one given, or that of the node on this machine.
    #[must_use]
    pub fn eventstore_url(&self) -> String {
        self.eventstore.clone().unwrap_or_else(|| node_url(self.node_listen))
    }

    /// The payment gateway: the one given, or the sandbox.
    ///
    /// # Errors
    /// The sandbox's address does not make a URL.
    pub fn payment_gateway(&self) -> Result<GatewayUrl, Failure> {
        self.gateway_or_sandbox(self.payment_gateway.as_ref())
    }

    /// The shipping gateway: the one given, or the sandbox.
    ///
    /// # Errors
    /// The sandbox's address does not make a URL.
    pub fn shipping_gateway(&self) -> Result<GatewayUrl, Failure> {
        self.gateway_or_sandbox(self.shipping_gateway.as_ref())
    }

    fn gateway_or_sandbox(&self, given: Option<&GatewayUrl>) -> Result<GatewayUrl, Failure> {
        match given {
            Some(url) => Ok(url.clone()),
            None => format!("http://{}", reachable(self.sandbox_listen))
                .parse()
                .map_err(|error: InvalidGatewayUrl| Failure::of(&error)),
        }
    }

    /// Whether anything is to be asked of the sandbox.
    #[must_use]
    pub fn needs_sandbox(&self) -> bool {
        self.payment_gateway.is_none() || self.shipping_gateway.is_none()
    }
}

/// What EventStoreDB clients connect to for the node at an address.
#[must_use]
pub fn node_url(address: SocketAddr) -> String {
    format!("esdb://{}?tls=false", reachable(address))
}

/// What a client on this machine connects to for an address that is listened on.
#[must_use]
pub fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    address
}
