//! Starts and ends the telemetry of a process: log subscriber, metric recorder and trace exporter.

use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use thiserror::Error;
use tokio::task::JoinHandle;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::logs::{self, LogFilter};
use crate::metric::{CatalogueError, MetricDef};
use crate::recent::Recent;
use crate::{recorder, traces};

/// How often the recorder folds fresh histogram samples into their buckets, so that its memory stays bounded.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// What is logged when nobody says otherwise: our own steps, and only trouble of the libraries below.
pub const DEFAULT_LOG_FILTER: &str = "info,hyper=warn,h2=warn,tonic=warn,tower=warn,reqwest=warn,eventstore=warn,tokio_postgres=warn,refinery_core=warn";

/// How a process wants its telemetry.
#[derive(Debug, Clone)]
pub struct TelemetryConfig<'a> {
    /// The service's name in traces, unless `OTEL_SERVICE_NAME` gives another.
    pub service_name: &'a str,
    /// The version of the binary, for traces and the metric `headwater_build_info`.
    pub service_version: &'a str,
    /// The form of the log lines.
    pub log_format: LogFormat,
    /// Which events are logged, in the syntax of `RUST_LOG`; [`DEFAULT_LOG_FILTER`] is a good start.
    pub log_filter: &'a str,
    /// The metrics of every crate in the process.
    pub catalogues: &'a [&'a [MetricDef]],
    /// How much memory the latest requests and log lines may take, bytes; with 0 none are kept.
    pub recent_bytes: usize,
}

/// The form of the log lines on standard error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For eyes.
    #[default]
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// Why telemetry could not start.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The log filter does not parse.
    #[error("the log filter {filter:?} is not valid: {reason}")]
    LogFilter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A declared metric breaks a rule.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// A metric recorder stands already or cannot be built.
    #[error("the metric recorder cannot start: {0}")]
    Recorder(String),
    /// A log subscriber stands already.
    #[error("the log subscriber cannot start: {0}")]
    Subscriber(String),
    /// The exporter that the standard variables ask for cannot be built.
    #[error("telemetry cannot be exported as OTEL_EXPORTER_OTLP_ENDPOINT asks: {0}")]
    Export(String),
}

/// The running telemetry of the process. [`shutdown`](Self::shutdown) it at the end, or the last spans and lines are
/// lost.
#[derive(Debug)]
pub struct Telemetry {
    prometheus: PrometheusHandle,
    log_filter: LogFilter,
    recent: Option<Recent>,
    tracer_provider: Option<SdkTracerProvider>,
    logger_provider: Option<SdkLoggerProvider>,
    upkeep: JoinHandle<()>,
}

/// Starts telemetry for the whole process, once. Must be called inside a Tokio runtime.
///
/// # Errors
/// The configuration is not valid, or telemetry was started before.
pub fn init(config: &TelemetryConfig<'_>) -> Result<Telemetry, TelemetryError> {
    crate::metric::check(config.catalogues)?;
    let recent = (config.recent_bytes > 0).then(|| Recent::new(config.recent_bytes));
    let resource = traces::resource(config);
    let (tracer_provider, trouble) = traces::provider(&resource, recent.as_ref())?;
    let logger_provider = traces::logger_provider(&resource)?;
    let (log_layers, log_filter) =
        logs::layers(config.log_format, config.log_filter, logger_provider.as_ref(), recent.as_ref())?;
    tracing_subscriber::registry()
        .with(log_layers)
        .with(tracer_provider.as_ref().map(traces::layer))
        .try_init()
        .map_err(|error| TelemetryError::Subscriber(error.to_string()))?;
    logs::log_panics();
    if let Some(trouble) = trouble {
        tracing::warn!(trouble, "the sampler of the environment is passed over");
    }
    let prometheus = recorder::install(config)?;
    let upkeep = tokio::spawn({
        let prometheus = prometheus.clone();
        async move {
            let mut ticks = tokio::time::interval(UPKEEP_INTERVAL);
            loop {
                ticks.tick().await;
                prometheus.run_upkeep();
            }
        }
    });
    Ok(Telemetry { prometheus, log_filter, recent, tracer_provider, logger_provider, upkeep })
}

impl Telemetry {
    /// What `/metrics` serves.
    #[must_use]
    pub fn metrics(&self) -> PrometheusHandle {
        self.prometheus.clone()
    }

    /// The log filter in force, which can be changed while the process runs.
    #[must_use]
    pub fn log_filter(&self) -> LogFilter {
        self.log_filter.clone()
    }

    /// What happened lately; none when nothing is kept.
    #[must_use]
    pub fn recent(&self) -> Option<Recent> {
        self.recent.clone()
    }

    /// Sends what is still buffered and stops exporting. Waits at most for the exporters' own time limits (5 s each).
    pub async fn shutdown(self) {
        self.upkeep.abort();
        let (spans, lines) = (self.tracer_provider, self.logger_provider);
        // An exporter blocks until its thread is done, so it must not hold a runtime thread meanwhile. Lines go last:
        // they may tell of the spans.
        let ending = tokio::task::spawn_blocking(move || {
            if let Some(Err(error)) = spans.map(|provider| provider.shutdown()) {
                tracing::warn!(%error, "the last spans could not be exported");
            }
            if let Some(Err(error)) = lines.map(|provider| provider.shutdown()) {
                tracing::warn!(%error, "the last log lines could not be exported");
            }
        });
        if let Err(error) = ending.await {
            tracing::warn!(%error, "the exporters did not stop cleanly");
        }
    }
}
