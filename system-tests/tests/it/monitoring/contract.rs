//! Dashboards and rules ask only for metrics, labels and values that exist, and every metric is asked for somewhere.

use std::collections::{BTreeMap, BTreeSet};

use dashboards::window::Windows;
use dashboards::{boards, rules, slo, sources};
use observability::{MetricDef, MetricKind, Values};
use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{self, Expr, LabelModifier, VectorSelector};
use promql_parser::util::{ExprVisitor, walk_expr};

use super::catalogue::metrics;

/// Series that Prometheus itself makes, with their labels.
const OF_PROMETHEUS: &[(&str, &[&str])] = &[
    ("up", &[]),
    ("scrape_samples_scraped", &[]),
    ("scrape_duration_seconds", &[]),
    ("ALERTS", &["alertname", "alertstate", "severity"]),
];

/// Metrics that no dashboard shows and no rule asks for, and why.
const NOT_SHOWN: &[(&str, &str)] = &[
    ("process_virtual_memory_bytes", "addresses are not memory; the library records them"),
    ("process_virtual_memory_max_bytes", "likewise"),
];

/// The labels that Prometheus gives to every series that it scrapes.
const OF_TARGETS: &[&str] = &["job", "instance"];

/// What an expression asks for.
#[derive(Default)]
struct Asked {
    selectors: Vec<VectorSelector>,
    grouped_by: BTreeSet<String>,
}

impl ExprVisitor for Asked {
    type Error = std::convert::Infallible;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, Self::Error> {
        match expr {
            Expr::VectorSelector(selector) => self.selectors.push(selector.clone()),
            Expr::MatrixSelector(matrix) => self.selectors.push(matrix.vs.clone()),
            Expr::Aggregate(aggregate) => {
                if let Some(LabelModifier::Include(labels)) = &aggregate.modifier {
                    self.grouped_by.extend(labels.labels.iter().cloned());
                }
            }
            _ => {}
        }
        Ok(true)
    }
}

/// Every expression of dashboards and rules, with where it stands.
fn expressions() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for board in boards::all() {
        for panel in board.panels() {
            for target in &panel.targets {
                let place = format!("{} / {}", board.title, panel.title);
                all.push((place, target.expr.replace("$__rate_interval", "5m")));
            }
        }
        for mark in board.to_json()["annotations"]["list"].as_array().unwrap() {
            all.push((format!("{} / mark", board.title), mark["expr"].as_str().unwrap().to_owned()));
        }
    }
    for file in rules::files(Windows::REAL) {
        let lines = file.text.lines().zip(file.text.lines().skip(1));
        let exprs =
            lines.filter(|(head, _)| head.trim() == "expr: |-").map(|(_, expr)| expr.trim().to_owned());
        all.extend(exprs.map(|expr| (file.path.clone(), expr)));
    }
    all
}

/// The metric that a series belongs to: those of a histogram have three more endings.
fn metric_of<'a>(known: &BTreeMap<&str, &'a MetricDef>, series: &str) -> Option<(&'a MetricDef, bool)> {
    let whole = known.get(series).filter(|metric| metric.kind != MetricKind::Histogram);
    let part = ["_bucket", "_sum", "_count"].iter().find_map(|ending| {
        let metric = known.get(series.strip_suffix(ending)?)?;
        (metric.kind == MetricKind::Histogram).then_some((*metric, *ending == "_bucket"))
    });
    whole.map(|metric| (*metric, false)).or(part)
}

/// A closed set of values.
type Closed = Option<&'static [&'static str]>;

