//! Prometheus asks everybody, by the names that rules and dashboards ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use regex::Regex;
use serde_json::Value;

use super::addresses::flag;
use super::{PROMETHEUS, names, own_services, services, text, yaml};
use crate::root;

/// Jobs that ask a service of another name, and which.
const ASKS: &[(&str, &str)] =
    &[("postgres", "postgres_exporter"), ("otel-collector", "collector"), ("span-metrics", "collector")];

/// Services that no job asks, and why.
const NOT_ASKED: &[(&str, &str)] = &[("postgres", "it has no metrics of its own; its exporter is asked")];

/// The jobs with the services that they ask.
fn jobs() -> BTreeMap<String, BTreeSet<String>> {
    let config = yaml(PROMETHEUS);
    let all = config["scrape_configs"].as_array().unwrap();
    let jobs: BTreeMap<_, _> =
        all.iter().map(|job| (job["job_name"].as_str().unwrap().to_owned(), asked(job))).collect();
    assert_eq!(jobs.len(), all.len(), "a job twice");
    jobs
}

fn asked(job: &Value) -> BTreeSet<String> {
    let fixed = job["static_configs"].as_array().cloned().unwrap_or_default();
    let fixed = fixed
        .iter()
        .flat_map(|one| names(&one["targets"]))
        .map(|target| target.split(':').next().unwrap().to_owned())
        .collect::<Vec<_>>();
    let looked_up = job["dns_sd_configs"].as_array().cloned().unwrap_or_default();
    let looked_up =
        looked_up.iter().flat_map(|one| names(&one["names"])).map(str::to_owned).collect::<Vec<_>>();
    fixed.into_iter().chain(looked_up).collect()
}

#[test]
fn everybody_is_asked() {
    let jobs = jobs();
    let all: BTreeSet<_> = jobs.values().flatten().cloned().collect();
    let mut expected: BTreeSet<_> = services().into_keys().collect();
    for (name, _) in NOT_ASKED {
        assert!(expected.remove(*name));
    }
    assert_eq!(all, expected, "services that are asked, and those that there are");
    for (job, asks) in &jobs {
        let service = ASKS.iter().find(|(name, _)| name == job).map_or(job.as_str(), |(_, service)| service);
        let service = service.strip_prefix("headwater-").unwrap_or(service);
        assert_eq!(*asks, BTreeSet::from([service.to_owned()]), "{job}");
    }
}

#[test]
fn our_own_jobs_are_named_like_the_service_in_traces_and_logs() {
    let serve = text("cli/src/commands/serve.rs");
    let jobs = jobs();
    for name in own_services().into_keys() {
        let job = format!("headwater-{name}");
        assert!(jobs.contains_key(&job), "no job {job}, by which alerts know {name}");
        assert!(serve.contains(&format!("\"{job}\"")), "the role {name} calls itself otherwise");
    }
    let own = jobs.keys().filter(|job| job.starts_with("headwater")).count();
    assert_eq!(own, own_services().len(), "alerts take a job that begins with headwater for one of ours");
}

#[test]
fn the_log_that_is_not_there_is_not_down() {
    let config = yaml(PROMETHEUS);
    let services = services();
    for job in config["scrape_configs"].as_array().unwrap() {
        let fixed: Vec<_> = job["static_configs"].as_array().cloned().unwrap_or_default();
        for target in fixed.iter().flat_map(|one| names(&one["targets"])) {
            let service = &services[target.split(':').next().unwrap()];
            let profiles = names(&service["profiles"]);
            assert!(
                profiles.is_empty() || profiles == ["telemetry"],
                "{target} may not be there, and is down then"
            );
        }
        for looked_up in job["dns_sd_configs"].as_array().cloned().unwrap_or_default() {
            let port = looked_up["port"].as_u64().unwrap();
            for name in names(&looked_up["names"]) {
                assert!(super::listening()[name].contains(&port), "{name} does not listen on {port}");
            }
        }
    }
}

/// Everything that asks Prometheus: rules and dashboards.
fn asking() -> String {
    let mut all = String::new();
    for folder in ["observability/pipeline/prometheus/rules", "dashboards/grafana"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            all += &fs::read_to_string(entry.unwrap().path()).unwrap().replace("\\\"", "\"");
        }
    }
    all
}

#[test]
fn jobs_that_rules_and_dashboards_name_are_scraped() {
    let pattern = Regex::new(r#"\bjob(=~|!=|=|!~)"([^"]+)""#).unwrap();
    let (asking, jobs) = (asking(), jobs());
    let mut named = BTreeSet::new();
    for found in pattern.captures_iter(&asking) {
        named.extend(found[2].split('|').filter(|job| *job != "$job").map(str::to_owned));
    }
    assert!(named.contains("headwater.*"), "{named:?}: the reading is broken");
    for job in named {
        let job_pattern = Regex::new(&format!("^(?:{job})$")).unwrap();
        assert!(jobs.keys().any(|scraped| job_pattern.is_match(scraped)), "no job {job}");
    }
}

#[test]
fn what_rules_look_back_on_is_still_there() {
    let pattern = Regex::new(r"\[([0-9]+)d\]").unwrap();
    let longest =
        pattern.captures_iter(&asking()).map(|found| found[1].parse::<u64>().unwrap()).max().unwrap();
    let kept = flag(&services()["prometheus"], "--storage.tsdb.retention.time");
    let kept: u64 = kept.strip_suffix('d').unwrap().parse().unwrap();
    assert!(kept > longest, "rules look back {longest} days, and {kept} are kept");
    assert_eq!(flag(&services()["prometheus"], "--enable-feature"), "exemplar-storage");
    assert!(yaml(PROMETHEUS)["storage"]["exemplars"]["max_exemplars"].as_u64().is_some_and(|most| most > 0));
}

#[test]
fn the_rules_are_those_of_a_machine_without_containers() {
    let here = yaml("observability/pipeline/prometheus/prometheus.yml");
    for key in ["rule_files", "global"] {
        assert_eq!(yaml(PROMETHEUS)[key], here[key], "{key}");
    }
    // Later versions know more; the tests run 2.42, and so may people.
    let known = ["global", "rule_files", "scrape_configs", "storage", "alerting"];
    for key in names(&yaml(PROMETHEUS)) {
        assert!(known.contains(&key), "{key}");
    }
}

#[test]
fn metrics_of_spans_belong_to_the_service_that_made_them() {
    let config = yaml(PROMETHEUS);
    let job = config["scrape_configs"]
        .as_array()
        .unwrap()
        .iter()
        .find(|job| job["job_name"] == "span-metrics")
        .unwrap();
    let steps = job["metric_relabel_configs"].as_array().unwrap();
    let named = steps
        .iter()
        .any(|step| step["target_label"] == "job" && names(&step["source_labels"]) == ["service_name"]);
    assert!(named, "dashboards pick by job");
    let dropped = steps.iter().find(|step| step["action"] == "labeldrop").unwrap();
    let pattern = Regex::new(&format!("^(?:{})$", dropped["regex"].as_str().unwrap())).unwrap();
    assert!(
        pattern.is_match("exported_job") && pattern.is_match("exported_instance") && !pattern.is_match("job")
    );
}
