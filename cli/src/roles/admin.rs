//! Metrics, health and log level of the process, for operators.

use axum::Router;
use observability::admin::{self, AdminState};
use observability::{Readiness, Telemetry};
use tokio::net::TcpListener;

use crate::config::Config;
use crate::failure::Failure;
use crate::shutdown::Parts;

/// Started first and stopped last, so that it tells of everything in between.
pub fn start(
    parts: &mut Parts,
    config: &Config,
    listener: TcpListener,
    pages: Router,
    telemetry: &Telemetry,
    readiness: &Readiness,
) {
    let state =
        AdminState::new(telemetry, readiness.clone()).with_data_dir(&config.data_dir).with_pages(pages);
    parts.start("the admin server", |stop| async move {
        admin::serve(listener, state, stop).await.map_err(|error| Failure::of(&error))
    });
}
