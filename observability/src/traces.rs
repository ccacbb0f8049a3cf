//! Traces and logs by OTLP over gRPC, only when the standard `OTEL_*` variables ask for it; and traces in memory.

use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{BatchLogProcessor, SdkLoggerProvider};
use opentelemetry_sdk::trace::{BatchSpanProcessor, SdkTracerProvider};
use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;
use uuid::Uuid;

use crate::counted::{CountedExporter, CountedProcessor};
use crate::recent::{Recent, Remembering};
use crate::sampler::{self, Pace, Sampled};
use crate::telemetry::{TelemetryConfig, TelemetryError};

/// Libraries whose spans and lines would drown ours, or feed the exporter with its own calls.
const FOREIGN_TARGETS: &[&str] = &["h2", "hyper", "hyper_util", "tonic", "tower", "reqwest", "opentelemetry"];

/// What is exported.
#[derive(Debug, Clone, Copy)]
enum Signal {
    Traces,
    Logs,
}

/// Whether the environment asks for a signal: an endpoint is named, and neither the SDK nor the exporter is off.
fn is_asked_for(signal: Signal) -> bool {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (exporter, endpoint) = match signal {
        Signal::Traces => ("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
        Signal::Logs => ("OTEL_LOGS_EXPORTER", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"),
    };
    let disabled = set("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let exporter_off = set(exporter).is_some_and(|value| value == "none");
    let endpoint = set(endpoint).or_else(|| set("OTEL_EXPORTER_OTLP_ENDPOINT"));
    !disabled && !exporter_off && endpoint.is_some()
}

/// Who exports, the same in traces and logs.
pub(crate) fn resource(config: &TelemetryConfig<'_>) -> Resource {
    let mut resource = Resource::builder().with_attributes([
        KeyValue::new("service.version", config.service_version.to_owned()),
        KeyValue::new("service.instance.id", Uuid::now_v7().to_string()),
    ]);
    if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
        resource = resource.with_service_name(config.service_name.to_owned());
    }
    resource.build()
}

/// Where ended spans go: to the batch exporter, into memory, or to both; none when to neither. Endpoint, headers,
/// timeouts, sampler and limits come from the environment; what is wrong with the sampler is told beside it.
pub(crate) fn provider(
    resource: &Resource,
    recent: Option<&Recent>,
) -> Result<(Option<SdkTracerProvider>, Option<String>), TelemetryError> {
    let is_exported = is_asked_for(Signal::Traces);
    if !is_exported && recent.is_none() {
        return Ok((None, None));
    }
    let (sampler, trouble) = if is_exported {
        let (sampler, trouble) = sampler::of_environment();
        (Some(sampler), trouble)
    } else {
        (None, None)
    };
    let mut provider = SdkTracerProvider::builder()
        .with_sampler(Sampled { exported: sampler, remembered: recent.map(|_| Arc::new(Pace::new())) })
        .with_resource(resource.clone());
    if is_exported {
        let exporter = opentelemetry_otlp::SpanExporter::builder().with_tonic().build();
        let exporter = exporter.map_err(|error| TelemetryError::Export(error.to_string()))?;
        let batches = BatchSpanProcessor::builder(CountedExporter(exporter)).build();
        provider = provider.with_span_processor(CountedProcessor(batches));
    }
    if let Some(recent) = recent {
        provider = provider.with_span_processor(Remembering(Arc::clone(&recent.spans)));
    }
    Ok((Some(provider.build()), trouble))
}

/// Where log lines go by OTLP, if anywhere.
pub(crate) fn logger_provider(resource: &Resource) -> Result<Option<SdkLoggerProvider>, TelemetryError> {
    if !is_asked_for(Signal::Logs) {
        return Ok(None);
    }
    let exporter = opentelemetry_otlp::LogExporter::builder().with_tonic().build();
    let exporter = exporter.map_err(|error| TelemetryError::Export(error.to_string()))?;
    let batches = BatchLogProcessor::builder(CountedExporter(exporter)).build();
    let provider = SdkLoggerProvider::builder().with_log_processor(CountedProcessor(batches));
    Ok(Some(provider.with_resource(resource.clone()).build()))
}

/// The layer that turns spans of `tracing` into spans of the trace.
///
/// Its filter is fixed: were it the log filter, a span that is not logged would be missing in the middle of a trace.
/// Events stay in the logs, since a span that lives long would gather them without bound. OpenTelemetry's own context is
/// not kept: that would cost something each time a span is entered, and nobody here asks for it.
pub(crate) fn layer<S>(provider: &SdkTracerProvider) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
{
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("headwater"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_context_activation(false)
        .with_filter(filter_fn(is_span_of_ours).with_max_level_hint(LevelFilter::INFO))
        .boxed()
}

fn is_span_of_ours(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && *metadata.level() <= tracing::Level::INFO && !is_of_the_exporter(metadata)
}

/// Whether a library says it by which the exporter works.
pub(crate) fn is_of_the_exporter(metadata: &Metadata<'_>) -> bool {
    let root = metadata.target().split("::").next().unwrap_or_default();
    FOREIGN_TARGETS.contains(&root)
}
