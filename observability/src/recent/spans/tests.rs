use opentelemetry::InstrumentationScope;
use opentelemetry::trace::{Link, SpanContext, TraceFlags, TraceState};
use opentelemetry_sdk::trace::{SpanEvents, SpanLinks};

use super::*;

/// A span of so many milliseconds.
fn span(trace: u128, id: u64, parent: u64, millis: u64) -> SpanData {
    let context = SpanContext::new(
        TraceId::from(trace),
        SpanId::from(id),
        TraceFlags::default(),
        false,
        TraceState::default(),
    );
    let begun = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    SpanData {
        span_context: context,
        parent_span_id: SpanId::from(parent),
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: format!("span {id}").into(),
        start_time: begun,
        end_time: begun + Duration::from_millis(millis),
        attributes: vec![KeyValue::new("rows", 3), KeyValue::new("table", "orders")],
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::default(),
    }
}

fn request(trace: u128, millis: u64) -> SpanData {
    SpanData { span_kind: SpanKind::Server, ..span(trace, 1, 0, millis) }
}

fn traces(memory: &SpanMemory, kind: Kind) -> Vec<u128> {
    let number = |hex: &str| u128::from_str_radix(hex, 16).unwrap();
    memory.requests(kind).iter().map(|request| number(&request.trace_id)).collect()
}

fn shown(memory: &SpanMemory, trace: u128) -> Vec<Span> {
    memory.trace(&format!("{trace:032x}")).unwrap_or_default()
}

#[test]
fn a_request_is_shown_with_its_spans_and_with_what_links_to_them() {
    let memory = SpanMemory::new(1 << 20);
    memory.keep(span(7, 2, 1, 3));
    memory.keep(request(7, 10));
    let mut batch = span(8, 5, 0, 4);
    batch.start_time += Duration::from_millis(20);
    batch.end_time += Duration::from_millis(20);
    let appended = span(7, 2, 1, 3).span_context;
    batch.links.links.push(Link::with_context(appended));
    memory.keep(span(8, 6, 5, 1));
    memory.keep(batch);
    memory.keep(span(9, 1, 0, 1));

    let spans = shown(&memory, 7);
    let id = |id: u64| SpanId::from(id).to_string();
    let hung: Vec<_> = spans.iter().map(|span| (span.id.clone(), span.parent.clone(), span.linked)).collect();
    assert_eq!(
        hung,
        [
            (id(2), Some(id(1)), false),
            (id(1), None, false),
            (id(6), Some(id(5)), false),
            (id(5), Some(id(2)), true),
        ]
    );
    let root = &spans[1];
    assert_eq!((root.kind, root.start_ms, root.duration_ms), ("SERVER", 0.0, 10.0));
    assert_eq!((&spans[3].start_ms, &root.attributes["rows"]), (&20.0, &3.into()));
    let listed = memory.requests(Kind::Recent);
    assert_eq!((listed.len(), listed[0].spans, listed[0].duration_ms), (1, 2, 10.0));
    assert!(memory.trace("no hex").is_none() && memory.trace(&format!("{:032x}", 99)).is_none());
}

#[test]
fn slow_and_failed_requests_outlive_the_others_and_the_budget_is_kept() {
    let budget = 300_000;
    let memory = SpanMemory::new(budget);
    memory.keep(request(1, 5_000));
    let mut failed = request(2, 1);
    failed.status = Status::error("");
    memory.keep(failed);
    for trace in 3..20_000_u64 {
        memory.keep(span(trace.into(), 2, 1, 1));
        memory.keep(request(trace.into(), trace % 7));
        assert!(memory.fill().1 <= budget, "after {trace}");
    }
    assert_eq!(traces(&memory, Kind::Slow)[0], 1);
    assert_eq!(traces(&memory, Kind::Failed), [2]);
    assert_eq!(traces(&memory, Kind::Recent)[0], 19_999);
    for kept in [1, 2, 19_999] {
        assert!(!shown(&memory, kept).is_empty(), "{kept}");
    }
    assert!(shown(&memory, 3).is_empty());
}

#[test]
fn a_slow_request_is_forgotten_after_a_while() {
    let memory = SpanMemory::new(1 << 20);
    memory.keep(request(1, 5_000));
    let mut later = request(2, 1);
    later.start_time += Duration::from_mins(16);
    later.end_time += Duration::from_mins(16);
    memory.keep(later);
    assert_eq!(traces(&memory, Kind::Slow), [2]);
}

#[test]
fn traces_without_end_and_traces_too_large_for_the_budget_are_bounded_too() {
    let budget = 50_000;
    let memory = SpanMemory::new(budget);
    for id in 2..2_000 {
        memory.keep(span(1, id, 1, 1));
        assert!(memory.fill().1 <= budget);
    }
    for trace in 2..2_000 {
        memory.keep(span(trace, 2, 1, 1));
        assert!(memory.fill().1 <= budget);
    }
}
