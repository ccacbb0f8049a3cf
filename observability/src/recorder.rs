//! The Prometheus recorder: help texts, units and buckets from the catalogues.

use metrics::Unit;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::metric::{MetricDef, MetricKind, MetricUnit};
use crate::telemetry::{TelemetryConfig, TelemetryError};
use crate::{counted, http, process};

/// What this crate records in every process.
pub const CATALOGUES: &[&[MetricDef]] = &[process::CATALOGUE, counted::CATALOGUE, http::metrics::CATALOGUE];

pub(crate) fn install(config: &TelemetryConfig<'_>) -> Result<PrometheusHandle, TelemetryError> {
    let failed = |error: &dyn std::fmt::Display| TelemetryError::Recorder(error.to_string());
    let all = || config.catalogues.iter().chain(CATALOGUES).copied().flatten();
    // Without buckets of its own a histogram would be served as a summary, and every quantile panel stay empty.
    let mut builder = PrometheusBuilder::new().with_recommended_naming(true);
    for metric in all().filter(|metric| metric.kind == MetricKind::Histogram) {
        builder = builder
            .set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), metric.buckets)
            .map_err(|error| failed(&error))?;
    }
    let handle = builder.install_recorder().map_err(|error| failed(&error))?;
    for metric in all() {
        describe(metric);
    }
    metrics::gauge!(process::BUILD_INFO, "version" => config.service_version.to_owned()).set(1.0);
    Ok(handle)
}

fn describe(metric: &MetricDef) {
    let unit = match metric.unit {
        MetricUnit::Count => Unit::Count,
        MetricUnit::Seconds => Unit::Seconds,
        MetricUnit::Bytes => Unit::Bytes,
        MetricUnit::Ratio => Unit::Percent,
    };
    match metric.kind {
        MetricKind::Counter => metrics::describe_counter!(metric.name, unit, metric.help),
        MetricKind::Gauge => metrics::describe_gauge!(metric.name, unit, metric.help),
        MetricKind::Histogram => metrics::describe_histogram!(metric.name, unit, metric.help),
    }
}
