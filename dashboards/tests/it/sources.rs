//! The list of what others serve, and what becomes of it on the dashboards.

use std::collections::BTreeSet;

use dashboards::board::Whose;
use dashboards::sources::{Kind, Proof, SOURCES, metrics, not_here, of_series};
use dashboards::{alert, boards};

#[test]
fn each_metric_is_listed_once_with_a_page_that_describes_it() {
    let mut names = BTreeSet::new();
    for page in SOURCES.iter().flat_map(|source| source.pages) {
        assert!(page.url.starts_with("https://") && !page.metrics.is_empty(), "{}", page.url);
        for metric in page.metrics {
            assert!(names.insert(metric.name), "{} twice", metric.name);
            assert!(
                metric.kind == Kind::Counter || !metric.name.ends_with("_total"),
                "{} grows, by its name",
                metric.name
            );
        }
    }
}

#[test]
fn each_metric_is_asked_for() {
    let boards = boards::all();
    let targets = boards.iter().flat_map(|board| board.panels()).flat_map(|panel| &panel.targets);
    let asked: Vec<_> = targets.map(|target| target.expr.as_str()).collect();
    for metric in metrics() {
        let is_asked = asked.iter().any(|expr| {
            let words = expr.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            words.filter_map(of_series).any(|(known, _)| known.name == metric.name)
        });
        assert!(is_asked, "{} is on no dashboard", metric.name);
    }
}

#[test]
fn each_service_has_a_dashboard_and_an_alert_for_when_it_is_away() {
    let down = alert::CAUSES.iter().find(|alert| alert.name == "ServiceDown").unwrap();
    for source in SOURCES {
        let is_of = |jobs: &str| jobs.split('|').any(|job| job == source.job);
        assert!(
            boards::all().iter().any(|board| matches!(board.whose, Whose::Others(jobs) if is_of(jobs))),
            "{} is on no dashboard",
            source.job
        );
        // Prometheus cannot tell that it is away itself.
        let jobs = down.expr.split('"').nth(1).unwrap();
        assert!(is_of(jobs) || source.job == "prometheus", "nobody is told when {} is away", source.job);
    }
}

#[test]
fn a_query_is_let_off_an_answer_only_for_what_cannot_run() {
    assert_eq!(not_here("sum(rate(pg_stat_database_deadlocks[5m]))"), None);
    assert_eq!(not_here("up{job=\"kurrentdb\"}"), None);
    let syntax = SOURCES.iter().filter(|source| source.proof != Proof::Answer);
    for metric in syntax.flat_map(|source| source.pages).flat_map(|page| page.metrics) {
        assert!(not_here(&format!("max({})", metric.name)).is_some(), "{}", metric.name);
    }
}
