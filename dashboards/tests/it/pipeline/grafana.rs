//! What Grafana is given: data sources that find each other, and dashboards that find theirs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{COLLECTOR, DATASOURCES, LOKI, PROMETHEUS, PROVIDERS, names, strings, text, yaml};

/// The ways from one kind of data to another that must be there.
const WAYS: &[(&str, &str)] = &[
    ("prometheus", "tempo"),
    ("prometheus", "loki"),
    ("tempo", "loki"),
    ("tempo", "prometheus"),
    ("loki", "tempo"),
    ("loki", "dashboard"),
];

fn datasources() -> BTreeMap<String, Value> {
    let file = yaml(DATASOURCES);
    let all = file["datasources"].as_array().unwrap();
    let by_uid: BTreeMap<_, _> =
        all.iter().map(|source| (source["uid"].as_str().unwrap().to_owned(), source.clone())).collect();
    assert_eq!(by_uid.len(), all.len(), "a uid twice");
    by_uid
}

/// Every value of a key, however deep.
fn values_of<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Array(list) => list.iter().for_each(|value| values_of(value, key, found)),
        Value::Object(map) => {
            found.extend(map.get(key).and_then(Value::as_str));
            map.values().for_each(|value| values_of(value, key, found));
        }
        _ => {}
    }
}

/// Where a data source leads to.
fn leads_to(source: &Value) -> BTreeSet<String> {
    let mut uids = Vec::new();
    values_of(source, "datasourceUid", &mut uids);
    values_of(source, "targetUID", &mut uids);
    let mut all: BTreeSet<_> = uids.into_iter().map(str::to_owned).collect();
    let fields = source["jsonData"]["derivedFields"].as_array().cloned().unwrap_or_default();
    let to_dashboard = |field: &Value| field["url"].as_str().is_some_and(|url| url.starts_with("/d/"));
    all.extend(fields.iter().any(to_dashboard).then(|| "dashboard".to_owned()));
    all
}

#[test]
fn one_gets_from_each_kind_of_data_to_the_others() {
    let sources = datasources();
    let mut ways = BTreeSet::new();
    for (uid, source) in &sources {
        for to in leads_to(source) {
            assert!(
                to == "dashboard" || sources.contains_key(&to),
                "{uid} leads to {to}, which is not there"
            );
            ways.insert((uid.clone(), to));
        }
    }
    for (from, to) in WAYS {
        assert!(ways.contains(&((*from).to_owned(), (*to).to_owned())), "no way from {from} to {to}");
    }
}

