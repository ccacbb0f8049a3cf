//! Telemetry through its public doors: what a scraper, an operator, an HTTP client and a trace collector see.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by failing")]

mod admin;
mod http;
mod otlp;

use std::net::SocketAddr;
use std::sync::OnceLock;

use axum::Router;
use axum::routing::get;
use observability::metric::COUNT_BUCKETS;
use observability::{Label, LogFormat, MetricDef, MetricUnit, Telemetry, TelemetryConfig};
use tokio::net::TcpListener;

const CATALOGUE: &[MetricDef] =
    &[MetricDef::histogram("fold_batch_events", MetricUnit::Count, COUNT_BUCKETS, "events of a batch")
        .by(&[Label::each("projection", "projection")])];

fn config() -> TelemetryConfig<'static> {
    TelemetryConfig {
        service_name: "telemetry-test",
        service_version: "1.2.3",
        log_format: LogFormat::Json,
        log_filter: observability::DEFAULT_LOG_FILTER,
        catalogues: &[CATALOGUE],
        recent_bytes: 0,
    }
}

/// Telemetry is started once in a process, so the tests share it.
fn telemetry() -> &'static Telemetry {
    static TELEMETRY: OnceLock<Telemetry> = OnceLock::new();
    TELEMETRY.get_or_init(|| observability::init(&config()).unwrap())
}

/// Serves a router with the layer around it for as long as the test's runtime lives.
async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, observability::http::layer(router)).into_future());
    address
}

/// A service with something to find, to fail at and to wait for.
fn things() -> Router {
    Router::new()
        .route("/things/{id}", get(async || ([("headwater-position", "0000000a-17")], "a thing")))
        .route("/broken", get(async || -> String { panic!("the secret cause") }))
        .route("/slow", get(async || std::future::pending::<String>().await))
}