/// The labels of a metric that a catalogue declares or that another program serves.
fn labels_of(known: &BTreeMap<&str, &MetricDef>, series: &str) -> Option<BTreeMap<&'static str, Closed>> {
    let mut labels: BTreeMap<_, Closed> = OF_TARGETS.iter().map(|label| (*label, None)).collect();
    let is_bucket = if let Some((metric, is_bucket)) = metric_of(known, series) {
        labels.extend(metric.labels.iter().map(|label| match label.values {
            Values::OneOf(values) => (label.name, Some(values)),
            Values::Each(_) => (label.name, None),
        }));
        is_bucket
    } else {
        let (metric, is_bucket) = sources::of_series(series)?;
        labels.extend(metric.labels.iter().map(|sources::Label(name, values)| {
            let closed: Closed = (!values.is_empty()).then_some(*values);
            (*name, closed)
        }));
        is_bucket
    };
    labels.extend(is_bucket.then_some(("le", None)));
    Some(labels)
}

/// Whether a matcher can match anything at all of a closed set.
fn can_match(values: &[&str], matcher: &Matcher) -> bool {
    match &matcher.op {
        MatchOp::Equal => values.contains(&matcher.value.as_str()),
        MatchOp::Re(regex) => values.iter().any(|value| regex.is_match(value)),
        MatchOp::NotEqual | MatchOp::NotRe(_) => true,
    }
}

fn recorded() -> BTreeSet<String> {
    let ratios = slo::WINDOWS.iter().map(|window| slo::error_ratio(window));
    ratios
        .chain(["slo:events:rate1h", "slo:objective:ratio", "slo:budget_left:ratio"].map(ToOwned::to_owned))
        .collect()
}

#[test]
fn every_query_asks_for_what_exists_and_every_metric_is_asked_for() {
    let known: BTreeMap<_, _> = metrics().into_iter().map(|metric| (metric.name, metric)).collect();
    let recorded = recorded();
    let mut used = BTreeSet::new();
    let mut wrong = Vec::new();
    for (place, text) in expressions() {
        let expr = parser::parse(&text).unwrap_or_else(|error| panic!("{place}: {text}: {error}"));
        let mut asked = Asked::default();
        let _ = walk_expr(&mut asked, &expr);
        assert!(!asked.selectors.is_empty() || text.starts_with("vector("), "{place}: {text}");
        let mut labels_here: BTreeSet<String> = OF_TARGETS.iter().map(ToString::to_string).collect();
        for selector in &asked.selectors {
            let name = selector.name.as_deref().unwrap_or_default();
            used.extend(metric_of(&known, name).map(|(metric, _)| metric.name));
            let mut labels = labels_of(&known, name);
            if recorded.contains(name) {
                labels = Some(BTreeMap::from([("slo", None)]));
            } else if let Some((_, more)) = OF_PROMETHEUS.iter().find(|(series, _)| *series == name) {
                labels = Some(OF_TARGETS.iter().chain(*more).map(|label| (*label, None)).collect());
            }
            let Some(labels) = labels else {
                wrong.push(format!("{place}: there is no {name}"));
                continue;
            };
            for matcher in &selector.matchers.matchers {
                match labels.get(matcher.name.as_str()) {
                    None => wrong.push(format!("{place}: {name} has no label {}", matcher.name)),
                    Some(Some(values)) if !can_match(values, matcher) => {
                        wrong.push(format!("{place}: {} of {name} is never {}", matcher.name, matcher.value));
                    }
                    Some(_) => {}
                }
            }
            labels_here.extend(labels.into_keys().map(ToOwned::to_owned));
        }
        for label in asked.grouped_by.difference(&labels_here) {
            wrong.push(format!("{place}: grouped by {label}, which nothing there has"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");

    let not_shown: BTreeSet<_> = NOT_SHOWN.iter().map(|(name, _)| *name).collect();
    let forgotten: Vec<_> =
        known.keys().filter(|name| !used.contains(*name) && !not_shown.contains(*name)).collect();
    assert!(forgotten.is_empty(), "neither on a dashboard nor in a rule: {forgotten:?}");
    let shown: Vec<_> =
        not_shown.iter().filter(|name| used.contains(*name) || !known.contains_key(*name)).collect();
    assert!(shown.is_empty(), "shown, or gone: {shown:?}");
}
