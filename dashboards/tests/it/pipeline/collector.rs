//! The collector's configuration: nothing is left to its defaults that a default gets wrong.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::Value;

use super::{COLLECTOR, names, yaml};

/// The components in use, as 0.144 and newer call them. Older names still work, and warn at each start.
const KNOWN: &[(&str, &[&str])] = &[
    ("receivers", &["otlp"]),
    ("processors", &["memory_limiter", "redaction", "resource"]),
    ("connectors", &["span_metrics"]),
    ("exporters", &["otlp_grpc", "otlp_http", "prometheus"]),
    ("extensions", &["file_storage", "health_check"]),
];

/// Attributes of spans by which metrics may be told apart besides service, name, kind and status: closed sets only.
const DIMENSIONS: &[&str] = &[];

/// Names of attributes that our services set; none of them is personal.
const OURS: &[&str] = &[
    "http.request.method",
    "http.route",
    "url.path",
    "messaging.destination.template",
    "db.query.text",
    "error.type",
    "headwater.command.id",
    "service.name",
];

fn components<'a>(config: &'a Value, part: &str) -> Vec<&'a str> {
    names(&config[part])
}

fn pipelines(config: &Value) -> Vec<(&str, &Value)> {
    let all = config["service"]["pipelines"].as_object().unwrap();
    assert!(all.len() >= 3, "the reading is broken");
    all.iter().map(|(name, pipeline)| (name.as_str(), pipeline)).collect()
}

#[test]
fn components_are_called_by_their_present_names() {
    let config = yaml(COLLECTOR);
    for part in config.as_object().unwrap().keys().filter(|part| *part != "service") {
        let (_, known) = KNOWN.iter().find(|(known, _)| known == part).unwrap_or_else(|| panic!("{part}"));
        for component in components(&config, part) {
            let kind = component.split('/').next().unwrap();
            assert!(known.contains(&kind), "{part}: {kind}");
        }
    }
}

#[test]
fn what_pipelines_name_is_defined_and_what_is_defined_is_used() {
    let config = yaml(COLLECTOR);
    let connectors = components(&config, "connectors");
    let mut used = BTreeSet::new();
    for (name, pipeline) in pipelines(&config) {
        for part in ["receivers", "processors", "exporters"] {
            for component in names(&pipeline[part]) {
                let is_connector = part != "processors" && connectors.contains(&component);
                assert!(
                    is_connector || components(&config, part).contains(&component),
                    "{name}: {component} is not defined"
                );
                used.insert((part, component));
            }
        }
    }
    for connector in connectors {
        for part in ["receivers", "exporters"] {
            assert!(used.contains(&(part, connector)), "{connector} leads from nowhere, or to nowhere");
        }
    }
    for part in ["receivers", "processors", "exporters"] {
        for component in components(&config, part) {
            assert!(used.contains(&(part, component)), "{component} is defined and not used");
        }
    }
    let (started, defined): (BTreeSet<_>, BTreeSet<_>) = (
        names(&config["service"]["extensions"]).into_iter().collect(),
        components(&config, "extensions").into_iter().collect(),
    );
    assert_eq!(started, defined, "extensions that are started, and those that are defined");
}

#[test]
fn memory_is_limited_first_and_what_comes_from_outside_is_struck_out_next() {
    let config = yaml(COLLECTOR);
    for (name, pipeline) in pipelines(&config) {
        let processors = names(&pipeline["processors"]);
        assert_eq!(processors.first(), Some(&"memory_limiter"), "{name}");
        if names(&pipeline["receivers"]).contains(&"otlp") {
            assert_eq!(processors.get(1), Some(&"redaction"), "{name}: kept before it is struck out");
        }
    }
    let limiter = &config["processors"]["memory_limiter"];
    let [limit, spike] =
        ["limit_percentage", "spike_limit_percentage"].map(|key| limiter[key].as_u64().unwrap());
    assert!(limit <= 80 && spike < limit, "{limit} {spike}: it would be killed first");
    assert!(limiter["check_interval"].as_str().is_some_and(|interval| interval != "0s"), "it never looks");
}

