//! The event log of a configuration, for commands that only look: the one that was named, that of the `up` which runs
//! on the same data, or the node of our own, started for as long as the command takes.

use std::net::{Ipv4Addr, SocketAddr};

use event_store::EventStore;
use event_store_node::{Node, NodeConfig};

use crate::config::{Config, Setting, node_url};
use crate::data_dir::{DataDir, Lock};
use crate::failure::Failure;

/// A log that can be reached now.
pub struct EventLog {
    store: EventStore,
    started: Option<(Node, Lock)>,
}

impl EventLog {
    /// Finds it, or starts it.
    ///
    /// # Errors
    /// There is none, or it cannot be started.
    pub async fn open(config: &Config) -> Result<Self, Failure> {
        let lock = match &config.eventstore {
            Some(_) => None,
            None => DataDir::existing(&config.data_dir)?.try_lock()?,
        };
        let (url, started) = match lock {
            None => (config.eventstore_url(), None),
            Some(lock) => {
                let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
                let node = DataDir::existing(&config.data_dir)?.node();
                let node =
                    Node::start(NodeConfig::new(node, free)).await.map_err(|error| Failure::of(&error))?;
                (node_url(node.address()), Some((node, lock)))
            }
        };
        let store = EventStore::connect(&url).map_err(|error| {
            Failure::usage(error.to_string()).hint(format!("check --{}", Setting::EventStore.name()))
        })?;
        Ok(Self { store, started })
    }

    /// It.
    #[must_use]
    pub fn store(&self) -> &EventStore {
        &self.store
    }

    /// Stops what was started.
    pub async fn close(self) {
        if let Some((node, _lock)) = self.started {
            node.shutdown().await;
        }
    }
}