#[test]
fn dashboards_find_their_prometheus_and_links_their_dashboard() {
    let sources = datasources();
    let defaults: Vec<_> = sources.values().filter(|source| source["isDefault"] == true).collect();
    let [default] = defaults[..] else { panic!("one is asked when nobody chooses: {defaults:?}") };
    let boards = dashboards::boards::all();
    for board in &boards {
        let json = board.to_json();
        let variable = &json["templating"]["list"][0];
        assert_eq!(
            (&variable["type"], &variable["query"]),
            (&"datasource".into(), &default["type"]),
            "{}",
            board.uid
        );
    }
    let mut told = Vec::new();
    strings(&yaml(DATASOURCES), &mut told);
    let links: Vec<_> = told.iter().filter_map(|text| text.strip_prefix("/d/")).collect();
    assert!(!links.is_empty());
    for link in links {
        let (uid, variables) = link.split_once('?').unwrap();
        let board =
            boards.iter().find(|board| board.uid == uid).unwrap_or_else(|| panic!("no dashboard {uid}"));
        let json = board.to_json();
        let known: Vec<_> =
            json["templating"]["list"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
        for variable in variables.split('&').map(|part| part.split('=').next().unwrap()) {
            let name = variable.strip_prefix("var-").unwrap();
            assert!(known.contains(&name.into()), "{uid} has no variable {name}");
        }
    }
}

#[test]
fn nothing_can_be_changed_by_hand_and_lost() {
    let provider = &yaml(PROVIDERS)["providers"][0];
    assert_eq!((&provider["allowUiUpdates"], &provider["disableDeletion"]), (&false.into(), &true.into()));
    for (uid, source) in datasources() {
        assert_eq!(source["editable"], false, "{uid}");
        assert_eq!(source["type"], uid.as_str(), "a uid says what it is of");
    }
}

#[test]
fn a_dollar_sign_is_written_twice() {
    for line in text(DATASOURCES).lines().filter(|line| !line.trim_start().starts_with('#')) {
        assert!(
            !line.replace("$$", "").contains('$'),
            "Grafana puts a variable of its own process there: {line}"
        );
    }
    assert!(text(DATASOURCES).contains("$$"), "the reading is broken");
}

#[test]
fn it_asks_as_often_as_is_scraped() {
    let interval = &datasources()["prometheus"]["jsonData"]["timeInterval"];
    assert_eq!(*interval, yaml(PROMETHEUS)["global"]["scrape_interval"]);
}

/// The metrics that the collector makes of spans, by its settings.
fn span_metrics() -> BTreeSet<String> {
    let spans = &yaml(COLLECTOR)["connectors"]["span_metrics"];
    assert!(spans["namespace"].is_null(), "the names below are those of the default");
    let unit = match spans["histogram"]["unit"].as_str() {
        Some("s") => "seconds",
        _ => "milliseconds",
    };
    let duration = format!("traces_span_metrics_duration_{unit}");
    let series = ["_bucket", "_sum", "_count"].map(|ending| duration.clone() + ending);
    series.into_iter().chain(["traces_span_metrics_calls_total".to_owned()]).collect()
}

#[test]
fn links_ask_for_metrics_and_labels_that_exist() {
    let sources = datasources();
    let metrics = span_metrics();
    let name = regex::Regex::new("traces_span_metrics_[a-z_]+").unwrap();
    let queries = sources["tempo"]["jsonData"]["tracesToMetrics"]["queries"].as_array().unwrap();
    assert!(!queries.is_empty());
    for query in queries {
        let query = query["query"].as_str().unwrap();
        let asked: Vec<_> = name.find_iter(query).map(|found| found.as_str().to_owned()).collect();
        assert!(!asked.is_empty(), "{query}");
        for metric in asked {
            assert!(metrics.contains(&metric), "the collector makes no {metric}");
        }
    }
    // `service.name` is the one label of Loki's streams; Prometheus has it on the metrics of spans.
    let attributes = &yaml(LOKI)["limits_config"]["otlp_config"]["resource_attributes"];
    assert_eq!(attributes["ignore_defaults"], true, "a stream for each start of a process");
    let labels: Vec<_> = attributes["attributes_config"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["action"] == "index_label")
        .collect();
    let [indexed] = labels[..] else { panic!("{labels:?}") };
    assert_eq!(names(&indexed["attributes"]), ["service.name"]);
    for way in ["tracesToLogsV2", "tracesToMetrics"] {
        let tags = sources["tempo"]["jsonData"][way]["tags"].as_array().unwrap();
        let pairs: Vec<_> = tags.iter().map(|tag| (tag["key"].as_str(), tag["value"].as_str())).collect();
        assert_eq!(pairs, [(Some("service.name"), Some("service_name"))], "{way}");
    }
    let exemplars = &sources["prometheus"]["jsonData"]["exemplarTraceIdDestinations"][0];
    assert_eq!(exemplars["name"], "trace_id", "as the collector calls it");
    for correlation in sources["prometheus"]["correlations"].as_array().unwrap() {
        assert_eq!(correlation["config"]["field"], "job", "the one label that is named like the service");
    }
    for field in sources["loki"]["jsonData"]["derivedFields"].as_array().unwrap() {
        assert_eq!(field["matcherType"], "label", "ids stand beside the line, not in it");
        let label = field["matcherRegex"].as_str().unwrap().trim_matches(['^', '$']);
        assert!(["trace_id", "service_name"].contains(&label), "{label}");
    }
}
