//! The latest log lines.

use std::collections::VecDeque;
use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use crate::current;

/// What is kept of one text of a line, bytes.
const TEXT_MAX: usize = 1_024;

/// What a line takes beside its texts, bytes, by estimate.
const LINE_BYTES: usize = 200;

/// The most lines of one answer.
const LIMIT_MAX: usize = 500;

/// A log line.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// Its number since the process began.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`.
    pub level: &'static str,
    /// The module, or what else the line names as its target.
    pub target: String,
    /// What is said.
    pub message: String,
    /// The rest of it, by name.
    pub fields: serde_json::Map<String, serde_json::Value>,
    /// Of which trace.
    pub trace_id: Option<String>,
}

/// Which lines.
#[derive(Debug, Clone, Default)]
pub struct LineQuery {
    /// With this text in message, target, or a field's name or value, in whichever case.
    pub text: Option<String>,
    /// This level and worse.
    pub level: Option<Level>,
    /// Of this trace.
    pub trace_id: Option<String>,
    /// Older than this one.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: usize,
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Lines {
    /// The newest first.
    pub lines: Vec<Line>,
    /// Whether older ones would have been found too.
    pub more: bool,
}

/// The latest lines, as many as the budget holds.
pub(crate) struct LineMemory {
    budget: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    lines: VecDeque<(Level, Arc<Line>)>,
    bytes: usize,
    next: u64,
}

impl LineMemory {
    pub(crate) fn new(budget: usize) -> Self {
        Self { budget, kept: Mutex::default() }
    }

    fn keep(&self, level: Level, mut line: Line) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        line.seq = kept.next;
        kept.next += 1;
        kept.bytes += size_of_line(&line);
        kept.lines.push_back((level, Arc::new(line)));
        while kept.bytes > self.budget
            && let Some((_, oldest)) = kept.lines.pop_front()
        {
            kept.bytes -= size_of_line(&oldest);
        }
    }

    pub(crate) fn find(&self, query: &LineQuery) -> Lines {
        let kept: Vec<_> = {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let before = query.before.unwrap_or(u64::MAX);
            kept.lines.iter().rev().filter(|(_, line)| line.seq < before).cloned().collect()
        };
        let text = query.text.as_ref().map(|text| text.to_lowercase()).filter(|text| !text.is_empty());
        let limit = query.limit.clamp(1, LIMIT_MAX);
        let mut lines: Vec<_> = kept
            .into_iter()
            .filter(|(level, _)| query.level.is_none_or(|wanted| *level <= wanted))
            .map(|(_, line)| line)
            .filter(|line| query.trace_id.is_none() || query.trace_id == line.trace_id)
            .filter(|line| text.as_ref().is_none_or(|text| holds(line, text)))
            .take(limit + 1)
            .collect();
        let more = lines.len() > limit;
        lines.truncate(limit);
        Lines { lines: lines.into_iter().map(Arc::unwrap_or_clone).collect(), more }
    }

    /// How many lines, and about how many bytes.
    pub(crate) fn fill(&self) -> (usize, usize) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        (kept.lines.len(), kept.bytes)
    }
}

fn holds(line: &Line, text: &str) -> bool {
    let in_text = |whole: &str| whole.to_lowercase().contains(text);
    let in_value = |value: &serde_json::Value| match value {
        serde_json::Value::String(value) => in_text(value),
        other => in_text(&other.to_string()),
    };
    in_text(&line.message)
        || in_text(&line.target)
        || line.fields.iter().any(|(name, value)| in_text(name) || in_value(value))
}

fn size_of_line(line: &Line) -> usize {
    let of_value = |value: &serde_json::Value| value.as_str().map_or(0, str::len);
    let fields = line.fields.iter().map(|(name, value)| LINE_BYTES / 2 + name.len() + of_value(value));
    LINE_BYTES + line.target.len() + line.message.len() + fields.sum::<usize>()
}

/// The layer that keeps every line which its filter lets through.
pub(crate) fn layer<S: Subscriber>(lines: Arc<LineMemory>) -> impl Layer<S> {
    KeepLines(lines)
}

