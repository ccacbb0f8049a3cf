//! Counts spans and log records on their way out. The batch processors drop what does not fit in their queues without a
//! word, so what was handed over and what was exported are counted apart: the difference that does not close again was
//! lost.

use std::time::Duration;

use metrics::counter;
use opentelemetry::logs::{LogRecord as _, Severity};
use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogBatch, LogExporter, LogProcessor, SdkLogRecord};
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter, SpanProcessor};

use crate::current;
use crate::metric::{Label, MetricDef, MetricUnit};

const SPANS: &str = "telemetry_spans_total";
const LOG_RECORDS: &str = "telemetry_log_records_total";

/// Every metric of this module.
pub(crate) const CATALOGUE: &[MetricDef] = &[
    MetricDef::counter(
        SPANS,
        MetricUnit::Count,
        "sampled spans: ended here, exported to the collector, or failed to be exported; what ended and is none of the \
         others is on its way or was dropped",
    )
    .by(&[Label::one_of("outcome", &["ended", "exported", "failed"])]),
    MetricDef::counter(
        LOG_RECORDS,
        MetricUnit::Count,
        "log records: written here, exported to the collector, or failed to be exported; what was written and is none of \
         the others is on its way or was dropped",
    )
    .by(&[Label::one_of("outcome", &["written", "exported", "failed"])]),
];

/// Counts what is handed over. Of spans it passes on only what was sampled: what is merely remembered here is not
/// exported.
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
        counter!(SPANS, "outcome" => outcome(&exported)).increment(spans);
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

impl<P: LogProcessor> LogProcessor for CountedProcessor<P> {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        counter!(LOG_RECORDS, "outcome" => "written").increment(1);
        if let Some(trace) = current::span_context() {
            record.set_trace_context(trace.trace_id(), trace.span_id(), Some(trace.trace_flags()));
        }
        self.0.emit(record, scope);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn event_enabled(&self, level: Severity, target: &str, name: Option<&str>) -> bool {
        self.0.event_enabled(level, target, name)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

impl<E: LogExporter> LogExporter for CountedExporter<E> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let records = u64::try_from(batch.iter().count()).unwrap_or(u64::MAX);
        let exported = self.0.export(batch).await;
        counter!(LOG_RECORDS, "outcome" => outcome(&exported)).increment(records);
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn event_enabled(&self, level: Severity, target: &str, name: Option<&str>) -> bool {
        self.0.event_enabled(level, target, name)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

fn outcome(exported: &OTelSdkResult) -> &'static str {
    if exported.is_ok() { "exported" } else { "failed" }
}
