//! The committed rules, by Prometheus' own tool: they are sound, and each alert fires when it should and not when not.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::Result;
use dashboards::alert::CAUSES;
use dashboards::slo::SLOS;
use system_tests::prometheus::promtool;

use super::cases::{self, Case};
use super::services;
use crate::root;

const PIPELINE: &str = "observability/pipeline/prometheus";

/// What was measured, minute by minute, up to when one looks.
struct Measured {
    says: &'static str,
    at: u32,
    series: Vec<(String, String)>,
}

impl From<&Case> for Measured {
    fn from(case: &Case) -> Self {
        let series = case.series.iter().map(|(name, values)| ((*name).to_owned(), (*values).to_owned()));
        Self { says: case.says, at: case.at, series: series.collect() }
    }
}

const FAST: u32 = 150;

/// Bad and all events of each promise, as a minute brings them, in a form that `BAD` and `GOOD` stand in.
const PROMISES: &[(&str, &[(&str, &str)])] = &[
    (
        "CommandAvailabilityBurn",
        &[
            (
                r#"http_server_request_duration_seconds_count{method="POST",route="/v1/orders",status="201"}"#,
                "GOOD",
            ),
            (
                r#"http_server_request_duration_seconds_count{method="POST",route="/v1/orders",status="503"}"#,
                "BAD",
            ),
        ],
    ),
    (
        "CommandLatencyBurn",
        &[
            (r#"command_duration_seconds_bucket{le="0.25"}"#, "GOOD"),
            ("command_duration_seconds_count", "ALL"),
        ],
    ),
    (
        "QueryAvailabilityBurn",
        &[
            (
                r#"http_server_request_duration_seconds_count{method="POST",route="/graphql",status="200"}"#,
                "ALL",
            ),
            ("graphql_failed_answers_total", "BAD"),
            (r#"graphql_errors_total{code="PRODUCT_NOT_FOUND"}"#, "ALL"),
        ],
    ),
    (
        "QueryLatencyBurn",
        &[
            (r#"graphql_operation_duration_seconds_bucket{le="0.25"}"#, "GOOD"),
            ("graphql_operation_duration_seconds_count", "ALL"),
        ],
    ),
    (
        "FreshnessBurn",
        &[
            (r#"projection_event_visible_delay_seconds_bucket{le="2"}"#, "GOOD"),
            ("projection_event_visible_delay_seconds_count", "ALL"),
        ],
    ),
];

/// A promise under so many bad events of 10,000 in a minute, and what fires.
fn promise(
    (alert, series): &(&'static str, &[(&str, &str)]),
    bad: u32,
    says: &'static str,
    severities: &[&'static str],
) -> (Measured, Vec<(&'static str, &'static str)>) {
    let rates = [("GOOD", 10_000 - bad), ("BAD", bad), ("ALL", 10_000)];
    let series = series
        .iter()
        .map(|(name, which)| {
            let rate = rates.iter().find(|(known, _)| known == which).map_or(0, |(_, rate)| *rate);
            ((*name).to_owned(), format!("0+{rate}x{FAST}"))
        })
        .collect();
    (Measured { says, at: FAST, series }, severities.iter().map(|severity| (*alert, *severity)).collect())
}

/// Writes a case as promtool reads it.
fn write(out: &mut String, case: &Measured, fires: &[(&str, &str)]) -> Result<()> {
    writeln!(out, "  - name: {:?}\n    interval: 1m\n    input_series:", case.says)?;
    for (series, values) in &case.series {
        writeln!(out, "      - series: '{series}'\n        values: '{values}'")?;
    }
    writeln!(out, "    promql_expr_test:")?;
    writeln!(out, "      - expr: count by (alertname, severity) (ALERTS{{alertstate=\"firing\"}})")?;
    writeln!(out, "        eval_time: {}m\n        exp_samples:", case.at)?;
    for (alert, severity) in fires {
        writeln!(
            out,
            "          - labels: '{{alertname=\"{alert}\", severity=\"{severity}\"}}'\n            value: 1"
        )?;
    }
    Ok(())
}

#[test]
fn rules_and_configuration_are_sound() -> Result<()> {
    let folder = root().join(PIPELINE);
    for config in ["prometheus.yml", "compose.yml"] {
        let config = folder.join(config);
        let said = promtool(&["check", "config", &config.display().to_string()], None)?;
        assert_eq!(said.matches("rules found").count(), 2, "{said}");
    }
    Ok(())
}

#[test]
fn every_alert_fires_when_it_should_and_not_when_not() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut text = String::from("rule_files:\n");
    for file in ["causes.yml", "objectives.yml"] {
        writeln!(text, "  - {}", root().join(PIPELINE).join("rules").join(file).display())?;
    }
    text += "evaluation_interval: 1m\ntests:\n";
    let mut firing = BTreeSet::new();
    for case in cases::CAUSES.iter().chain(services::CAUSES) {
        write(&mut text, &case.into(), case.fires)?;
        firing.extend(case.fires.iter().map(|(alert, _)| *alert));
    }
    for promise_of in PROMISES {
        let budget = SLOS.iter().find(|slo| slo.alert == promise_of.0).map_or(0.0, |slo| 1.0 - slo.objective);
        let of_budget = |factor: f64| (budget * factor * 10_000.0).round() as u32;
        for (factor, says, severities) in [
            (20.0, "the budget of a month burns in a day and a half", &["page", "ticket"][..]),
            (2.0, "the budget of a month burns in half of it", &["ticket"][..]),
            (0.5, "half of the budget burns", &[][..]),
        ] {
            let (case, fires) = promise(promise_of, of_budget(factor), says, severities);
            write(&mut text, &case, &fires)?;
            firing.extend(fires.iter().map(|(alert, _)| *alert));
        }
    }
    let all: BTreeSet<_> =
        SLOS.iter().map(|slo| slo.alert).chain(CAUSES.iter().map(|alert| alert.name)).collect();
    assert_eq!(firing, all, "each alert has a case in which it fires");
    let file = folder.path().join("alerts.test.yml");
    std::fs::write(&file, text)?;
    promtool(&["test", "rules", &file.display().to_string()], None)?;
    Ok(())
}
