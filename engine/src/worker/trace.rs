//! The spans of batches.

use std::collections::HashSet;
use std::sync::Arc;

use observability::propagation::{MAX_LINKS, link_current_span_to};
use observability::span;
use tracing::Span;

use crate::event::Recorded;

/// Of the batches of one that catches up, one of so many has a span: there are many of them, and much alike.
pub(super) const CATCH_UP_SAMPLE: u64 = 64;

/// The span of one batch: a root of its own. A live one links to the appends whose events it handles; one that
/// catches up links to nothing, their traces are gone.
pub(super) fn batch_span<E>(projection: &'static str, events: &[Arc<Recorded<E>>], is_live: bool) -> Span {
    let span = tracing::info_span!(
        parent: None,
        "process",
        otel.name = format!("process {projection}"),
        otel.kind = "consumer",
        messaging.system = event_store::trace::SYSTEM,
        messaging.operation.name = "process",
        messaging.operation.r#type = "process",
        messaging.consumer.group.name = projection,
        messaging.batch.message_count = span::count(events.len()),
    );
    if is_live {
        let mut linked = HashSet::new();
        let contexts = events.iter().filter_map(|event| event.metadata.traceparent.as_deref());
        span.in_scope(|| {
            for context in contexts.filter(|context| linked.insert(*context)).take(MAX_LINKS) {
                link_current_span_to(context);
            }
        });
    }
    span
}

/// The span of folding a batch in memory, the rows that it needs read from Postgres. None where the batch has none.
pub(super) fn fold_span(projection: &'static str) -> Span {
    if Span::current().is_none() {
        return Span::none();
    }
    tracing::info_span!("fold", otel.name = format!("fold {projection}"))
}

/// The span of the transaction that writes a batch. None where the batch has none.
pub(super) fn commit_span(projection: &'static str, rows: usize) -> Span {
    if Span::current().is_none() {
        return Span::none();
    }
    tracing::info_span!(
        "commit",
        otel.name = format!("commit {projection}"),
        otel.kind = "client",
        db.system.name = "postgresql",
        db.operation.name = "COMMIT",
        db.operation.batch.size = span::count(rows),
    )
}
