//! The trace that a line is said in.

use opentelemetry::trace::{SpanContext, TraceContextExt as _};
use tracing::Dispatch;
use tracing_opentelemetry::get_otel_context;
use tracing_subscriber::Registry;
use tracing_subscriber::registry::LookupSpan as _;

/// Of the innermost span here that is one of a trace, if there is one. It is asked for with each line, which comes far more
/// seldom than that a span is entered, when OpenTelemetry would make it known; and of all spans, also of those that a
/// layer does not see.
pub(crate) fn span_context() -> Option<SpanContext> {
    tracing::dispatcher::get_default(|dispatch: &Dispatch| {
        let current = dispatch.current_span();
        let span = dispatch.downcast_ref::<Registry>()?.span(current.id()?)?;
        span.scope().find_map(|span| {
            let context = get_otel_context(&span.id(), dispatch)?;
            let context = context.span().span_context().clone();
            context.is_valid().then_some(context)
        })
    })
}
