//! Log lines on standard error: a filter that can change while the process runs, text for eyes or one JSON object a
//! line, each with the trace it belongs to.

use std::fmt;

use opentelemetry::trace::TraceContextExt as _;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, FilterExt as _, filter_fn};
use tracing_subscriber::fmt::format::{Format, Json, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload;

use crate::telemetry::{LogFormat, TelemetryError};

/// The log filter in force. Clones share it.
#[derive(Clone)]
pub struct LogFilter {
    handle: std::sync::Arc<dyn FilterHandle>,
}

/// Why a filter was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogFilterError {
    /// It does not parse.
    #[error("not a filter such as \"info\" or \"info,engine=debug\": {0}")]
    Invalid(String),
    /// The subscriber is gone.
    #[error("logging has stopped")]
    Stopped,
}

/// Hides the subscriber's type from those who change the filter.
trait FilterHandle: Send + Sync {
    fn get(&self) -> Option<String>;
    fn set(&self, filter: EnvFilter) -> Result<(), LogFilterError>;
}

impl<S: 'static> FilterHandle for reload::Handle<EnvFilter, S> {
    fn get(&self) -> Option<String> {
        self.with_current(ToString::to_string).ok()
    }

    fn set(&self, filter: EnvFilter) -> Result<(), LogFilterError> {
        self.reload(filter).map_err(|_| LogFilterError::Stopped)
    }
}

impl fmt::Debug for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LogFilter").field(&self.get()).finish()
    }
}

impl LogFilter {
    /// The filter in force, in the syntax of `RUST_LOG`; empty when logging has stopped.
    #[must_use]
    pub fn get(&self) -> String {
        self.handle.get().unwrap_or_default()
    }

    /// Puts another filter in force at once.
    ///
    /// # Errors
    /// It does not parse; the filter in force stays.
    pub fn set(&self, filter: &str) -> Result<(), LogFilterError> {
        self.handle.set(parse(filter)?)
    }
}

fn parse(filter: &str) -> Result<EnvFilter, LogFilterError> {
    if filter.trim().is_empty() {
        return Err(LogFilterError::Invalid("it is empty".to_owned()));
    }
    EnvFilter::builder().parse(filter).map_err(|error| LogFilterError::Invalid(error.to_string()))
}

/// Libraries that write what passes through them when they may say more than `info`: statements with the values of their
/// parameters, personal ones among them. No filter makes them say it.
const TALKATIVE_TARGETS: &[&str] = &["tokio_postgres"];

fn keeps_to_itself(metadata: &Metadata<'_>) -> bool {
    let root = metadata.target().split("::").next().unwrap_or_default();
    *metadata.level() <= Level::INFO || !TALKATIVE_TARGETS.contains(&root)
}

/// The layer that writes log lines, and the handle on its filter.
pub(crate) fn layer<S>(
    format: LogFormat,
    filter: &str,
) -> Result<(Box<dyn Layer<S> + Send + Sync>, LogFilter), TelemetryError>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let filter = parse(filter).map_err(|error| TelemetryError::LogFilter {
        filter: filter.to_owned(),
        reason: error.to_string(),
    })?;
    let (filter, handle) = reload::Layer::<EnvFilter, S>::new(filter);
    let filter = filter.and(filter_fn(keeps_to_itself).with_max_level_hint(LevelFilter::TRACE));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let layer = match format {
        LogFormat::Text => {
            let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
            lines.with_ansi(colours).with_target(false).with_filter(filter).boxed()
        }
        LogFormat::Json => {
            let json = tracing_subscriber::fmt::format().json().flatten_event(true).with_current_span(false);
            lines.fmt_fields(JsonFields::new()).event_format(WithTrace(json)).with_filter(filter).boxed()
        }
    };
    Ok((layer, LogFilter { handle: std::sync::Arc::new(handle) }))
}

/// Panics become error events, so that they reach the logs in the same form as everything else.
pub(crate) fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let location = panic.location().map(ToString::to_string);
        tracing::error!(reason = message, location, thread = std::thread::current().name(), "panic");
    }));
}

/// Adds `trace_id` and `span_id` of the current span to a JSON line, so that a log leads to its trace.
struct WithTrace(Format<Json>);

impl<S, N> FormatEvent<S, N> for WithTrace
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let context = opentelemetry::Context::current();
        let span = context.span();
        let span = span.span_context();
        if !span.is_valid() {
            return self.0.format_event(ctx, writer, event);
        }
        let mut line = String::new();
        self.0.format_event(ctx, Writer::new(&mut line), event)?;
        match line.trim_end().strip_suffix('}') {
            Some(open) => {
                writeln!(
                    writer,
                    "{open},\"trace_id\":\"{}\",\"span_id\":\"{}\"}}",
                    span.trace_id(),
                    span.span_id()
                )
            }
            None => writer.write_str(&line),
        }
    }
}
