//! What is said of a span after it began.

use opentelemetry::Value;
use opentelemetry::trace::Status;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Notes something of the span, under a name of the conventions or of our own (`headwater.…`). Never a text that may hold
/// personal data: spans leave the house.
pub fn note(span: &Span, name: &'static str, value: impl Into<Value>) {
    span.set_attribute(name, value);
}

/// The span has failed; the kind of error is one of a small set, never the error's text.
pub fn failed(span: &Span, error_type: impl Into<Value>) {
    span.set_attribute("error.type", error_type);
    span.set_status(Status::error(""));
}

/// A count as spans hold it.
#[must_use]
pub fn count(of: usize) -> i64 {
    i64::try_from(of).unwrap_or(i64::MAX)
}
