//! The latest traces, and for longer the requests that were slow or failed.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use opentelemetry::trace::{SpanId, SpanKind, Status, TraceId};
use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanProcessor};
use serde::Serialize;

use super::requests::{Entry, Kind, Request, Requests};

/// The most spans that are kept of one trace.
const SPANS_MAX: usize = 500;

/// The most traces that are shown with the one to which they link.
const FOLLOWERS_MAX: usize = 64;

/// What a span takes beside its texts, and what an attribute does, bytes, by estimate.
const SPAN_BYTES: usize = 320;
const ATTRIBUTE_BYTES: usize = 80;

/// What a trace takes beside its spans, bytes, by estimate.
const TRACE_BYTES: usize = 200;

/// A span of a trace.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    /// Its id.
    pub id: String,
    /// The span that it is part of, or links to when it is `linked`.
    pub parent: Option<String>,
    /// What was done.
    pub name: String,
    /// `SERVER`, `CLIENT`, `PRODUCER`, `CONSUMER` or `INTERNAL`.
    pub kind: &'static str,
    /// From the begin of the first span, milliseconds.
    pub start_ms: f64,
    /// How long it took, milliseconds.
    pub duration_ms: f64,
    /// Whether it failed.
    pub failed: bool,
    /// Whether it is of another trace, which links to this one.
    pub linked: bool,
    /// What else is known of it.
    pub attributes: serde_json::Map<String, serde_json::Value>,
}

/// A span that has ended.
struct Ended {
    id: SpanId,
    parent: Option<SpanId>,
    name: std::borrow::Cow<'static, str>,
    kind: SpanKind,
    begun: SystemTime,
    duration: Duration,
    failed: bool,
    attributes: Vec<KeyValue>,
}

#[derive(Default)]
struct Trace {
    spans: Vec<Arc<Ended>>,
    followers: Vec<Follower>,
    bytes: usize,
    /// In how many lists of requests it is.
    lists: usize,
}

/// A trace whose root links to a span of this one.
struct Follower {
    to: SpanId,
    spans: Vec<Arc<Ended>>,
}

/// As many traces as the budget holds.
pub(crate) struct SpanMemory {
    budget: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    traces: HashMap<TraceId, Trace>,
    /// Those that may go, the oldest first; some that are in a list of requests by now among them.
    order: VecDeque<TraceId>,
    requests: Requests,
    bytes: usize,
}

impl SpanMemory {
    pub(crate) fn new(budget: usize) -> Self {
        Self { budget, kept: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, span: SpanData) {
        let trace_id = span.span_context.trace_id();
        let is_root = span.parent_span_id == SpanId::INVALID || span.parent_span_is_remote;
        let links: Vec<_> = match is_root {
            true => span.links.iter().map(|link| link.span_context.clone()).collect(),
            false => Vec::new(),
        };
        let ended = Arc::new(Ended::from(span));
        let mut kept = self.kept();
        kept.add_span(trace_id, Arc::clone(&ended));
        for link in links {
            kept.follow(link.trace_id(), link.span_id(), trace_id);
        }
        if is_root && ended.kind == SpanKind::Server {
            kept.add_request(trace_id, &ended);
        }
        kept.shrink_to(self.budget);
    }

    pub(crate) fn requests(&self, kind: Kind) -> Vec<Request> {
        let kept = self.kept();
        let request = |entry: &Entry| Request {
            trace_id: entry.trace.to_string(),
            name: entry.name.clone(),
            at: moment(entry.at),
            duration_ms: milliseconds(entry.duration),
            failed: entry.failed,
            spans: kept.traces.get(&entry.trace).map_or(0, |trace| trace.spans.len()),
        };
        kept.requests.of(kind).into_iter().map(request).collect()
    }

    pub(crate) fn trace(&self, trace_id: &str) -> Option<Vec<Span>> {
        let trace_id = TraceId::from_hex(trace_id).ok()?;
        let kept = self.kept();
        let trace = kept.traces.get(&trace_id)?;
        let first = trace.spans.iter().map(|span| span.begun).min()?;
        let own = trace.spans.iter().map(|span| span.shown(first, None));
        let linked = trace.followers.iter().flat_map(|follower| {
            let root = |span: &Ended| span.parent.is_none().then_some(follower.to);
            follower.spans.iter().map(move |span| span.shown(first, root(span)))
        });
        let mut spans: Vec<_> = own.chain(linked).collect();
        spans.sort_by(|a, b| a.start_ms.total_cmp(&b.start_ms));
        Some(spans)
    }

    /// How many traces, and about how many bytes.
    pub(crate) fn fill(&self) -> (usize, usize) {
        let kept = self.kept();
        (kept.traces.len(), kept.bytes)
    }
}

impl Kept {
    fn add_span(&mut self, trace_id: TraceId, span: Arc<Ended>) {
        let trace = self.traces.entry(trace_id).or_insert_with(|| {
            self.order.push_back(trace_id);
            self.bytes += TRACE_BYTES;
            Trace { bytes: TRACE_BYTES, ..Trace::default() }
        });
        if trace.spans.len() < SPANS_MAX {
            trace.bytes += span.bytes();
            self.bytes += span.bytes();
            trace.spans.push(span);
        }
    }