#[test]
fn what_cannot_be_sent_is_kept_on_disk_for_as_long_as_there_is_room() {
    let config = yaml(COLLECTOR);
    let mut sending = 0;
    for (name, exporter) in config["exporters"].as_object().unwrap() {
        if exporter["endpoint"].as_str().unwrap().starts_with("0.0.0.0:") {
            continue;
        }
        let queue = &exporter["sending_queue"];
        let storage = queue["storage"].as_str().unwrap_or_else(|| panic!("{name}: lost at a restart"));
        assert!(names(&config["service"]["extensions"]).contains(&storage), "{name}: {storage}");
        assert!(queue["queue_size"].as_u64().is_some_and(|size| size <= 5000), "{name}: without bound");
        assert!(queue["batch"].is_object(), "{name}: each request alone");
        assert_eq!(exporter["retry_on_failure"]["max_elapsed_time"], "0s", "{name}: given up after minutes");
        sending += 1;
    }
    assert_eq!(sending, 2);
    assert_eq!(config["extensions"]["file_storage"]["create_directory"], true, "a new volume is empty");
}

#[test]
fn metrics_of_spans_are_bounded_and_lead_to_traces() {
    let config = yaml(COLLECTOR);
    let spans = &config["connectors"]["span_metrics"];
    assert_eq!(spans["exemplars"]["enabled"], true);
    assert_eq!(spans["histogram"]["unit"], "s", "Prometheus counts in seconds");
    for (place, expiration) in [
        ("span_metrics", &spans["metrics_expiration"]),
        ("prometheus", &config["exporters"]["prometheus"]["metric_expiration"]),
    ] {
        assert!(expiration.as_str().is_some_and(|text| !text.starts_with('0')), "{place}: never forgotten");
    }
    assert!(spans["aggregation_cardinality_limit"].as_u64().is_some_and(|limit| limit > 0), "without bound");
    let dimensions = spans["dimensions"].as_array().cloned().unwrap_or_default();
    for dimension in dimensions {
        let name = dimension["name"].as_str().unwrap();
        assert!(DIMENSIONS.contains(&name), "{name} is not known to be a closed set");
    }
    assert!(
        names(&spans["exclude_dimensions"]).contains(&"collector.instance.id"),
        "new series with each start"
    );
    let exporter = &config["exporters"]["prometheus"];
    assert_eq!(exporter["enable_open_metrics"], true, "the other format has no exemplars");
    let deleted: Vec<_> = config["processors"]["resource"]["attributes"].as_array().unwrap().iter().collect();
    for key in ["service.instance.id", "service.version"] {
        let is_gone = deleted.iter().any(|entry| entry["key"] == key && entry["action"] == "delete");
        assert!(is_gone, "{key}: new series with each start");
    }
}

fn patterns(key: &str) -> Vec<Regex> {
    let config = yaml(COLLECTOR);
    let patterns = names(&config["processors"]["redaction"][key])
        .into_iter()
        .map(|pattern| Regex::new(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}")))
        .collect::<Vec<_>>();
    assert!(!patterns.is_empty(), "nothing is struck out");
    patterns
}

#[test]
fn what_looks_personal_is_struck_out_and_what_we_say_ourselves_is_not() {
    let (keys, values) = (patterns("blocked_key_patterns"), patterns("blocked_values"));
    let is_hit = |patterns: &[Regex], text: &str| patterns.iter().any(|pattern| pattern.is_match(text));
    for key in [
        "user.email",
        "http.request.header.Authorization",
        "db.password",
        "api_key",
        "Cookie",
        "phone_number",
    ] {
        assert!(is_hit(&keys, key), "{key} goes through");
    }
    for value in [
        "sent to Ada.Lovelace+x@example.co.uk today",
        "card 4111111111111111 refused",
        "5500005555555559",
        "Bearer eyJhbGciOi.J9",
        "postgresql://headwater:s3cret@db/x",
    ] {
        assert!(is_hit(&values, value), "{value} goes through");
    }
    for key in OURS {
        assert!(!is_hit(&keys, key), "{key} is struck out");
    }
    for value in [
        "POST /v1/orders",
        "order-05b2f9d1-fcbf-599f-bf56-bf6cedb93bff",
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "SELECT * FROM orders WHERE id = $1",
        "1764216000000000000",
        "http://payment.example:8090/authorize",
        "esdb://eventstore:2113?tls=false",
    ] {
        assert!(!is_hit(&values, value), "{value} is struck out");
    }
    let redaction = &yaml(COLLECTOR)["processors"]["redaction"];
    assert_eq!(redaction["allow_all_keys"], true, "else every attribute is dropped");
}
