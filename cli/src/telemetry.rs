//! Telemetry of a process: everything that its crates measure, logged as configured.

use observability::{MetricDef, Telemetry, TelemetryConfig};

use crate::config::{Config, Setting};
use crate::failure::Failure;

/// The metrics of every crate in the binary, whichever roles run.
pub const CATALOGUES: &[&[MetricDef]] = &[
    event_store::metrics::CATALOGUE,
    command_side::metrics::CATALOGUE,
    engine::metrics::CATALOGUE,
    process_managers::metrics::CATALOGUE,
    event_store_node::metrics::CATALOGUE,
    projections::metrics::CATALOGUE,
    query_side::metrics::CATALOGUE,
];

/// The same with those of every process: whatever `/metrics` can serve.
pub fn all_catalogues() -> impl Iterator<Item = &'static [MetricDef]> {
    CATALOGUES.iter().chain(observability::recorder::CATALOGUES).copied()
}

/// Starts it, under the name of the role. What happened lately is remembered for those who can ask for it.
///
/// # Errors
/// The log filter is not valid, or the trace exporter that the environment asks for cannot be built.
pub fn start(config: &Config, service_name: &str, is_asked: bool) -> Result<Telemetry, Failure> {
    let telemetry = TelemetryConfig {
        service_name,
        service_version: env!("CARGO_PKG_VERSION"),
        log_format: config.log_format,
        log_filter: &config.log_filter,
        catalogues: CATALOGUES,
        recent_bytes: if is_asked { config.ops_memory << 20 } else { 0 },
    };
    observability::init(&telemetry).map_err(|error| {
        let failure = Failure::usage(error.to_string());
        let filter = Setting::LogFilter;
        failure.hint(format!("check --{}, {} and the OTEL_ variables", filter.name(), filter.variable()))
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_metrics_of_all_crates_fit_together() {
        let all: Vec<_> = super::all_catalogues().collect();
        observability::metric::check(&all).unwrap();
    }
}
