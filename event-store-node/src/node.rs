//! The node: a log opened, a port bound, a server running until it is told to stop.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::routing::get;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Server;
use tracing::{info, warn};
use uuid::Uuid;

use crate::metrics;
use crate::persistent::{GroupError, Subscriptions};
use crate::proto::gossip::gossip_server::GossipServer;
use crate::proto::monitoring::monitoring_server::MonitoringServer;
use crate::proto::operations::operations_server::OperationsServer;
use crate::proto::persistent_subscriptions::persistent_subscriptions_server::PersistentSubscriptionsServer;
use crate::proto::server_features::server_features_server::ServerFeaturesServer;
use crate::proto::streams::streams_server::StreamsServer;
use crate::rpc::{
    GossipService, MonitoringService, OperationsService, PersistentSubscriptionsService,
    ServerFeaturesService, StreamsService,
};
use crate::scavenges::Scavenges;
use crate::socket;
use crate::standard_projections;
use crate::storage::{Disk, Dropped, FileSystem, Storage, StorageConfig, StorageError};

/// The largest request on one call: 16 MiB less what the protocol's own server keeps for framing.
const MAX_REQUEST_BYTES: usize = 16 * 1024 * 1024 - 10_000;
/// The clients take answers of up to 17 MiB.
const MAX_RESPONSE_BYTES: usize = 17 * 1024 * 1024;
/// Calls open at once on one connection, subscriptions among them.
const MAX_CALLS_PER_CONNECTION: u32 = 4096;
/// What a client may send ahead, on one call and on one connection.
const CALL_WINDOW_BYTES: u32 = 1024 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 8 * 1024 * 1024;
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
const DISK_WATCH_INTERVAL: Duration = Duration::from_secs(10);
/// How long calls under way may take to end at shutdown.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// How a node is set up.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Where the data lies; created when missing.
    pub data_dir: PathBuf,
    /// The address to serve on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Host and port that clients are told to reconnect to; by default the address served on.
    pub advertised: Option<(String, u16)>,
    /// The size of a segment file of the log, in bytes.
    pub segment_bytes: u64,
    /// The largest append: data, metadata and types of its events, in bytes.
    pub max_append_bytes: u64,
    /// Whether the system streams of the standard projections are kept: `$streams`, `$ce-<category>`, `$et-<type>`.
    pub start_standard_projections: bool,
    /// How long an append may wait for the disk before the client is told that its outcome is unknown.
    pub write_timeout: Duration,
}

impl NodeConfig {
    /// The usual settings for a data directory and an address.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>, listen: SocketAddr) -> Self {
        Self {
            data_dir: data_dir.into(),
            listen,
            advertised: None,
            segment_bytes: StorageConfig::DEFAULT_SEGMENT_BYTES,
            max_append_bytes: StorageConfig::DEFAULT_MAX_APPEND_BYTES,
            start_standard_projections: false,
            write_timeout: Duration::from_secs(5),
        }
    }
}

/// A node that did not start.
#[derive(Debug, Error)]
pub enum NodeError {
    /// The log cannot be opened.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The address cannot be served on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// What the machine said.
        error: io::Error,
    },
    /// The groups of the persistent subscriptions cannot be taken up.
    #[error("the persistent subscriptions cannot be taken up: {0}")]
    Subscriptions(String),
    /// Opening the log did not come to an end.
    #[error("opening the log was broken off: {0}")]
    Opening(#[from] JoinError),
}

impl From<GroupError> for NodeError {
    fn from(error: GroupError) -> Self {
        match error {
            GroupError::Storage(error) => Self::Storage(error),
            other => Self::Subscriptions(other.to_string()),
        }
    }
}

/// A running node. Dropping it stops it without waiting.
#[derive(Debug)]
pub struct Node {
    address: SocketAddr,
    dropped: Option<Dropped>,
    storage: Storage,
    subscriptions: Subscriptions,
    scavenges: Scavenges,
    routes: Routes,
    stop: CancellationToken,
    server: JoinHandle<()>,
    projections: Option<JoinHandle<()>>,
}

impl Node {
    /// Opens the log and serves it.
    ///
    /// # Errors
    /// When the address is taken, or the log cannot be opened; nothing runs then.
    pub async fn start(config: NodeConfig) -> Result<Self, NodeError> {
        Self::start_on(Arc::new(FileSystem), config).await
    }

