//! A node in a folder of its own, and a proxy before it that can swallow answers and cut connections.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use event_store::{EventId, EventStore, Metadata, NewEvent, StreamId};
use event_store_node::{Node, NodeConfig};
use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use uuid::Uuid;

/// What a test waits for at most.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub async fn start_node(data_dir: &Path, listen: SocketAddr) -> Node {
    Node::start(NodeConfig::new(data_dir, listen)).await.expect("the node starts")
}

pub fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

pub fn connect(address: SocketAddr) -> EventStore {
    EventStore::connect(&format!("esdb://{address}?tls=false")).unwrap()
}

/// A fresh node in a temporary folder, and a way to it.
pub async fn node_and_store() -> (tempfile::TempDir, Node, EventStore) {
    let dir = tempfile::tempdir().unwrap();
    let node = start_node(dir.path(), loopback()).await;
    let store = connect(node.address());
    (dir, node, store)
}

pub fn stream(category: &str) -> StreamId {
    StreamId::new(category, &Uuid::new_v4())
}

pub fn event(n: usize) -> NewEvent {
    let id = Uuid::new_v4();
    NewEvent {
        id: EventId(id),
        event_type: Cow::Borrowed("Counted"),
        data: Bytes::from(format!(r#"{{"n":{n}}}"#)),
        metadata: Metadata::of_command(id, 1, Timestamp::now()),
    }
}

pub fn events(range: std::ops::Range<usize>) -> Vec<NewEvent> {
    range.map(event).collect()
}

/// Waits until `done` says so.
pub async fn until<F: Future<Output = bool>>(what: &str, mut done: impl FnMut() -> F) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !done().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(waited.await.is_ok(), "waited in vain until {what}");
}

/// A TCP proxy before a node.
pub struct Proxy {
    pub address: SocketAddr,
    swallow: Arc<AtomicBool>,
    cut: watch::Sender<u64>,
}

impl Proxy {
    pub async fn before(node: SocketAddr) -> Self {
        let listener = TcpListener::bind(loopback()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let swallow = Arc::new(AtomicBool::new(false));
        let (cut, cuts) = watch::channel(0);
        let swallowing = Arc::clone(&swallow);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, node, Arc::clone(&swallowing), cuts.clone()));
            }
        });
        Self { address, swallow, cut }
    }

    /// From now on requests go through and answers do not.
    pub fn swallow_answers(&self) {
        self.swallow.store(true, Ordering::SeqCst);
    }

    /// From now on answers go through again.
    pub fn let_answers_through(&self) {
        self.swallow.store(false, Ordering::SeqCst);
    }

    /// Closes every connection that there is.
    pub fn cut(&self) {
        self.cut.send_modify(|cut| *cut += 1);
    }
}

async fn pass(
    mut client: TcpStream,
    node: SocketAddr,
    swallow: Arc<AtomicBool>,
    mut cut: watch::Receiver<u64>,
) {
    cut.mark_unchanged();
    let Ok(mut server) = TcpStream::connect(node).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let requests = tokio::io::copy(&mut from_client, &mut to_server);
    let answers = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
            if !swallow.load(Ordering::SeqCst) && to_client.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        _ = requests => {}
        () = answers => {}
        _ = cut.changed() => {}
    }
}
