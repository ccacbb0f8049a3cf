//! Telemetry of every role: structured logs and traces, by OTLP when the standard variables ask for it, and the latest of
//! both in memory; metrics for Prometheus, and the admin server that serves them with liveness, readiness and the log
//! level.
//!
//! A binary calls [`init`] once inside its runtime and [`Telemetry::shutdown`] at its end. Crates declare metrics as
//! [`MetricDef`] lines in a `CATALOGUE` and record with the macros of `metrics` and `tracing`.

pub mod admin;
mod counted;
mod current;
pub mod http;
mod logs;
pub mod metric;
#[cfg(feature = "postgres")]
pub mod postgres;
mod process;
pub mod propagation;
mod readiness;
pub mod recent;
pub mod recorder;
mod sampler;
pub mod span;
mod telemetry;
mod traces;

pub use logs::{LogFilter, LogFilterError};
pub use metric::{Label, MetricDef, MetricKind, MetricUnit, Values};
pub use readiness::{Latch, Readiness};
pub use telemetry::{DEFAULT_LOG_FILTER, LogFormat, Telemetry, TelemetryConfig, TelemetryError, init};
