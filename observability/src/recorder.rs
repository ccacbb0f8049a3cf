//! The Prometheus recorder: help texts, units and buckets from the catalogues.

use metrics::Unit;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::http::metrics::CATALOGUE as HTTP_CATALOGUE;
use crate::metric::{MetricDef, MetricKind, MetricUnit};
use crate::telemetry::{TelemetryConfig, TelemetryError};

/// This crate's own metrics that belong to the process as a whole.
pub const CATALOGUE: &[MetricDef] = &[MetricDef {
    name: "headwater_build_info",
    kind: MetricKind::Gauge,
    unit: MetricUnit::Count,
    help: "always 1; the version of the running binary",
    labels: &["version"],
    buckets: &[],
}];

pub(crate) fn install(config: &TelemetryConfig<'_>) -> Result<PrometheusHandle, TelemetryError> {
    let failed = |error: &dyn std::fmt::Display| TelemetryError::Recorder(error.to_string());
    let own = [CATALOGUE, HTTP_CATALOGUE];
    let all = || config.catalogues.iter().chain(&own).copied().flatten();
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
    metrics_process::Collector::default().describe();
    metrics::gauge!("headwater_build_info", "version" => config.service_version.to_owned()).set(1.0);
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
