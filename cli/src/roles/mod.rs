//! The roles: how each is put together from the crates. `up` starts them all, `serve` one.

pub mod admin;
pub mod commands;
pub mod node;
pub mod parked;
pub mod postgres;
pub mod projections;
pub mod queries;
pub mod sagas;
pub mod sandbox;
pub mod search;

use axum::Router;
use event_store::EventStore;
use observability::Readiness;
use tokio::net::TcpListener;

use crate::config::{Config, Setting};
use crate::data_dir::DataDir;
use crate::failure::Failure;
use crate::http;
use crate::listeners;
use crate::ops::Ops;
use crate::shutdown::{Parts, run};
use crate::telemetry;

/// Runs a process that has telemetry and an admin server, and whatever `start` adds to it.
///
/// # Errors
/// What kept it from starting, or the part that failed.
pub async fn process(
    config: &Config,
    service_name: &str,
    start: impl AsyncFnOnce(&mut Parts, &Readiness) -> Result<(), Failure>,
) -> Result<(), Failure> {
    process_with(config, service_name, Some(Router::new()), start).await
}

/// The same with more pages on the admin server, or without an admin server: a child has its parent's.
///
/// # Errors
/// What kept it from starting, or the part that failed.
pub async fn process_with(
    config: &Config,
    service_name: &str,
    admin_pages: Option<Router>,
    start: impl AsyncFnOnce(&mut Parts, &Readiness) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let telemetry = telemetry::start(config, service_name, admin_pages.is_some())?;
    let readiness = Readiness::new();
    let starting = readiness.latch("start");
    let outcome = run(readiness.clone(), async |parts| {
        if let Some(pages) = admin_pages {
            let admin = listeners::bind(Setting::AdminListen, config.admin_listen).await?;
            let ops = Ops::start(parts, service_name, &telemetry, &readiness);
            let pages = pages.merge(ops.map(Ops::routes).unwrap_or_default());
            admin::start(parts, config, admin, pages, &telemetry, &readiness);
        }
        start(parts, &readiness).await?;
        starting.open();
        Ok(())
    })
    .await;
    telemetry.shutdown().await;
    outcome
}

/// Serves finished routes on the public address.
pub fn serve_public(parts: &mut Parts, listener: TcpListener, routes: Router) {
    let routes = http::around(routes);
    parts.start("the HTTP server", |stop| http::serve(listener, routes, stop));
}

/// The log, which may not be reachable yet: readiness waits until it has told its identity.
pub fn connect_to_log(url: &str, readiness: &Readiness) -> Result<EventStore, Failure> {
    let store = EventStore::connect(url).map_err(|error| {
        Failure::usage(error.to_string()).hint(format!("check --{}", Setting::EventStore.name()))
    })?;
    let latch = readiness.latch("event log");
    let asked = store.clone();
    tokio::spawn(async move {
        while let Err(error) = asked.identity().await {
            tracing::warn!(%error, "waiting for the event log");
        }
        latch.open();
    });
    Ok(store)
}

/// The keys of personal data.
pub fn open_vault(data: &DataDir) -> Result<vault::Vault, Failure> {
    vault::Vault::open(&data.vault()).map_err(|error| Failure::of(&error))
}