struct KeepLines(Arc<LineMemory>);

impl<S: Subscriber> Layer<S> for KeepLines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut texts = Texts::default();
        event.record(&mut texts);
        let line = Line {
            seq: 0,
            at: Timestamp::now(),
            level: event.metadata().level().as_str(),
            target: event.metadata().target().to_owned(),
            message: texts.message,
            fields: texts.fields,
            trace_id: current::span_context().map(|trace| trace.trace_id().to_string()),
        };
        self.0.keep(*event.metadata().level(), line);
    }
}

#[derive(Default)]
struct Texts {
    message: String,
    fields: serde_json::Map<String, serde_json::Value>,
}

impl Texts {
    fn put(&mut self, field: &Field, value: serde_json::Value) {
        self.fields.insert(field.name().to_owned(), value);
    }

    fn put_text(&mut self, field: &Field, mut text: String) {
        if let Some(end) = text.char_indices().map(|(at, _)| at).find(|at| *at >= TEXT_MAX) {
            text.truncate(end);
            text.push('…');
        }
        match field.name() {
            "message" => self.message = text,
            _ => self.put(field, text.into()),
        }
    }
}

impl Visit for Texts {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        // Writing into a string does not fail.
        let _ = write!(text, "{value:?}");
        self.put_text(field, text);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put_text(field, value.to_owned());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(message: &str) -> Line {
        let fields = [("route".to_owned(), "/orders".into()), ("status".to_owned(), 201.into())];
        Line {
            seq: 0,
            at: Timestamp::UNIX_EPOCH,
            level: "INFO",
            target: "request".to_owned(),
            message: message.to_owned(),
            fields: fields.into_iter().collect(),
            trace_id: (message == "traced").then(|| "0a".to_owned()),
        }
    }

    fn found(memory: &LineMemory, query: &LineQuery) -> Vec<String> {
        memory.find(query).lines.iter().map(|line| line.message.clone()).collect()
    }

    #[test]
    fn lines_are_found_by_text_level_trace_and_page() {
        let memory = LineMemory::new(1 << 20);
        memory.keep(Level::INFO, line("first"));
        memory.keep(Level::ERROR, line("traced"));
        memory.keep(Level::DEBUG, line("last"));
        let all = LineQuery { limit: 100, ..LineQuery::default() };
        assert_eq!(found(&memory, &all), ["last", "traced", "first"]);
        let text = |text: &str| LineQuery { text: Some(text.to_owned()), ..all.clone() };
        assert_eq!(found(&memory, &text("FIRST")), ["first"]);
        for everywhere in ["Request", "/ORDERS", "201", "Status"] {
            assert_eq!(found(&memory, &text(everywhere)).len(), 3, "{everywhere}");
        }
        assert!(found(&memory, &text("nowhere")).is_empty());
        let level = LineQuery { level: Some(Level::INFO), ..all.clone() };
        assert_eq!(found(&memory, &level), ["traced", "first"]);
        let trace = LineQuery { trace_id: Some("0a".to_owned()), ..all.clone() };
        assert_eq!(found(&memory, &trace), ["traced"]);
        let page = memory.find(&LineQuery { limit: 2, ..all.clone() });
        assert!(page.more);
        let next = LineQuery { before: Some(page.lines[1].seq), limit: 2, ..all };
        assert_eq!((found(&memory, &next), memory.find(&next).more), (vec!["first".to_owned()], false));
    }

    #[test]
    fn the_oldest_lines_go_when_the_budget_is_full() {
        let memory = LineMemory::new(10_000);
        for number in 0..1_000 {
            memory.keep(Level::INFO, line(&format!("line {number}")));
        }
        let (lines, bytes) = memory.fill();
        assert!(bytes <= 10_000 && bytes > 9_000 && lines > 10, "{lines} {bytes}");
        let newest = memory.find(&LineQuery { limit: 1, ..LineQuery::default() });
        assert_eq!((newest.lines[0].message.as_str(), newest.more), ("line 999", true));
    }
}
