//! Trace context across process and log boundaries, in the form of W3C Trace Context.
//!
//! Where nothing is traced, for an exporter or for the memory, there is no context: [`current`] answers `None` and the others do nothing.

use std::collections::HashMap;

use axum::http::HeaderMap;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry::{Context, trace::SpanContext};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

/// The most links that one span should carry; more tell a reader nothing and cost every store of traces.
pub const MAX_LINKS: usize = 32;

/// Who causes what happens now, as it goes into event metadata or request headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// `00-<trace id>-<span id>-<flags>`.
    pub traceparent: String,
    /// Vendors' own fields, when there are any.
    pub tracestate: Option<String>,
}

/// The context of the current span, or `None` when nothing is traced.
#[must_use]
pub fn current() -> Option<TraceContext> {
    let mut fields = HashMap::new();
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut fields);
    let traceparent = fields.remove(TRACEPARENT)?;
    Some(TraceContext {
        traceparent,
        tracestate: fields.remove(TRACESTATE).filter(|state| !state.is_empty()),
    })
}

/// Links the current span to the one that `traceparent` names, such as a projection's batch to the append of an
/// event. Text that is no valid context is passed over.
pub fn link_current_span_to(traceparent: &str) {
    if let Some(context) = remote_span(HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())])) {
        Span::current().add_link(context);
    }
}

/// The context that an HTTP caller sent along.
pub(crate) fn from_headers(headers: &HeaderMap) -> Option<Context> {
    let field = |name: &str| Some((name.to_owned(), headers.get(name)?.to_str().ok()?.to_owned()));
    let fields = [TRACEPARENT, TRACESTATE].into_iter().filter_map(field).collect();
    remote_span(fields).map(|span| Context::new().with_remote_span_context(span))
}

fn remote_span(fields: HashMap<String, String>) -> Option<SpanContext> {
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &fields);
    let span = context.span().span_context().clone();
    span.is_valid().then_some(span)
}
