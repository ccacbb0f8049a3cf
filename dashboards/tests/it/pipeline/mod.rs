//! The containers and the telemetry pipeline, checked as they are written: no container engine is needed, and none is asked.

mod addresses;
mod collector;
mod containers;
mod grafana;
mod image;
mod profiles;
mod scrape;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use crate::root;

/// The compose file, from the top.
const COMPOSE: &str = "docker-compose.yml";

const COLLECTOR: &str = "observability/pipeline/collector/config.yml";
const PROMETHEUS: &str = "observability/pipeline/prometheus/compose.yml";
const LOKI: &str = "observability/pipeline/loki/config.yml";
const TEMPO: &str = "observability/pipeline/tempo/config.yml";
const DATASOURCES: &str = "observability/pipeline/grafana/provisioning/datasources/headwater.yml";
const PROVIDERS: &str = "observability/pipeline/grafana/provisioning/dashboards/headwater.yml";

/// The page for operators.
const PAGE: &str = "docs/pipeline.md";

/// Ports on which a service listens when its configuration does not say.
const DEFAULT_PORTS: &[(&str, u64)] =
    &[("postgres", 5432), ("prometheus", 9090), ("grafana", 3000), ("postgres_exporter", 9187)];

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A file of YAML, with its merges and aliases carried out; a key that stands twice is an error.
fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The services of the compose file by name.
fn services() -> BTreeMap<String, Value> {
    let compose = yaml(COMPOSE);
    let services = compose["services"].as_object().unwrap();
    assert!(services.len() > 10, "the compose file was read wrongly");
    services.iter().map(|(name, service)| (name.clone(), service.clone())).collect()
}

/// Those that run our own binary.
fn own_services() -> BTreeMap<String, Value> {
    services().into_iter().filter(|(_, service)| image(service).starts_with("headwater:")).collect()
}

fn image(service: &Value) -> &str {
    service["image"].as_str().unwrap()
}

/// The strings of a list, or the keys of an object; empty when there is neither.
fn names(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        Value::Object(map) => map.keys().map(String::as_str).collect(),
        _ => Vec::new(),
    }
}

/// A value with `${NAME:-default}` and `${NAME:-}` worked out as for somebody who has set nothing.
fn unset(value: &str) -> String {
    let mut out = String::new();
    let mut rest = value;
    while let Some((before, behind)) = rest.split_once("${") {
        let (inside, after) = behind.split_once('}').unwrap();
        out += before;
        out += inside.split_once(":-").unwrap_or_else(|| panic!("{value}: no default")).1;
        rest = after;
    }
    out + rest
}

/// A variable of a service's environment, as for somebody who has set nothing.
fn variable(service: &Value, name: &str) -> Option<String> {
    service["environment"][name].as_str().map(unset)
}

/// The port at the end of an address.
fn port(address: &str) -> u64 {
    address.rsplit(':').next().unwrap().parse().unwrap_or_else(|_| panic!("{address}: no port"))
}

/// Every string in a value.
fn strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(list) => list.iter().for_each(|value| strings(value, found)),
        Value::Object(map) => map.values().for_each(|value| strings(value, found)),
        _ => {}
    }
}

/// The ports on which each service listens, as its configuration says.
fn listening() -> BTreeMap<String, BTreeSet<u64>> {
    let mut ports: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    let mut add = |name: &str, port: u64| assert!(ports.entry(name.to_owned()).or_default().insert(port));
    for (name, service) in own_services() {
        let listen =
            |setting: &str| port(&variable(&service, &format!("HEADWATER_{setting}_LISTEN")).unwrap());
        add(&name, listen("ADMIN"));
        match name.as_str() {
            "commands" | "queries" => add(&name, port(&variable(&service, "HEADWATER_LISTEN").unwrap())),
            "node" => add(&name, listen("NODE")),
            "sandbox" => add(&name, listen("SANDBOX")),
            _ => {}
        }
    }
    let kurrentdb = variable(&services()["kurrentdb"], "KURRENTDB_NODE_PORT");
    add("kurrentdb", kurrentdb.unwrap().parse().unwrap());
    let collector = yaml(COLLECTOR);
    let mut own = Vec::new();
    for part in ["receivers", "exporters", "extensions"] {
        strings(&collector[part], &mut own);
    }
    for address in own.iter().filter(|address| address.starts_with("0.0.0.0:")) {
        add("collector", port(address));
    }
    let telemetry =
        &collector["service"]["telemetry"]["metrics"]["readers"][0]["pull"]["exporter"]["prometheus"];
    assert_eq!(telemetry["host"], "0.0.0.0", "nobody else in a container reaches loopback");
    add("collector", telemetry["port"].as_u64().unwrap());
    add("loki", yaml(LOKI)["server"]["http_listen_port"].as_u64().unwrap());
    let tempo = yaml(TEMPO);
    add("tempo", tempo["server"]["http_listen_port"].as_u64().unwrap());
    let otlp = &tempo["distributor"]["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"];
    assert!(otlp.as_str().unwrap().starts_with("0.0.0.0:"), "nobody else in a container reaches loopback");
    add("tempo", port(otlp.as_str().unwrap()));
    for (name, port) in DEFAULT_PORTS {
        add(name, *port);
    }
    ports
}
