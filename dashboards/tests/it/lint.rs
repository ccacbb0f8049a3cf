//! The rules of Grafana's dashboard linter, and some more.

use std::collections::BTreeSet;

use dashboards::boards;
use dashboards::sources::{self, Kind};
use serde_json::Value;

/// Queries that have no label `job` or `instance` to pick by.
const WITHOUT_SELECTOR: &[(&str, &str)] = &[
    ("slo:", "recorded over all processes: a promise is made for the whole"),
    ("ALERTS{", "alerts on promises have no instance"),
];

/// What every program serves that Prometheus scrapes, or nearly every: whose it is has to be said.
const OF_EVERYBODY: &[&str] = &["up", "process_", "scrape_"];

/// Units of Grafana that are used here.
const UNITS: &[&str] = &["none", "s", "bytes", "Bps", "ops", "reqps", "percentunit", "dateTimeAsIso"];

fn dashboards() -> Vec<Value> {
    boards::all().iter().map(dashboards::board::Board::to_json).collect()
}

fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// Every series with a selector, and where its name begins.
fn series(expr: &str) -> impl Iterator<Item = (&str, usize)> {
    expr.match_indices('{').map(|(at, _)| {
        let begin = expr[..at].rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).map_or(0, |i| i + 1);
        (&expr[begin..at], begin)
    })
}

/// Every query with where it stands.
fn targets() -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for dashboard in dashboards() {
        for panel in panels(&dashboard) {
            for target in panel["targets"].as_array().unwrap() {
                all.push((
                    format!("{} / {}", text(&dashboard, "title"), text(panel, "title")),
                    target.clone(),
                ));
            }
        }
    }
    all
}

#[test]
fn dashboards_have_an_address_a_title_of_their_own_and_shared_variables() {
    let (mut uids, mut titles) = (BTreeSet::new(), BTreeSet::new());
    for dashboard in dashboards() {
        let uid = text(&dashboard, "uid").to_owned();
        assert!(uid.starts_with("headwater-") && uid.len() <= 40, "{uid}");
        assert!(titles.insert(text(&dashboard, "title").to_owned()), "{uid}: a title twice");
        assert!(!text(&dashboard, "description").is_empty(), "{uid}");
        assert_eq!(
            dashboard["editable"], false,
            "{uid}: changed by hand, it would differ from what is committed"
        );
        assert_eq!(dashboard["schemaVersion"], 41, "{uid}");
        for key in ["timezone", "refresh"] {
            assert!(!text(&dashboard, key).is_empty(), "{uid}: {key}");
        }
        for key in ["id", "__inputs", "iteration", "version"] {
            assert!(dashboard.get(key).is_none(), "{uid}: {key} belongs to one installation");
        }
        let variables = dashboard["templating"]["list"].as_array().unwrap();
        let names: Vec<_> = variables.iter().map(|variable| text(variable, "name")).collect();
        assert_eq!(names[..3], ["datasource", "job", "instance"], "{uid}");
        assert_eq!(text(&variables[0], "label"), "Data source");
        if let Some(logs) = variables.get(3) {
            assert_eq!((text(logs, "name"), text(logs, "query")), ("loki_datasource", "loki"), "{uid}");
        }
        assert!(names.len() <= 4, "{uid}");
        for variable in &variables[1..3] {
            assert_eq!(text(&variable["datasource"], "uid"), "${datasource}", "{uid}");
            assert_eq!((&variable["refresh"], &variable["allValue"]), (&Value::from(2), &Value::from(".+")));
            assert_eq!(
                (&variable["multi"], &variable["includeAll"]),
                (&Value::from(true), &Value::from(true))
            );
        }
        uids.insert(uid);
    }
    assert_eq!(uids.len(), titles.len(), "an address twice");
}

#[test]
fn panels_say_what_they_show_in_which_unit() {
    for dashboard in dashboards() {
        let mut titles = BTreeSet::new();
        for panel in panels(&dashboard) {
            let title = text(panel, "title");
            let place = format!("{} / {title}", text(&dashboard, "title"));
            assert!(titles.insert(title.to_owned()), "{place}: twice");
            let description = text(panel, "description");
            assert!(description.ends_with('.') || description.ends_with(".md"), "{place}: no description");
            assert!(!title.is_empty() && !title.ends_with('.'), "{place}");
            assert!(
                UNITS.contains(&text(&panel["fieldConfig"]["defaults"], "unit")),
                "{place}: no such unit"
            );
            assert_eq!(text(&panel["datasource"], "uid"), "${datasource}", "{place}");
            assert!(!text(&panel["fieldConfig"]["defaults"], "noValue").is_empty(), "{place}");
            assert!(!panel["targets"].as_array().unwrap().is_empty(), "{place}: shows nothing");
            match panel["links"].as_array().unwrap().as_slice() {
                [] => assert!(description.contains("docs/runbooks/"), "{place}: leads nowhere"),
                [logs] => leads_to_logs(text(logs, "url"), &place),
                more => panic!("{place}: {more:?}"),
            }
            let steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"].as_array().unwrap();
            assert!(
                !steps.is_empty() && steps[0]["value"].is_null(),
                "{place}: thresholds begin at the bottom"
            );
            let values: Vec<_> = steps[1..].iter().map(|step| step["value"].as_f64().unwrap()).collect();
            assert!(values.is_sorted(), "{place}: thresholds ascend");
        }
    }
}

