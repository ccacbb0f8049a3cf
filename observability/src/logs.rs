//! Log lines on standard error, by OTLP and in memory: one filter that can change while the process runs; text for eyes
//! or one JSON object a line, each with the trace it belongs to.

use std::fmt;

use opentelemetry::trace::SpanContext;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, FilterExt as _, filter_fn};
use tracing_subscriber::fmt::format::{Format, Full, Json, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::{Filter, Layer};
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::reload;

use crate::current;
use crate::recent::{self, Recent};
use crate::telemetry::{LogFormat, TelemetryError};
use crate::traces::is_of_the_exporter;

/// The log filter in force. Clones share it.
#[derive(Clone)]
pub struct LogFilter {
    /// One for each place that lines go to; all are set alike.
    handles: std::sync::Arc<[Box<dyn FilterHandle>]>,
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
        self.handles.first().and_then(|handle| handle.get()).unwrap_or_default()
    }

    /// Puts another filter in force at once.
    ///
    /// # Errors
    /// It does not parse; the filter in force stays.
    pub fn set(&self, filter: &str) -> Result<(), LogFilterError> {
        for handle in self.handles.iter() {
            handle.set(parse(filter)?)?;
        }
        Ok(())
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

/// Whether it may be a line. Spans are none: their fields are of the trace, which a line names.
fn may_be_a_line(metadata: &Metadata<'_>) -> bool {
    let root = metadata.target().split("::").next().unwrap_or_default();
    metadata.is_event() && (*metadata.level() <= Level::INFO || !TALKATIVE_TARGETS.contains(&root))
}

/// A place that log lines go to.
type LinesLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// The layers through which log lines go out, and the handle on their filter.
pub(crate) fn layers(
    format: LogFormat,
    filter: &str,
    exported: Option<&SdkLoggerProvider>,
    recent: Option<&Recent>,
) -> Result<(Vec<LinesLayer>, LogFilter), TelemetryError> {
    let mut handles = Vec::new();
    let mut layers = vec![written(format).with_filter(reloadable(filter, &mut handles)?).boxed()];
    if let Some(provider) = exported {
        let not_its_own = filter_fn(|metadata| !is_of_the_exporter(metadata));
        let filter = reloadable(filter, &mut handles)?.and(not_its_own);
        layers.push(OpenTelemetryTracingBridge::new(provider).with_filter(filter).boxed());
    }
    if let Some(recent) = recent {
        let lines = recent::layer(std::sync::Arc::clone(&recent.lines));
        layers.push(lines.with_filter(reloadable(filter, &mut handles)?).boxed());
    }
    Ok((layers, LogFilter { handles: handles.into() }))
}

/// A filter whose handle is among the others.
fn reloadable(
    filter: &str,
    handles: &mut Vec<Box<dyn FilterHandle>>,
) -> Result<impl Filter<Registry> + Send + Sync + use<>, TelemetryError> {
    let parsed = parse(filter).map_err(|error| TelemetryError::LogFilter {
        filter: filter.to_owned(),
        reason: error.to_string(),
    })?;
    let (filter, handle) = reload::Layer::<EnvFilter, Registry>::new(parsed);
    handles.push(Box::new(handle));
    Ok(filter.and(filter_fn(may_be_a_line).with_max_level_hint(LevelFilter::TRACE)))
}

/// Lines on standard error.
fn written(format: LogFormat) -> LinesLayer {
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Text => {
            let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
            // Said here too, for a line that is put together apart from where it goes.
            let text = tracing_subscriber::fmt::format().with_target(false).with_ansi(colours);
            lines.with_ansi(colours).event_format(WithTrace(text)).boxed()
        }
        LogFormat::Json => {
            let json = tracing_subscriber::fmt::format().json().flatten_event(true).with_current_span(false);
            lines.fmt_fields(JsonFields::new()).event_format(WithTrace(json)).boxed()
        }
    }
}

/// Panics become error events, so that they reach the logs in the same form as everything else. Of a text that was put
/// together in the moment nobody knows what is in it, personal data perhaps; where it was raised says enough.
pub(crate) fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload().downcast_ref::<&'static str>().copied();
        let location = panic.location().map(ToString::to_string);
        tracing::error!(
            reason = message.unwrap_or("not shown, it may hold data"),
            location,
            thread = std::thread::current().name(),
            "panic"
        );
    }));
}

/// Adds the trace of the current span to a line, so that a log leads to its trace.
struct WithTrace<F>(Format<F>);

/// How a form of lines says of which trace a line is.
trait Lines {
    /// `line` ends with neither blank nor line break.
    fn write_traced(writer: &mut Writer<'_>, line: &str, trace: &SpanContext) -> fmt::Result;
}

impl Lines for Json {
    fn write_traced(writer: &mut Writer<'_>, line: &str, trace: &SpanContext) -> fmt::Result {
        let Some(open) = line.strip_suffix('}') else { return writeln!(writer, "{line}") };
        let (trace_id, span_id) = (trace.trace_id(), trace.span_id());
        writeln!(writer, "{open},\"trace_id\":\"{trace_id}\",\"span_id\":\"{span_id}\"}}")
    }
}

impl Lines for Full {
    fn write_traced(writer: &mut Writer<'_>, line: &str, trace: &SpanContext) -> fmt::Result {
        writeln!(writer, "{line} trace_id={}", trace.trace_id())
    }
}

impl<S, N, F> FormatEvent<S, N> for WithTrace<F>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
    F: Lines,
    Format<F>: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(trace) = current::span_context() else {
            return self.0.format_event(ctx, writer, event);
        };
        let mut line = String::new();
        self.0.format_event(ctx, Writer::new(&mut line), event)?;
        F::write_traced(&mut writer, line.trim_end(), &trace)
    }
}
