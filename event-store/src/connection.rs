//! The client, replaced when it is of no more use.
//!
//! `eventstore` 4.0.0 keeps its connection in a task that ends for good at the first failed connect (every later call
//! answers `ConnectionClosed`), and in a cluster it goes on using a node that died. So a client that failed in such a
//! way is dropped and a new one takes its place; calls in flight on the old one are not disturbed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use eventstore::{Client, ClientSettings, Error};
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::error::ConnectError;

/// Building a client reads the system's certificates, so it is not done more often than this.
const REPLACE_INTERVAL: Duration = Duration::from_millis(200);

/// Of a single node: the client sleeps this long before its first connect already, milliseconds.
const SINGLE_NODE_DISCOVERY_INTERVAL: u32 = 20;

pub(crate) struct Connection {
    settings: ClientSettings,
    runtime: Handle,
    current: RwLock<Current>,
    replacing: tokio::sync::Mutex<()>,
}

/// The client in use; `generation` tells it from the ones before it.
#[derive(Clone)]
pub(crate) struct Current {
    pub(crate) client: Client,
    pub(crate) generation: u64,
    since: Instant,
    reached: Arc<AtomicBool>,
}

impl Current {
    fn new(client: Client, generation: u64) -> Self {
        Self { client, generation, since: Instant::now(), reached: Arc::default() }
    }

    /// Returns when the client has reached a node once. As long as this did not, nothing was sent that could have
    /// been carried out.
    pub(crate) async fn reached(&self) -> Result<(), Error> {
        if !self.reached.load(Ordering::Relaxed) {
            self.client.server_info().await?;
            self.reached.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl Connection {
    pub(crate) fn open(connection_string: &str) -> Result<Self, ConnectError> {
        let runtime = Handle::try_current().map_err(|_| ConnectError::NoRuntime)?;
        let settings = settings(connection_string)?;
        let client = Client::with_runtime_handle(runtime.clone(), settings.clone())
            .map_err(|error| ConnectError::Client(error.to_string()))?;
        let current = RwLock::new(Current::new(client, 0));
        Ok(Self { settings, runtime, current, replacing: tokio::sync::Mutex::new(()) })
    }

    pub(crate) fn current(&self) -> Current {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// To be told of every failed try: replaces the client of that generation if it will not recover by itself.
    /// `None` stands for a try that got no answer in time.
    pub(crate) async fn failed(&self, generation: u64, error: Option<&Error>) {
        let many_nodes = self.settings.is_dns_discovery_enabled() || self.settings.hosts().len() > 1;
        let broken = match error {
            None | Some(Error::GrpcConnectionError(_) | Error::ConnectionClosed) => true,
            Some(Error::ServerError(_)) => many_nodes,
            Some(_) => false,
        };
        if broken {
            self.replace(generation).await;
        }
    }

    async fn replace(&self, generation: u64) {
        let _one_at_a_time = self.replacing.lock().await;
        let current = self.current();
        if current.generation != generation {
            return;
        }
        tokio::time::sleep_until(current.since + REPLACE_INTERVAL).await;
        match Client::with_runtime_handle(self.runtime.clone(), self.settings.clone()) {
            Ok(client) => {
                let next = Current::new(client, generation + 1);
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
            }
            Err(error) => tracing::error!(%error, "the EventStoreDB client could not be replaced"),
        }
    }
}

/// The settings of a connection string, with the parameters that a single node needs less patience for.
fn settings(connection_string: &str) -> Result<ClientSettings, ConnectError> {
    let parse = |text: &str| {
        text.parse::<ClientSettings>().map_err(|error| {
            // For what is no URL the client's message is the string itself, which may hold a password.
            let whole = error.message() == text;
            ConnectError::ConnectionString(if whole {
                "not a URL".to_owned()
            } else {
                error.message().to_owned()
            })
        })
    };
    let settings = parse(connection_string)?;
    let single = !settings.is_dns_discovery_enabled() && settings.hosts().len() == 1;
    if !single || connection_string.to_lowercase().contains("discoveryinterval") {
        return Ok(settings);
    }
    let separator = if connection_string.contains('?') { '&' } else { '?' };
    parse(&format!("{connection_string}{separator}discoveryInterval={SINGLE_NODE_DISCOVERY_INTERVAL}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_single_node_is_connected_to_at_once() {
        let interval = |text: &str| settings(text).unwrap().discovery_interval().as_millis();
        assert_eq!(interval("esdb://127.0.0.1:2113?tls=false"), 20);
        assert_eq!(interval("esdb://127.0.0.1:2113"), 20);
        assert_eq!(interval("esdb://127.0.0.1:2113?discoveryInterval=70"), 70);
        assert_eq!(interval("esdb+discover://nodes:2113"), 500);
        assert_eq!(interval("esdb://a:1111,b:2222,c:3333"), 500);
    }

    #[test]
    fn what_is_no_connection_string_is_refused() {
        for text in ["", "postgres://x", "esdb://", "http://localhost:2113", "esdb://host:99999"] {
            assert!(matches!(settings(text), Err(ConnectError::ConnectionString(_))), "{text:?}");
        }
        let error = settings("esdb://user:secret@host:99999").unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
        assert!(matches!(Connection::open("esdb://localhost:2113"), Err(ConnectError::NoRuntime)));
    }
}
