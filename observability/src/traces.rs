//! Traces by OTLP over gRPC, only when the standard `OTEL_*` variables ask for it.

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SdkTracerProvider};
use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;
use uuid::Uuid;

use crate::counted::{CountedExporter, CountedProcessor};
use crate::telemetry::{TelemetryConfig, TelemetryError};

/// Libraries whose spans would drown ours, or feed the exporter with its own calls.
const FOREIGN_TARGETS: &[&str] = &["h2", "hyper", "hyper_util", "tonic", "tower", "reqwest", "opentelemetry"];

/// Whether the environment asks for traces: an endpoint is named, and neither the SDK nor the exporter is off.
fn is_asked_for() -> bool {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let disabled = set("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let exporter_off = set("OTEL_TRACES_EXPORTER").is_some_and(|value| value == "none");
    let endpoint = set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or_else(|| set("OTEL_EXPORTER_OTLP_ENDPOINT"));
    !disabled && !exporter_off && endpoint.is_some()
}

/// The provider with its batch exporter. Endpoint, headers, timeouts, sampler and limits come from the environment.
pub(crate) fn provider(config: &TelemetryConfig<'_>) -> Result<Option<SdkTracerProvider>, TelemetryError> {
    if !is_asked_for() {
        return Ok(None);
    }
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .build()
        .map_err(|error| TelemetryError::Traces(error.to_string()))?;
    let mut resource = Resource::builder().with_attributes([
        KeyValue::new("service.version", config.service_version.to_owned()),
        KeyValue::new("service.instance.id", Uuid::now_v7().to_string()),
    ]);
    if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
        resource = resource.with_service_name(config.service_name.to_owned());
    }
    let processor = CountedProcessor(BatchSpanProcessor::builder(CountedExporter(exporter)).build());
    Ok(Some(
        SdkTracerProvider::builder().with_span_processor(processor).with_resource(resource.build()).build(),
    ))
}

/// The layer that turns spans of `tracing` into spans of the trace.
///
/// Its filter is fixed: were it the log filter, a span that is not logged would be missing in the middle of a trace.
/// Events stay in the logs, since a span that lives long would gather them without bound.
pub(crate) fn layer<S>(provider: &SdkTracerProvider) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
{
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("headwater"))
        .with_location(false)
        .with_threads(false)
        .with_filter(filter_fn(is_span_of_ours).with_max_level_hint(LevelFilter::INFO))
        .boxed()
}

fn is_span_of_ours(metadata: &Metadata<'_>) -> bool {
    let root = metadata.target().split("::").next().unwrap_or_default();
    metadata.is_span() && *metadata.level() <= tracing::Level::INFO && !FOREIGN_TARGETS.contains(&root)
}
