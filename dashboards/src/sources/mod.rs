//! What others serve that stand beside Headwater: PostgreSQL, KurrentDB and the telemetry pipeline. Dashboards and rules may ask
//! for what is listed here and for nothing else of theirs, so that a name that is mistyped, or guessed, is found out.

mod kurrentdb;
mod pipeline;
mod postgres;

/// A service that Prometheus scrapes beside Headwater.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// The name of its scrape job.
    pub job: &'static str,
    /// What tests can show of it.
    pub proof: Proof,
    /// Where its metrics are described.
    pub pages: &'static [Page],
}

/// What a test can show of a query for a service's metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The service runs in a test, and the query must have an answer there.
    Answer,
    /// Only that Prometheus can read the query, and why not more.
    Syntax(&'static str),
}

/// A page that describes metrics, and those of them that are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Its address.
    pub url: &'static str,
    /// The metrics.
    pub metrics: &'static [Metric],
}

/// A metric of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name, of a histogram without the ending.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Those of its labels that are used.
    pub labels: &'static [Label],
}

/// What kind of metric it is. Not every program ends the names of its counters in `_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// A distribution.
    Histogram,
}

/// A label, with the values that it can have; none where they are not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label(pub &'static str, pub &'static [&'static str]);

/// All of them.
pub const SOURCES: &[Source] = &[
    postgres::SOURCE,
    kurrentdb::SOURCE,
    pipeline::COLLECTOR,
    pipeline::PROMETHEUS,
    pipeline::LOKI,
    pipeline::TEMPO,
];

/// Every metric of every source.
pub fn metrics() -> impl Iterator<Item = &'static Metric> {
    SOURCES.iter().flat_map(|source| source.pages).flat_map(|page| page.metrics)
}

/// The metric that a series belongs to, and whether it is a bucket of it.
#[must_use]
pub fn of_series(series: &str) -> Option<(&'static Metric, bool)> {
    metrics().find_map(|metric| {
        let ending = series.strip_prefix(metric.name)?;
        match metric.kind {
            Kind::Counter | Kind::Gauge => ending.is_empty().then_some((metric, false)),
            Kind::Histogram => {
                matches!(ending, "_bucket" | "_sum" | "_count").then_some((metric, ending == "_bucket"))
            }
        }
    })
}

/// Why a query need not have an answer in a test: it asks for what only a service serves that cannot run there.
#[must_use]
pub fn not_here(expr: &str) -> Option<&'static str> {
    SOURCES.iter().find_map(|source| {
        let Proof::Syntax(reason) = source.proof else { return None };
        let mut metrics = source.pages.iter().flat_map(|page| page.metrics);
        metrics.any(|metric| expr.contains(metric.name)).then_some(reason)
    })
}

const fn counter(name: &'static str, labels: &'static [Label]) -> Metric {
    Metric { name, kind: Kind::Counter, labels }
}

const fn gauge(name: &'static str, labels: &'static [Label]) -> Metric {
    Metric { name, kind: Kind::Gauge, labels }
}

const fn histogram(name: &'static str, labels: &'static [Label]) -> Metric {
    Metric { name, kind: Kind::Histogram, labels }
}
