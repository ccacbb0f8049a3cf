//! Prometheus' rules: recorded shares of bad events with the alerts on them, and the alerts on causes.

use std::fmt::Write as _;

use crate::File;
use crate::alert::{Alert, CAUSES, Severity, runbook};
use crate::slo::{Burn, FEW, PAGE, SLOS, Slo, TICKET, WINDOWS, error_ratio};
use crate::window::Windows;

const HEADER: &str = "# Written from the crate `dashboards`; change it there.\n";

/// A rule as it stands in a file.
struct Rule {
    /// `record` or `alert`, and its name.
    head: (&'static str, String),
    expr: String,
    for_: Option<String>,
    labels: Vec<(&'static str, String)>,
    annotations: Vec<(&'static str, String)>,
}

/// The files of the rules, their paths from the folder of the rules.
#[must_use]
pub fn files(windows: Windows) -> Vec<File> {
    let mut objectives = String::from(HEADER) + "groups:\n";
    for slo in SLOS {
        let rules = recorded(slo, windows).into_iter().chain([
            burning(slo, &PAGE, Severity::Page, windows),
            burning(slo, &TICKET, Severity::Ticket, windows),
        ]);
        group(&mut objectives, slo.name, rules);
    }
    let mut causes = String::from(HEADER) + "groups:\n";
    group(&mut causes, "causes", CAUSES.iter().map(|alert| cause(alert, windows)));
    [("objectives.yml", objectives), ("causes.yml", causes)]
        .map(|(path, text)| File { path: path.to_owned(), text })
        .into()
}

fn recorded(slo: &Slo, windows: Windows) -> Vec<Rule> {
    let labels = || vec![("slo", slo.name.to_owned())];
    let record = |name: String, expr: String| Rule {
        head: ("record", name),
        expr,
        for_: None,
        labels: labels(),
        annotations: Vec::new(),
    };
    let over = |expr: &str, window: &str| expr.replace("<W>", &windows.of(window));
    let mut rules: Vec<_> = WINDOWS
        .iter()
        .map(|window| {
            let (bad, all) = (over(slo.bad, window), over(slo.all, window));
            // No event, no share: half of nothing is not zero.
            record(error_ratio(window), format!("({bad}) / ({all} > 0)"))
        })
        .collect();
    let last = windows.of("30d");
    rules.push(record("slo:events:rate1h".to_owned(), over(slo.all, "1h")));
    rules.push(record("slo:objective:ratio".to_owned(), format!("vector({})", slo.objective)));
    rules.push(record(
        "slo:budget_left:ratio".to_owned(),
        format!(
            r#"1 - avg_over_time({}{{slo="{}"}}[{last}]) / {}"#,
            error_ratio("1h"),
            slo.name,
            budget(slo)
        ),
    ));
    rules
}

/// The share of bad events that the objective allows.
fn budget(slo: &Slo) -> f64 {
    // As people write it, not with the noise of a subtraction.
    ((1.0 - slo.objective) * 1e6).round() / 1e6
}

fn burning(slo: &Slo, burns: &[Burn], severity: Severity, windows: Windows) -> Rule {
    let burns: Vec<_> = burns
        .iter()
        .map(|burn| {
            let most = (burn.factor * budget(slo) * 1e6).round() / 1e6;
            let is_over = |window| format!(r#"{}{{slo="{}"}} > {most}"#, error_ratio(window), slo.name);
            format!("({} and {})", is_over(burn.long), is_over(burn.short))
        })
        .collect();
    Rule {
        head: ("alert", slo.alert.to_owned()),
        expr: format!(r#"({}) and slo:events:rate1h{{slo="{}"}} > {FEW}"#, burns.join(" or "), slo.name),
        for_: Some(windows.of("1m")),
        labels: vec![("severity", severity.as_str().to_owned())],
        annotations: annotations(
            &format!("the promise burns: {}; now {{{{ $value | humanizePercentage }}}} are bad", slo.promise),
            slo.alert,
            slo.dashboard,
        ),
    }
}

fn cause(alert: &Alert, windows: Windows) -> Rule {
    Rule {
        head: ("alert", alert.name.to_owned()),
        expr: windows.in_expression(alert.expr),
        for_: Some(windows.of(alert.for_)),
        labels: vec![("severity", alert.severity.as_str().to_owned())],
        annotations: annotations(alert.summary, alert.name, alert.dashboard),
    }
}

fn annotations(summary: &str, alert: &str, dashboard: &str) -> Vec<(&'static str, String)> {
    vec![
        ("summary", summary.to_owned()),
        ("runbook_url", runbook(alert)),
        ("dashboard", format!("/d/{dashboard}")),
    ]
}

fn group(out: &mut String, name: &str, rules: impl Iterator<Item = Rule>) {
    // Writing into a text does not fail.
    let _ = writeln!(out, "  - name: {name}\n    rules:");
    for rule in rules {
        let _ = writeln!(out, "      - {}: {}", rule.head.0, rule.head.1);
        let _ = writeln!(out, "        expr: |-\n          {}", rule.expr);
        if let Some(for_) = rule.for_ {
            let _ = writeln!(out, "        for: {for_}");
        }
        for (what, pairs) in [("labels", rule.labels), ("annotations", rule.annotations)] {
            if pairs.is_empty() {
                continue;
            }
            let _ = writeln!(out, "        {what}:");
            for (key, value) in pairs {
                let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
                let _ = writeln!(out, "          {key}: \"{quoted}\"");
            }
        }
    }
}