    /// The same over another disk, for tests that count syncs or inject faults.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub async fn start_on(disk: Arc<dyn Disk>, config: NodeConfig) -> Result<Self, NodeError> {
        let failed = |error| NodeError::Listen { address: config.listen, error };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let storage_config = StorageConfig {
            data_dir: config.data_dir.clone(),
            segment_bytes: config.segment_bytes,
            max_append_bytes: config.max_append_bytes,
        };
        let (storage, dropped) =
            tokio::task::spawn_blocking(move || Storage::open(disk, storage_config)).await??;
        let stop = CancellationToken::new();
        let subscriptions = Subscriptions::open(storage.clone(), stop.clone()).await?;
        tokio::spawn(watch_disk(storage.clone(), stop.clone()));
        let projections = config
            .start_standard_projections
            .then(|| tokio::spawn(standard_projections::keep(storage.clone(), stop.clone())));
        let scavenges = Scavenges::new(storage.clone(), stop.clone());
        let routes = routes(&config, address, &storage, &subscriptions, &scavenges, &stop);
        let (served, stopped) = (routes.clone(), stop.clone());
        let server = tokio::spawn(async move {
            if let Err(error) = serve(served, listener, stopped.cancelled_owned()).await {
                warn!(%error, "the node's server ended");
            }
        });
        info!(%address, "the node is serving");
        Ok(Self { address, dropped, storage, subscriptions, scavenges, routes, stop, server, projections })
    }

    /// The address served on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The node's services, to be served over the same log by [`serve`] on a further address, with layers of one's own
    /// around them, or by another server. They answer as unavailable when the node was shut down.
    #[must_use]
    pub fn routes(&self) -> Routes {
        self.routes.clone()
    }

    /// What an interrupted write left at the end of the log and opening took away; nothing of it was acknowledged.
    #[must_use]
    pub fn dropped_at_start(&self) -> Option<Dropped> {
        self.dropped
    }

    /// Stops serving: subscriptions end as unavailable, calls under way may finish for some seconds, then the index is
    /// flushed and the data directory freed.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        if tokio::time::timeout(SHUTDOWN_GRACE, &mut self.server).await.is_err() {
            warn!("calls were still under way when the node stopped");
            self.server.abort();
        }
        if tokio::time::timeout(SHUTDOWN_GRACE, self.subscriptions.ended()).await.is_err() {
            warn!("persistent subscriptions were still at work when the node stopped");
        }
        if let Some(mut projections) = self.projections.take()
            && tokio::time::timeout(SHUTDOWN_GRACE, &mut projections).await.is_err()
        {
            warn!("the standard projections were still at work when the node stopped");
            projections.abort();
        }
        if tokio::time::timeout(SHUTDOWN_GRACE, self.scavenges.ended()).await.is_err() {
            warn!("a scavenge was still at work when the node stopped");
        }
        let storage = self.storage.clone();
        if tokio::task::spawn_blocking(move || storage.close()).await.is_err() {
            warn!("the log was not closed");
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Serves a node's services on a listener as the node itself does, until `stop` completes and the calls under way have
/// ended.
///
/// # Errors
/// When the server ends by itself.
pub async fn serve(
    routes: Routes,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    Server::builder()
        .accept_http1(true)
        .max_concurrent_streams(MAX_CALLS_PER_CONNECTION)
        // A client whose task ends takes back all its calls at once; the other calls of its connection go on.
        .http2_max_pending_accept_reset_streams(Some(MAX_CALLS_PER_CONNECTION as usize))
        .initial_stream_window_size(CALL_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .add_routes(routes)
        .serve_with_incoming_shutdown(socket::accept(listener), stop)
        .await
}

/// Shows what the log takes on disk, every now and then.
async fn watch_disk(storage: Storage, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(DISK_WATCH_INTERVAL);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let storage = storage.clone();
        match tokio::task::spawn_blocking(move || storage.statistics()).await {
            Ok(Ok(log)) => metrics::disk(log.log_bytes, log.index_bytes),
            Ok(Err(error)) => warn!(%error, "the size of the log is not known"),
            Err(_) => return,
        }
    }
}

fn routes(
    config: &NodeConfig,
    address: SocketAddr,
    storage: &Storage,
    subscriptions: &Subscriptions,
    scavenges: &Scavenges,
    stop: &CancellationToken,
) -> Routes {
    let streams = StreamsService::new(storage.clone(), stop.clone(), config.write_timeout);
    let persistent = PersistentSubscriptionsService::new(subscriptions.clone(), config.write_timeout);
    let (host, port) = config.advertised.clone().unwrap_or_else(|| {
        let ip = if address.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { address.ip() };
        (ip.to_string(), address.port())
    });
    let gossip = GossipService::new(Uuid::new_v4(), host, port);
    let (members, log) = (gossip.clone(), storage.clone());
    let monitoring =
        MonitoringService::new(storage.clone(), subscriptions.clone(), scavenges.clone(), stop.clone());
    let operations = OperationsService::new(scavenges.clone(), subscriptions.clone(), config.write_timeout);
    let router = Routes::new(
        StreamsServer::new(streams)
            .max_decoding_message_size(MAX_REQUEST_BYTES)
            .max_encoding_message_size(MAX_RESPONSE_BYTES),
    )
    .add_service(
        PersistentSubscriptionsServer::new(persistent)
            .max_decoding_message_size(MAX_REQUEST_BYTES)
            .max_encoding_message_size(MAX_RESPONSE_BYTES),
    )
    .add_service(ServerFeaturesServer::new(ServerFeaturesService))
    .add_service(GossipServer::new(gossip))
    .add_service(MonitoringServer::new(monitoring))
    .add_service(OperationsServer::new(operations))
    .into_axum_router()
    .route("/health/live", get(|| async { StatusCode::NO_CONTENT }))
    .route("/gossip", get(|| async move { Json(members.as_json(&log)) }));
    Routes::from(router)
}
