//! A command service as the contract describes it, over HTTP, which fails when a test wants it to. What it has
//! taken is kept by [`Shop`], so that a service which went away can come back with it.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use contract::ErrorCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::Notify;

const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// What a test has the service do with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Turn it away; nothing is carried out.
    TurnAway(ErrorCode),
    /// Carry it out, and answer that the outcome is unknown.
    LoseAnswer,
    /// Answer like something that is no such service.
    Foreign,
}

/// Decides by path, key and how often the request came before.
pub type Faults = Box<dyn Fn(&str, &str, u32) -> Option<Fault> + Send>;

/// What a service has taken, and how it was asked.
#[derive(Default)]
pub struct Shop {
    inner: Mutex<Inner>,
    /// Holds every request back until the test lets go, when there is one.
    pub gate: Option<Notify>,
    /// Wakes whoever waits for the next request to come in.
    pub arrived: Notify,
}

#[derive(Default)]
struct Inner {
    faults: Option<Faults>,
    /// How often each request came.
    tries: HashMap<String, u32>,
    /// Natural keys.
    known: BTreeMap<String, Value>,
    /// Answers by path and `Idempotency-Key`.
    answers: HashMap<(String, String), (Value, Value)>,
    /// Every command carried out: path and body.
    events: Vec<(String, Value)>,
    under_way: usize,
    most_under_way: usize,
}

impl Shop {
    pub fn failing(faults: impl Fn(&str, &str, u32) -> Option<Fault> + Send + 'static) -> Arc<Self> {
        let inner = Inner { faults: Some(Box::new(faults)), ..Inner::default() };
        Arc::new(Self { inner: Mutex::new(inner), ..Self::default() })
    }

    pub fn gated() -> Arc<Self> {
        Arc::new(Self { gate: Some(Notify::new()), ..Self::default() })
    }

    /// Paths and bodies of what was carried out, in that order.
    pub fn events(&self) -> Vec<(String, Value)> {
        self.inner.lock().unwrap().events.clone()
    }

    /// How many requests came in, repetitions included.
    pub fn requests(&self) -> u32 {
        self.inner.lock().unwrap().tries.values().sum()
    }

    /// The most requests at one time.
    pub fn most_under_way(&self) -> usize {
        self.inner.lock().unwrap().most_under_way
    }

    fn begin(&self) {
        let mut inner = self.inner.lock().unwrap();
        inner.under_way += 1;
        inner.most_under_way = inner.most_under_way.max(inner.under_way);
    }

    fn answer(&self, path: &str, key: Option<&str>, body: &Value) -> Response {
        let mut inner = self.inner.lock().unwrap();
        inner.under_way -= 1;
        let name = key.map_or_else(|| format!("{path} {body}"), ToOwned::to_owned);
        let before = inner.tries.entry(name.clone()).or_default();
        *before += 1;
        let before = *before - 1;
        match inner.faults.as_ref().and_then(|faults| faults(path, &name, before)) {
            Some(Fault::TurnAway(code)) => refuse(code),
            Some(Fault::Foreign) => (StatusCode::OK, "<html>hello</html>").into_response(),
            Some(Fault::LoseAnswer) => {
                let _lost = inner.carry_out(path, key, body);
                refuse(ErrorCode::OutcomeUnknown)
            }
            None => inner.carry_out(path, key, body),
        }
    }
}

impl Inner {
    fn carry_out(&mut self, path: &str, key: Option<&str>, body: &Value) -> Response {
        let (natural, exists) = match path {
            "/v1/products" => (format!("sku {}", body["sku"]), Some(ErrorCode::ProductAlreadyListed)),
            "/v1/users" => {
                (format!("customer {}", body["customerNumber"]), Some(ErrorCode::UserAlreadyRegistered))
            }
            _ => (path.to_owned(), None),
        };
        if let Some(key) = key
            && let Some((asked, answer)) = self.answers.get(&(path.to_owned(), key.to_owned()))
        {
            return if asked == body {
                accept(path, answer, true)
            } else {
                refuse(ErrorCode::IdempotencyKeyReused)
            };
        }
        if let Some(code) = exists.filter(|_| self.known.contains_key(&natural)) {
            return refuse(code);
        }
        let sold = body["lines"].as_array().into_iter().flatten();
        if sold.into_iter().any(|line| !self.known.contains_key(&format!("sku {}", line["sku"]))) {
            return refuse(ErrorCode::UnknownReference);
        }
        self.known.insert(natural, body.clone());
        self.events.push((path.to_owned(), body.clone()));
        let position = format!("5f0cb1d5-{}", self.events.len());
        let answer =
            json!({ "id": "00000000-0000-0000-0000-000000000000", "revision": 0, "position": position });
        if let Some(key) = key {
            self.answers.insert((path.to_owned(), key.to_owned()), (body.clone(), answer.clone()));
        }
        accept(path, &answer, false)
    }
}

fn accept(path: &str, answer: &Value, repeated: bool) -> Response {
    let status = if path.starts_with("/v1/stock/") { StatusCode::OK } else { StatusCode::CREATED };
    let position = answer["position"].as_str().unwrap().to_owned();
    let mut response = (status, [("headwater-position", position)], answer.to_string()).into_response();
    if repeated {
        response.headers_mut().insert("idempotent-replayed", "true".parse().unwrap());
    }
    response
}

fn refuse(code: ErrorCode) -> Response {
    let body = json!({ "error": { "code": code, "message": code.message(), "requestId": "r" } });
    let status = StatusCode::from_u16(code.http_status()).unwrap();
    let mut response = (status, body.to_string()).into_response();
    if matches!(code.http_status(), 429 | 503) {
        response.headers_mut().insert("retry-after", "0".parse().unwrap());
    }
    response
}

async fn handle(State(shop): State<Arc<Shop>>, request: Request) -> Response {
    shop.begin();
    let (parts, body) = request.into_parts();
    assert_eq!(parts.method, Method::POST);
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    shop.arrived.notify_one();
    if let Some(gate) = &shop.gate {
        gate.notified().await;
    }
    let key = parts.headers.get("idempotency-key").map(|value| value.to_str().unwrap());
    shop.answer(parts.uri.path(), key, &serde_json::from_slice(&bytes).unwrap())
}

/// A service that listens, on threads of its own: when it goes away, so do its connections.
pub struct Service {
    pub address: SocketAddr,
    runtime: Option<Runtime>,
}

impl Service {
    pub fn start(shop: &Arc<Shop>) -> Self {
        Self::start_at(shop, "127.0.0.1:0".parse().unwrap())
    }

    pub fn start_at(shop: &Arc<Shop>, address: SocketAddr) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = std::net::TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(handle).with_state(Arc::clone(shop));
        runtime.spawn(async move {
            axum::serve(TcpListener::from_std(listener).unwrap(), router).await.unwrap();
        });
        Self { address, runtime: Some(runtime) }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Goes away like a process that is killed; afterwards nobody listens.
    pub async fn vanish(mut self) {
        let runtime = self.runtime.take().unwrap();
        tokio::task::spawn_blocking(move || runtime.shutdown_timeout(STOP_TIMEOUT)).await.unwrap();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
