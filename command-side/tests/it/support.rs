//! A shop in a folder of its own: a node, a vault, and as many command processes as a test wants.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use command_side::{CommandDeps, Commands, router, router_of};
use domain::ids::ProductId;
use domain::value::{Quantity, Sku};
use domain::{codec, stock};
use event_store::{EventId, EventStore, Expected, Metadata, NewEvent, RecordedEvent, Revision, StreamId};
use event_store_node::{Node, NodeConfig};
use jiff::Timestamp;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use uuid::Uuid;
use vault::Vault;

/// What a test waits for at most.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A node and a vault.
pub struct Shop {
    pub node: Node,
    pub store: EventStore,
    pub vault: Vault,
    pub dir: tempfile::TempDir,
}

/// One command process.
pub struct Process {
    address: SocketAddr,
    client: Client,
    server: tokio::task::JoinHandle<()>,
}

/// An answer: status, headers that matter, body.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: StatusCode,
    pub etag: Option<String>,
    pub location: Option<String>,
    pub position: Option<String>,
    pub body: Value,
}

pub fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

pub fn connect(address: SocketAddr) -> EventStore {
    EventStore::connect(&format!("esdb://{address}?tls=false")).unwrap()
}

impl Shop {
    pub async fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::start(NodeConfig::new(dir.path().join("log"), loopback())).await.unwrap();
        let vault_dir = dir.path().join("vault");
        std::fs::create_dir_all(&vault_dir).unwrap();
        let vault = Vault::open(&vault_dir).unwrap();
        let store = connect(node.address());
        // So that nobody who asks for it later is the one that writes it.
        store.identity().await.unwrap();
        Self { node, store, vault, dir }
    }

    /// A command process that remembers nothing, with a connection of its own.
    pub async fn process(&self) -> Process {
        self.process_over(connect(self.node.address())).await
    }

    pub async fn process_over(&self, store: EventStore) -> Process {
        self.process_with(CommandDeps::new(store, self.vault.clone())).await
    }

    pub async fn process_with(&self, deps: CommandDeps) -> Process {
        self.serve(router(deps)).await
    }

    /// A command process that serves some contexts.
    pub async fn process_of(&self, contexts: &str) -> Process {
        let commands = Commands::new(CommandDeps::new(connect(self.node.address()), self.vault.clone()));
        self.serve(router_of(commands, &contexts.parse().unwrap())).await
    }

    async fn serve(&self, router: Router) -> Process {
        let router = observability::http::layer(router.fallback(command_side::route_not_found));
        let listener = TcpListener::bind(loopback()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Process { address, client: Client::new(), server }
    }

    pub async fn events(&self, category: &str, id: Uuid) -> Vec<RecordedEvent> {
        let stream = StreamId::new(category, &id);
        let page = self.store.read_stream(&stream, Revision::FIRST, 4_000).await.unwrap();
        page.map(|page| page.events).unwrap_or_default()
    }

    /// The error that a request gets, after a look that the log is as it was.
    pub async fn refused(&self, request: RequestBuilder, status: u16, code: &str) -> Value {
        let head = self.store.head().await.unwrap();
        let error = fail(request, status, code).await;
        assert_eq!(self.store.head().await.unwrap(), head, "it changed something: {error}");
        error
    }

    /// Puts units on the shelf behind the back of every command process.
    pub async fn receive_directly(&self, product: Uuid, times: usize) {
        let event =
            stock::Event::Received { product_id: ProductId(product), quantity: Quantity::new(1).unwrap() };
        let sealed = self.vault.seal(codec::encode(&event.into())).await.unwrap();
        let data = bytes::Bytes::from(sealed.data);
        let new = || NewEvent {
            id: EventId(Uuid::new_v4()),
            event_type: Cow::Borrowed(sealed.event_type),
            data: data.clone(),
            metadata: Metadata::of_command(Uuid::new_v4(), sealed.schema_version, Timestamp::now()),
        };
        let stream = StreamId::new("stock", &product);
        let mut left = times;
        while left > 0 {
            let batch = left.min(500);
            self.store.append(&stream, Expected::Any, (0..batch).map(|_| new()).collect()).await.unwrap();
            left -= batch;
        }
    }
}

impl Process {
    pub fn post(&self, path: &str, body: Value) -> RequestBuilder {
        self.post_text(path, body.to_string())
    }

    pub fn post_text(&self, path: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.post_as(path, Some("application/json"), body)
    }

    pub fn post_as(
        &self,
        path: &str,
        content_type: Option<&str>,
        body: impl Into<reqwest::Body>,
    ) -> RequestBuilder {
        let request = self.client.post(format!("http://{}{path}", self.address)).body(body);
        match content_type {
            Some(content_type) => request.header("content-type", content_type),
            None => request,
        }
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("http://{}{path}", self.address))
    }

    /// Lists a product at 2.55 GBP and gives its id.
    pub async fn list(&self, sku: &str) -> Uuid {
        let answer = send(self.post("/v1/products", product(sku))).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        product_id(sku)
    }

    /// Lists a product with units on the shelf.
    pub async fn stocked(&self, sku: &str, units: i64) -> Uuid {
        let id = self.list(sku).await;
        let answer = send(self.post(&format!("/v1/stock/{id}/receive"), json!({ "quantity": units }))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        id
    }

    /// As a SIGKILL would: no request is answered any more.
    pub fn kill(self) {
        self.server.abort();
    }
}

pub fn product(sku: &str) -> Value {
    json!({ "sku": sku, "name": "LANTERN", "price": { "amount": "2.55", "currency": "GBP" } })
}

pub fn product_id(sku: &str) -> Uuid {
    ProductId::from_sku(&Sku::new(sku).unwrap()).0
}

pub async fn send(request: RequestBuilder) -> Answer {
    let response = tokio::time::timeout(PATIENCE, request.send()).await.expect("an answer in time").unwrap();
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (status, etag, location) = (response.status(), header("etag"), header("location"));
    let position = header("headwater-position");
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Answer { status, etag, location, position, body }
}

/// Sends a request that must fail, and gives the error after looking at what every error has.
pub async fn fail(request: RequestBuilder, status: u16, code: &str) -> Value {
    let answer = send(request).await;
    assert_eq!(
        (answer.status.as_u16(), answer.body["error"]["code"].as_str()),
        (status, Some(code)),
        "{answer:?}"
    );
    let error = &answer.body["error"];
    assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{answer:?}");
    assert!(error["requestId"].as_str().is_some_and(|text| !text.is_empty()), "{answer:?}");
    error.clone()
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

/// A TCP proxy before the node that can swallow answers and cut connections.
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

    /// Answers go through again, on new connections.
    pub fn recover(&self) {
        self.swallow.store(false, Ordering::SeqCst);
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
