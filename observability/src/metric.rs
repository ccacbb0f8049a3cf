//! How a crate declares its metrics: one line each in a `CATALOGUE`, from which the recorder takes help texts and
//! buckets, and against which dashboards and rules are checked.

use std::collections::HashSet;

use thiserror::Error;

/// One metric of a crate. Recorded with the macros of the `metrics` crate under the same name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetricDef {
    /// The full Prometheus name with its unit suffix; counters end in `_total`.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: MetricKind,
    /// What the value counts or measures.
    pub unit: MetricUnit,
    /// One sentence for a person.
    pub help: &'static str,
    /// Every label it can carry.
    pub labels: &'static [Label],
    /// Upper bounds of a histogram's buckets, ascending; empty for the other kinds.
    pub buckets: &'static [f64],
}

/// A label, and the closed set that its values come from: never ids, streams or paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Which values it can have.
    pub values: Values,
}

/// The values of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// These and no others.
    OneOf(&'static [&'static str]),
    /// One for each thing of this kind that the code declares, such as each projection.
    Each(&'static str),
}

impl Label {
    /// A label whose values are these.
    #[must_use]
    pub const fn one_of(name: &'static str, values: &'static [&'static str]) -> Self {
        Self { name, values: Values::OneOf(values) }
    }

    /// A label with a value for each thing that the code declares; `what` names one of them.
    #[must_use]
    pub const fn each(name: &'static str, what: &'static str) -> Self {
        Self { name, values: Values::Each(what) }
    }
}

impl MetricDef {
    /// Something that only grows.
    #[must_use]
    pub const fn counter(name: &'static str, unit: MetricUnit, help: &'static str) -> Self {
        Self { name, kind: MetricKind::Counter, unit, help, labels: &[], buckets: &[] }
    }

    /// Something that goes up and down.
    #[must_use]
    pub const fn gauge(name: &'static str, unit: MetricUnit, help: &'static str) -> Self {
        Self { name, kind: MetricKind::Gauge, unit, help, labels: &[], buckets: &[] }
    }

    /// A distribution over these buckets.
    #[must_use]
    pub const fn histogram(
        name: &'static str,
        unit: MetricUnit,
        buckets: &'static [f64],
        help: &'static str,
    ) -> Self {
        Self { name, kind: MetricKind::Histogram, unit, help, labels: &[], buckets }
    }

    /// The same, told apart by these labels.
    #[must_use]
    pub const fn by(self, labels: &'static [Label]) -> Self {
        Self { labels, ..self }
    }
}

/// What kind of metric it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution over fixed buckets.
    Histogram,
}

/// What a value measures. Seconds and bytes stand in the name too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricUnit {
    /// A number of things.
    Count,
    /// Seconds; names end in `_seconds` (`_seconds_total`).
    Seconds,
    /// Bytes; names end in `_bytes` (`_bytes_total`).
    Bytes,
    /// A share between 0 and 1; names end in `_ratio`.
    Ratio,
}

/// The buckets that the OpenTelemetry conventions give for HTTP and messaging durations, in seconds.
pub const DURATION_BUCKETS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Buckets for the time from an event to a reader: finer around the two seconds that are promised.
pub const FRESHNESS_BUCKETS: &[f64] =
    &[0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0];

/// The buckets that the OpenTelemetry conventions give for database operations, in seconds; for appends too.
pub const STORAGE_DURATION_BUCKETS: &[f64] =
    &[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

/// Buckets for numbers of things: batch sizes, events replayed.
pub const COUNT_BUCKETS: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 5_000.0];

/// A catalogue breaks a rule of naming, or a histogram would silently become a summary.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("metric {name}: {problem}")]
pub struct CatalogueError {
    /// Which metric.
    pub name: &'static str,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// Checks catalogues: names, suffixes, buckets, and that no name stands twice.
///
/// # Errors
/// The first definition that breaks a rule.
pub fn check(catalogues: &[&[MetricDef]]) -> Result<(), CatalogueError> {
    let mut names = HashSet::new();
    for metric in catalogues.iter().copied().flatten() {
        let problem =
            problem_of(metric).or_else(|| (!names.insert(metric.name)).then_some("is declared twice"));
        if let Some(problem) = problem {
            return Err(CatalogueError { name: metric.name, problem });
        }
    }
    Ok(())
}

fn has_no_values(label: &Label) -> bool {
    match label.values {
        Values::OneOf(values) => values.is_empty() || values.contains(&""),
        Values::Each(what) => what.is_empty(),
    }
}

fn problem_of(metric: &MetricDef) -> Option<&'static str> {
    let is_name = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let base = metric.name.strip_suffix("_total");
    let suffix = match metric.unit {
        MetricUnit::Count => "",
        MetricUnit::Seconds => "_seconds",
        MetricUnit::Bytes => "_bytes",
        MetricUnit::Ratio => "_ratio",
    };
    let ascending = metric.buckets.windows(2).all(|pair| pair[0] < pair[1]);
    let is_histogram = metric.kind == MetricKind::Histogram;
    [
        (!is_name(metric.name), "is not a lower-case metric name"),
        (!metric.labels.iter().all(|label| is_name(label.name)), "has a label that is not a lower-case name"),
        (metric.labels.iter().any(has_no_values), "has a label without values"),
        (metric.help.is_empty() || metric.help.ends_with('.'), "needs a help text without a full stop"),
        (
            (metric.kind == MetricKind::Counter) != base.is_some(),
            "only counters, and all of them, end in _total",
        ),
        (!base.unwrap_or(metric.name).ends_with(suffix), "does not carry its unit in the name"),
        (is_histogram && metric.buckets.is_empty(), "is a histogram without buckets"),
        (!is_histogram && !metric.buckets.is_empty(), "has buckets but is no histogram"),
        (!ascending, "has buckets that do not ascend"),
    ]
    .into_iter()
    .find_map(|(broken, problem)| broken.then_some(problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: MetricDef = MetricDef::histogram(
        "fold_duration_seconds",
        MetricUnit::Seconds,
        DURATION_BUCKETS,
        "how long a fold takes",
    )
    .by(&[Label::each("projection", "projection"), Label::one_of("outcome", &["done", "failed"])]);

    #[test]
    fn a_well_named_catalogue_passes() {
        let counter =
            MetricDef { name: "busy_seconds_total", kind: MetricKind::Counter, buckets: &[], ..GOOD };
        assert_eq!(check(&[&[GOOD], &[counter]]), Ok(()));
    }

    #[test]
    fn every_rule_of_a_catalogue_is_held() {
        const BROKEN: &[MetricDef] = &[
            MetricDef { buckets: &[], ..GOOD },
            MetricDef { buckets: &[2.0, 1.0], ..GOOD },
            MetricDef { name: "fold_duration", ..GOOD },
            MetricDef { name: "Fold_seconds", ..GOOD },
            MetricDef { name: "folds_seconds_total", ..GOOD },
            MetricDef { name: "folds_seconds", kind: MetricKind::Counter, buckets: &[], ..GOOD },
            MetricDef { kind: MetricKind::Gauge, ..GOOD },
            MetricDef { help: "", ..GOOD },
            GOOD.by(&[Label::each("Projection", "projection")]),
            GOOD.by(&[Label::each("projection", "")]),
            GOOD.by(&[Label::one_of("outcome", &[])]),
            GOOD.by(&[Label::one_of("outcome", &["done", ""])]),
        ];
        for metric in BROKEN {
            assert!(check(&[&[*metric]]).is_err(), "{metric:?}");
        }
        assert!(check(&[&[GOOD], &[GOOD]]).is_err(), "a name twice");
    }
}