/// The link opens Grafana's page of logs for what the dashboard's variables pick, which Loki knows by `service_name`.
fn leads_to_logs(url: &str, place: &str) {
    let url = [
        ("${loki_datasource}", "loki"),
        ("${job:pipe}", "headwater%7Chw"),
        ("${__from}", "1"),
        ("${__to}", "2"),
    ]
    .into_iter()
    .fold(url.to_owned(), |url, (variable, value)| {
        assert!(url.contains(variable), "{place}: {variable} is not in {url}");
        url.replace(variable, value)
    });
    let panes =
        url.strip_prefix("/explore?schemaVersion=1&panes=").unwrap_or_else(|| panic!("{place}: {url}"));
    let panes = percent_encoding::percent_decode_str(panes).decode_utf8().unwrap();
    let panes: Value =
        serde_json::from_str(&panes).unwrap_or_else(|error| panic!("{place}: {error} in {panes}"));
    assert_eq!(panes["logs"]["datasource"], "loki", "{place}");
    assert_eq!(panes["logs"]["queries"][0]["expr"], r#"{service_name=~"headwater|hw"}"#, "{place}");
    assert_eq!((&panes["logs"]["range"]["from"], &panes["logs"]["range"]["to"]), (&"1".into(), &"2".into()));
}

#[test]
fn panels_fill_the_grid_without_overlaps() {
    for dashboard in dashboards() {
        let uid = text(&dashboard, "uid").to_owned();
        let mut taken = BTreeSet::new();
        let mut ids = BTreeSet::new();
        for panel in dashboard["panels"].as_array().unwrap() {
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{uid}: an id twice");
            let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
            assert!(w > 0 && h > 0 && x + w <= 24, "{uid} / {}", text(panel, "title"));
            for cell in (x..x + w).flat_map(|column| (y..y + h).map(move |line| (column, line))) {
                assert!(taken.insert(cell), "{uid} / {} lies over another", text(panel, "title"));
            }
        }
        let lines: BTreeSet<_> = taken.iter().map(|(_, line)| *line).collect();
        assert_eq!(lines.len() as u64, lines.last().unwrap() + 1, "{uid}: an empty line");
    }
}

#[test]
fn queries_pick_by_job_and_instance_and_have_a_legend() {
    for (place, target) in targets() {
        let expr = text(&target, "expr");
        let is_exempt = WITHOUT_SELECTOR.iter().any(|(part, _)| expr.contains(part));
        let opened = expr.matches('{').count();
        let picked = expr.matches(r#"job=~"$job", instance=~"$instance""#).count();
        assert!(is_exempt || (picked > 0 && picked == opened), "{place}: {expr}");
        assert!(!text(&target, "legendFormat").is_empty(), "{place}: no legend");
        assert!(!expr.contains('@'), "{place}: {expr}");
    }
}

#[test]
fn what_every_program_serves_is_picked_by_job() {
    let mut found = 0;
    for (place, target) in targets() {
        let expr = text(&target, "expr");
        for (name, begin) in series(expr) {
            if OF_EVERYBODY.iter().any(|of| name == *of || (of.ends_with('_') && name.starts_with(of))) {
                found += 1;
                let selector = expr[begin..].split('}').next().unwrap();
                assert_eq!(selector.matches("job=~").count(), 2, "{place}: also of other programs: {expr}");
            }
        }
    }
    assert!(found > 10, "the search has found too little");
}

#[test]
fn every_dashboard_leads_to_all_others_and_keeps_what_is_picked_among_its_own() {
    let dashboards = dashboards();
    let tag_of = |dashboard: &Value| dashboard["tags"][0].as_str().unwrap().to_owned();
    let tags: BTreeSet<_> = dashboards.iter().map(tag_of).collect();
    assert_eq!(tags.len(), 2, "{tags:?}");
    for dashboard in &dashboards {
        let links = dashboard["links"].as_array().unwrap();
        let linked: BTreeSet<_> =
            links.iter().map(|link| link["tags"][0].as_str().unwrap().to_owned()).collect();
        assert_eq!(linked, tags, "{}", text(dashboard, "uid"));
        // A job of Headwater's is none of a service's: carried over, it would leave an empty page.
        for link in links.iter().filter(|link| link["includeVars"] == true) {
            assert_eq!(link["tags"][0].as_str().unwrap(), tag_of(dashboard), "{}", text(dashboard, "uid"));
        }
    }
}

#[test]
fn ranges_follow_the_interval_of_the_page() {
    for (place, target) in targets() {
        let expr = text(&target, "expr");
        for function in ["rate(", "irate(", "increase(", "deriv("] {
            let ranges = expr.matches(function).count();
            assert!(ranges == 0 || expr.contains("[$__rate_interval]"), "{place}: {expr}");
        }
        assert_eq!(expr.matches('[').count(), expr.matches("[$__rate_interval]").count(), "{place}: {expr}");
    }
}

#[test]
fn counters_are_shown_as_rates_and_percentiles_by_bucket() {
    for (place, target) in targets() {
        let expr = text(&target, "expr");
        for (name, begin) in series(expr) {
            let listed = sources::metrics().find(|metric| metric.name == name).map(|metric| metric.kind);
            let by_name =
                || ["_total", "_bucket", "_count", "_sum"].iter().any(|ending| name.ends_with(ending));
            if listed.map_or_else(by_name, |kind| kind == Kind::Counter) {
                assert!(expr[..begin].ends_with("rate("), "{place}: a counter as it is: {expr}");
            }
        }
        if expr.contains("histogram_quantile") {
            assert!(expr.contains("sum by (le"), "{place}: {expr}");
            assert_eq!(target["exemplar"], true, "{place}");
        }
        assert!(
            !expr.contains('/') || expr.contains("> 0") || expr.contains("\"/") || expr.contains("slo:"),
            "{place}: divides by what may be nothing: {expr}"
        );
    }
}
