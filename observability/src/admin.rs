//! The admin server: metrics, liveness, readiness and the log level, on a port of its own that no client reaches.

use std::path::Path;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::LogFilter;
use crate::process::ProcessMetrics;
use crate::readiness::Readiness;
use crate::telemetry::Telemetry;

/// A log filter longer than this is refused, bytes.
const MAX_LOG_FILTER_BYTES: usize = 4 * 1024;

/// The media type of Prometheus' text format.
const METRICS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the admin server serves.
#[derive(Debug, Clone)]
pub struct AdminState {
    prometheus: PrometheusHandle,
    process: ProcessMetrics,
    log_filter: LogFilter,
    readiness: Readiness,
    pages: Router,
}

impl AdminState {
    /// The running telemetry, and what the process waits for.
    #[must_use]
    pub fn new(telemetry: &Telemetry, readiness: Readiness) -> Self {
        Self {
            prometheus: telemetry.metrics(),
            process: ProcessMetrics::default(),
            log_filter: telemetry.log_filter(),
            readiness,
            pages: Router::new(),
        }
    }

    /// With the disk that the data directory is on among the metrics.
    #[must_use]
    pub fn with_data_dir(mut self, data_dir: &Path) -> Self {
        self.process.data_dir = Some(data_dir.to_owned());
        self
    }

    /// With more pages, at addresses of their own.
    #[must_use]
    pub fn with_pages(mut self, pages: Router) -> Self {
        self.pages = self.pages.merge(pages);
        self
    }
}

/// Serves until `shutdown`.
///
/// # Errors
/// The listener fails.
pub async fn serve(
    listener: TcpListener,
    state: AdminState,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    axum::serve(listener, router(state)).with_graceful_shutdown(shutdown.cancelled_owned()).await
}

fn router(state: AdminState) -> Router {
    let pages = state.pages.clone();
    Router::new()
        .route("/metrics", get(metrics))
        .route("/live", get(async || "alive\n"))
        .route("/ready", get(ready))
        .route("/log-level", get(log_level).put(set_log_level))
        .layer(axum::extract::DefaultBodyLimit::max(MAX_LOG_FILTER_BYTES))
        .with_state(state)
        .merge(pages)
}

async fn metrics(State(state): State<AdminState>) -> Response {
    state.process.collect();
    ([(header::CONTENT_TYPE, METRICS_TEXT)], state.prometheus.render()).into_response()
}

#[derive(Serialize)]
struct Ready {
    ready: bool,
    waiting: Vec<String>,
}

async fn ready(State(state): State<AdminState>) -> Response {
    let waiting = state.readiness.waiting_for();
    let status = if waiting.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Ready { ready: waiting.is_empty(), waiting })).into_response()
}

async fn log_level(State(state): State<AdminState>) -> String {
    state.log_filter.get() + "\n"
}

async fn set_log_level(State(state): State<AdminState>, filter: String) -> Response {
    match state.log_filter.set(filter.trim()) {
        Ok(()) => {
            tracing::info!(filter = filter.trim(), "the log level was changed");
            (StatusCode::OK, state.log_filter.get() + "\n").into_response()
        }
        Err(error) => (StatusCode::UNPROCESSABLE_ENTITY, format!("{error}\n")).into_response(),
    }
}
