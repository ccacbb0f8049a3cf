//! Whichever profiles are on, nobody waits for somebody who is not there or can never be healthy.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{PAGE, names, services, text};

/// The sets of profiles that are worth starting.
const STARTED: &[&[&str]] =
    &[&[], &["node"], &["kurrentdb"], &["telemetry"], &["node", "telemetry"], &["kurrentdb", "telemetry"]];

fn is_on(service: &Value, profiles: &[&str]) -> bool {
    let of_service = names(&service["profiles"]);
    of_service.is_empty() || of_service.iter().any(|profile| profiles.contains(profile))
}

/// Whom a service waits for, and for what.
fn waits_for(service: &Value) -> BTreeMap<String, String> {
    let Some(all) = service["depends_on"].as_object() else {
        assert!(service["depends_on"].is_null(), "say what is waited for");
        return BTreeMap::new();
    };
    let condition = |value: &Value| value["condition"].as_str().unwrap().to_owned();
    all.iter().map(|(name, value)| (name.clone(), condition(value))).collect()
}

#[test]
fn who_is_waited_for_is_there_and_can_be_what_is_waited_for() {
    let services = services();
    let mut waited = 0;
    for profiles in STARTED {
        let on: BTreeMap<_, _> = services.iter().filter(|(_, service)| is_on(service, profiles)).collect();
        for (name, service) in &on {
            for (other, condition) in waits_for(service) {
                let other_service =
                    on.get(&other).unwrap_or_else(|| panic!("{name} waits for {other}: {profiles:?}"));
                assert_eq!(condition, "service_healthy", "{name}: started is not ready");
                assert!(
                    !other_service["healthcheck"].is_null(),
                    "{other} is never healthy, and {name} waits for that"
                );
                assert!(waits_for(other_service).is_empty(), "{name} waits for {other}, which waits itself");
                waited += 1;
            }
        }
    }
    assert!(waited > 10, "{waited}: the reading is broken");
}

#[test]
fn the_profiles_are_known_and_told_of() {
    let services = services();
    let profiles: BTreeSet<_> = services.values().flat_map(|service| names(&service["profiles"])).collect();
    assert_eq!(profiles, BTreeSet::from(["kurrentdb", "node", "telemetry"]));
    let page = text(PAGE);
    for profile in &profiles {
        assert!(page.contains(&format!("`{profile}`")), "{PAGE} does not say what {profile} is");
    }
    let file = text(".env");
    let chosen = file.lines().find_map(|line| line.strip_prefix("COMPOSE_PROFILES=")).unwrap();
    let chosen: Vec<_> = chosen.split(',').collect();
    assert!(STARTED.contains(&&chosen[..]), "{chosen:?}");
    let endpoint = file.lines().find_map(|line| line.strip_prefix("OTEL_EXPORTER_OTLP_ENDPOINT=")).unwrap();
    assert_eq!(
        endpoint.is_empty(),
        !chosen.contains(&"telemetry"),
        "traces go to a collector that is not there"
    );
}

#[test]
fn without_the_pipeline_nothing_else_misses_it() {
    let beside = ["collector", "prometheus", "loki", "tempo", "grafana", "postgres_exporter"];
    for (name, service) in services() {
        let is_telemetry = names(&service["profiles"]) == ["telemetry"];
        assert_eq!(is_telemetry, beside.contains(&name.as_str()), "{name}");
        if !is_telemetry {
            let mut told = Vec::new();
            super::strings(&service["environment"], &mut told);
            for text in told {
                let names_one = beside.iter().any(|other| text.contains(&format!("//{other}:")));
                assert!(!names_one, "{name} is told of the pipeline, which may be left out: {text}");
            }
        }
    }
}
