//! Counts the spans on their way out. The batch processor drops what does not fit in its queue without a word, so what
//! ended and what was exported are counted apart: the difference that does not close again was lost.

use std::time::Duration;

use metrics::counter;
use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter, SpanProcessor};

use crate::metric::{Label, MetricDef, MetricUnit};

const SPANS: &str = "telemetry_spans_total";

/// Every metric of this module.
pub(crate) const CATALOGUE: &[MetricDef] = &[MetricDef::counter(
    SPANS,
    MetricUnit::Count,
    "sampled spans: ended here, exported to the collector, or failed to be exported; what ended and is none of the \
     others is on its way or was dropped",
)
.by(&[Label::one_of("outcome", &["ended", "exported", "failed"])])];

/// Counts what ends and was sampled, and passes only that on: what is merely remembered here is not exported.
#[derive(Debug)]
pub(crate) struct CountedProcessor<P>(pub(crate) P);

impl<P: SpanProcessor> SpanProcessor for CountedProcessor<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.0.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        // The batch processor would export the others too.
        if span.span_context.is_sampled() {
            counter!(SPANS, "outcome" => "ended").increment(1);
            self.0.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

/// Counts what is exported, and what could not be.
#[derive(Debug)]
pub(crate) struct CountedExporter<E>(pub(crate) E);

impl<E: SpanExporter> SpanExporter for CountedExporter<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let exported = self.0.export(batch).await;
        let outcome = if exported.is_ok() { "exported" } else { "failed" };
        counter!(SPANS, "outcome" => outcome).increment(spans);
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}
