//! The event log's own node.

use std::net::SocketAddr;

use event_store_node::{Node, NodeConfig, NodeError};

use crate::config::{Config, Setting};
use crate::data_dir::DataDir;
use crate::failure::Failure;
use crate::listeners::cannot_bind;
use crate::shutdown::Parts;

/// Opens the log and serves it; answers once clients can connect.
///
/// # Errors
/// The address is taken, or the log cannot be opened.
pub async fn start(parts: &mut Parts, data: &DataDir, config: &Config) -> Result<SocketAddr, Failure> {
    let listen = config.node_listen;
    let mut node = NodeConfig::new(data.node(), listen);
    node.start_standard_projections = config.start_standard_projections;
    let node = Node::start(node).await.map_err(|error| match &error {
        NodeError::Listen { error, .. } => cannot_bind(Setting::NodeListen, listen, error),
        _ => Failure::of(&error),
    })?;
    let address = node.address();
    parts.start("the event log's node", |stop| async move {
        stop.cancelled().await;
        node.shutdown().await;
        Ok(())
    });
    Ok(address)
}