    /// The whole of `follower` is shown with the trace to whose span its root links.
    fn follow(&mut self, trace_id: TraceId, to: SpanId, follower: TraceId) {
        let Some(spans) = self.traces.get(&follower).map(|trace| trace.spans.clone()) else { return };
        let Some(trace) = self.traces.get_mut(&trace_id) else { return };
        if trace.followers.len() < FOLLOWERS_MAX {
            // Counted with each: who goes last frees them.
            let bytes = spans.iter().map(|span| span.bytes()).sum::<usize>();
            trace.bytes += bytes;
            self.bytes += bytes;
            trace.followers.push(Follower { to, spans });
        }
    }

    fn add_request(&mut self, trace_id: TraceId, root: &Ended) {
        let Some(trace) = self.traces.get_mut(&trace_id) else { return };
        trace.lists += 3;
        let left = self.requests.add(Entry {
            trace: trace_id,
            name: root.name.to_string(),
            at: root.begun,
            duration: root.duration,
            failed: root.failed,
        });
        for trace_id in left {
            self.leave_list(trace_id);
        }
    }

    /// The trace is in one list of requests less; in none, it is the next to go.
    fn leave_list(&mut self, trace_id: TraceId) {
        if let Some(trace) = self.traces.get_mut(&trace_id) {
            trace.lists -= 1;
            if trace.lists == 0 {
                self.order.push_front(trace_id);
            }
        }
    }

    fn shrink_to(&mut self, budget: usize) {
        while self.bytes > budget {
            let Some(oldest) = self.order.pop_front() else {
                match self.requests.let_go() {
                    Some(trace_id) => self.leave_list(trace_id),
                    None => return,
                }
                continue;
            };
            if self.traces.get(&oldest).is_some_and(|trace| trace.lists == 0)
                && let Some(trace) = self.traces.remove(&oldest)
            {
                self.bytes -= trace.bytes;
            }
        }
    }
}

impl From<SpanData> for Ended {
    fn from(span: SpanData) -> Self {
        Self {
            id: span.span_context.span_id(),
            parent: (span.parent_span_id != SpanId::INVALID).then_some(span.parent_span_id),
            name: span.name,
            kind: span.span_kind,
            begun: span.start_time,
            duration: span.end_time.duration_since(span.start_time).unwrap_or_default(),
            failed: matches!(span.status, Status::Error { .. }),
            attributes: span.attributes,
        }
    }
}

impl Ended {
    fn bytes(&self) -> usize {
        let attribute = |attribute: &KeyValue| {
            let text = match &attribute.value {
                Value::String(text) => text.as_str().len(),
                _ => 0,
            };
            ATTRIBUTE_BYTES + text
        };
        SPAN_BYTES + self.name.len() + self.attributes.iter().map(attribute).sum::<usize>()
    }

    /// As it is shown in a trace that began at `first`; `links_to` is where it hangs when it is the root of another one.
    fn shown(&self, first: SystemTime, links_to: Option<SpanId>) -> Span {
        let value = |value: &Value| match value {
            Value::I64(number) => (*number).into(),
            Value::F64(number) => (*number).into(),
            Value::Bool(flag) => (*flag).into(),
            other => other.as_str().into_owned().into(),
        };
        let attribute = |attribute: &KeyValue| (attribute.key.to_string(), value(&attribute.value));
        Span {
            id: self.id.to_string(),
            parent: links_to.or(self.parent).map(|parent| parent.to_string()),
            name: self.name.to_string(),
            kind: match self.kind {
                SpanKind::Server => "SERVER",
                SpanKind::Client => "CLIENT",
                SpanKind::Producer => "PRODUCER",
                SpanKind::Consumer => "CONSUMER",
                SpanKind::Internal => "INTERNAL",
            },
            start_ms: milliseconds(self.begun.duration_since(first).unwrap_or_default()),
            duration_ms: milliseconds(self.duration),
            failed: self.failed,
            linked: links_to.is_some(),
            attributes: self.attributes.iter().map(attribute).collect(),
        }
    }
}

fn moment(at: SystemTime) -> Timestamp {
    Timestamp::try_from(at).unwrap_or_default()
}

/// To three decimals.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

/// Keeps every span that ends.
#[derive(Clone)]
pub(crate) struct Remembering(pub(crate) Arc<SpanMemory>);

impl std::fmt::Debug for Remembering {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Remembering")
    }
}

impl SpanProcessor for Remembering {
    fn on_start(&self, _: &mut opentelemetry_sdk::trace::Span, _: &opentelemetry::Context) {}

    fn on_end(&self, span: SpanData) {
        self.0.keep(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
