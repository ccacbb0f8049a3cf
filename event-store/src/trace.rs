//! The spans of calls to the log, named as the OpenTelemetry conventions for messaging do: a stream is a destination, and
//! its template is named in place of the stream, so that there are as many names as categories.

use observability::span;
use tracing::Span;

use crate::append::Appended;
use crate::envelope::NewEvent;
use crate::error::{AppendError, ReadError};
use crate::ids::StreamId;
use crate::metrics::result_name;
use crate::read::StreamPage;

/// What the log is called in spans.
pub const SYSTEM: &str = "eventstoredb";

/// The span of an append. Its context is what the events say of where they come from.
pub(crate) fn append_span(stream: &StreamId, events: usize) -> Span {
    let template = template(stream);
    tracing::info_span!(
        "append",
        otel.name = format!("append {template}"),
        otel.kind = "producer",
        messaging.system = SYSTEM,
        messaging.operation.name = "append",
        messaging.operation.r#type = "send",
        messaging.destination.template = template,
        messaging.batch.message_count = span::count(events),
    )
}

/// The span of reading a stream.
pub(crate) fn read_span(stream: &StreamId) -> Span {
    let template = template(stream);
    tracing::info_span!(
        "read",
        otel.name = format!("read {template}"),
        otel.kind = "client",
        messaging.system = SYSTEM,
        messaging.operation.name = "read",
        messaging.operation.r#type = "receive",
        messaging.destination.template = template,
    )
}

fn template(stream: &StreamId) -> String {
    match stream.id() {
        Some(_) => format!("{}-{{id}}", stream.category()),
        None => stream.as_str().to_owned(),
    }
}

/// The events say that this span wrote them, unless they say already where they come from.
pub(crate) fn sign(events: &mut [NewEvent], append: &Span) {
    let Some(context) = append.in_scope(observability::propagation::current) else { return };
    for event in events.iter_mut().filter(|event| event.metadata.traceparent.is_none()) {
        event.metadata.traceparent = Some(context.traceparent.clone());
        event.metadata.tracestate.clone_from(&context.tracestate);
    }
}

/// What became of an append.
pub(crate) fn note_append(append: &Span, outcome: &Result<Appended, AppendError>) {
    match outcome {
        Ok(appended) => {
            span::note(append, "headwater.position", appended.position.0.cast_signed());
            span::note(append, "headwater.revision", appended.revision.0.cast_signed());
        }
        // That another was quicker is no failure: the caller decides anew.
        Err(AppendError::WrongRevision { .. }) => span::note(append, "error.type", result_name(outcome)),
        Err(_) => span::failed(append, result_name(outcome)),
    }
}

/// What became of reading a stream.
pub(crate) fn note_read(read: &Span, outcome: &Result<Option<StreamPage>, ReadError>) {
    match outcome {
        Ok(page) => {
            let events = page.as_ref().map_or(0, |page| page.events.len());
            span::note(read, "messaging.batch.message_count", span::count(events));
        }
        Err(ReadError::Unavailable(_)) => span::failed(read, "unavailable"),
        Err(ReadError::Denied) => span::failed(read, "denied"),
        Err(ReadError::StreamDeleted) => span::failed(read, "deleted"),
        Err(ReadError::Foreign(_)) => span::failed(read, "foreign"),
    }
}
