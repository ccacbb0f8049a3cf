//! Whatever one service is told of another is true: names, ports, files, folders.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::{
    COLLECTOR, COMPOSE, DATASOURCES, LOKI, PAGE, PROMETHEUS, PROVIDERS, TEMPO, listening, names,
    own_services, services, strings, text, unset, yaml,
};
use crate::root;

/// Every `name:port` in a text, but for addresses of this machine.
fn hosts(text: &str) -> Vec<(String, u64)> {
    let pattern = regex::Regex::new(r"([A-Za-z][A-Za-z0-9_-]*):([0-9]{2,5})\b").unwrap();
    let found = pattern.captures_iter(text).map(|found| (found[1].to_owned(), found[2].parse().unwrap()));
    found.filter(|(host, _)| host != "localhost").collect()
}

/// The values of the compose file in which a service may be named.
fn told() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (name, service) in services() {
        for part in ["environment", "command", "healthcheck"] {
            let mut found = Vec::new();
            strings(&service[part], &mut found);
            all.extend(found.into_iter().map(|text| (format!("{COMPOSE}: {name}"), unset(&text))));
        }
    }
    for path in [COLLECTOR, PROMETHEUS, LOKI, TEMPO, DATASOURCES] {
        let mut found = Vec::new();
        strings(&yaml(path), &mut found);
        all.extend(found.into_iter().map(|text| (path.to_owned(), text)));
    }
    all.extend(text(".env").lines().map(|line| (".env".to_owned(), line.to_owned())));
    all
}

#[test]
fn every_address_is_of_a_service_that_listens_there() {
    let mut listening = listening();
    let services = services();
    for (name, service) in &services {
        for alias in names(&service["networks"]["default"]["aliases"]) {
            let ports = listening[name].clone();
            listening.entry(alias.to_owned()).or_default().extend(ports);
        }
    }
    let mut checked = 0;
    for (place, text) in told() {
        for (host, port) in hosts(&text) {
            let ports = listening.get(&host).unwrap_or_else(|| panic!("{place}: no service {host}: {text}"));
            assert!(ports.contains(&port), "{place}: {host} does not listen on {port}: {text}");
            checked += 1;
        }
    }
    assert!(checked > 40, "only {checked} addresses: the reading is broken");
}

#[test]
fn both_logs_answer_to_the_name_that_the_roles_ask_for() {
    let services = services();
    for (name, service) in own_services() {
        let url = super::variable(&service, "HEADWATER_EVENTSTORE").unwrap();
        let (host, port) = hosts(&url).remove(0);
        for log in ["node", "kurrentdb"] {
            assert!(
                names(&services[log]["networks"]["default"]["aliases"]).contains(&host.as_str()),
                "{name} asks {host}, which {log} does not answer to"
            );
            assert!(listening()[log].contains(&port), "{name}: {log} does not listen on {port}");
        }
    }
}

#[test]
fn ports_are_published_on_this_machine_only_and_each_once() {
    let (listening, mut taken) = (listening(), BTreeSet::new());
    for (name, service) in services() {
        for mapping in names(&service["ports"]) {
            let parts: Vec<_> = mapping.split(':').collect();
            let [address, host, container] = parts[..] else { panic!("{name}: {mapping}") };
            assert_eq!(
                address, "127.0.0.1",
                "{name}: nobody has to log in, so only this machine may reach {mapping}"
            );
            assert!(
                listening[&name].contains(&container.parse().unwrap()),
                "{name} does not listen on {container}"
            );
            // Of the two logs only one can be there, and the one port keeps them from being both.
            assert!(taken.insert(host.to_owned()) || host == "2113", "{name}: {host} is taken already");
        }
    }
    assert!(taken.len() > 12, "{taken:?}");
}

#[test]
fn every_file_and_volume_that_is_mounted_is_there_and_in_use() {
    let declared: BTreeSet<_> = names(&yaml(COMPOSE)["volumes"]).into_iter().map(str::to_owned).collect();
    let mut used = BTreeSet::new();
    for (name, service) in services() {
        let mut targets = BTreeSet::new();
        for mount in names(&service["volumes"]) {
            let parts: Vec<_> = mount.split(':').collect();
            assert!(targets.insert(parts[1].to_owned()), "{name}: {} twice", parts[1]);
            if let Some(path) = parts[0].strip_prefix("./") {
                assert!(root().join(path).exists(), "{name}: there is no {path}");
                assert_eq!(parts.get(2), Some(&"ro"), "{name}: {mount} is ours to change, not its");
            } else {
                assert!(declared.contains(parts[0]), "{name}: the volume {} is not declared", parts[0]);
                used.insert(parts[0].to_owned());
            }
        }
    }
    assert_eq!(declared, used, "volumes that are declared, and those in use");
}

/// Where a file of this repository stands in the container of a service, by its mounts.
fn inside(service: &Value, path: &str) -> Option<String> {
    names(&service["volumes"]).into_iter().find_map(|mount| {
        let (source, rest) = mount.strip_prefix("./")?.split_once(':')?;
        let below = path.strip_prefix(source)?;
        Some(format!("{}{below}", rest.split(':').next()?))
    })
}

#[test]
fn every_program_is_started_with_its_configuration() {
    let services = services();
    let configured = [("collector", COLLECTOR), ("prometheus", PROMETHEUS), ("loki", LOKI), ("tempo", TEMPO)];
    for (name, path) in configured {
        let service = &services[name];
        let there = inside(service, path).unwrap_or_else(|| panic!("{name}: {path} is not mounted"));
        let is_named = names(&service["command"]).iter().any(|word| word.ends_with(&format!("={there}")));
        assert!(is_named, "{name} is not told of {there}");
    }
    let grafana = &services["grafana"];
    for (path, there) in [
        (DATASOURCES, "/etc/grafana/provisioning/datasources/headwater.yml"),
        (PROVIDERS, "/etc/grafana/provisioning/dashboards/headwater.yml"),
    ] {
        assert_eq!(inside(grafana, path).as_deref(), Some(there));
    }
    let dashboards = inside(grafana, "dashboards/grafana").unwrap();
    assert_eq!(yaml(PROVIDERS)["providers"][0]["options"]["path"], dashboards.as_str());
    let home = super::variable(grafana, "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH").unwrap();
    let home = home.strip_prefix(&dashboards).unwrap();
    assert!(root().join(format!("dashboards/grafana{home}")).exists(), "there is no {home}");
}

#[test]
fn folders_that_programs_keep_things_in_are_volumes() {
    let services = services();
    let kept: &[(&str, Value)] = &[
        ("collector", yaml(COLLECTOR)["extensions"]["file_storage"]["directory"].clone()),
        ("collector", yaml(COLLECTOR)["extensions"]["file_storage"]["compaction"]["directory"].clone()),
        ("loki", yaml(LOKI)["common"]["storage"]["filesystem"]["chunks_directory"].clone()),
        ("loki", yaml(LOKI)["common"]["path_prefix"].clone()),
        ("loki", yaml(LOKI)["compactor"]["working_directory"].clone()),
        ("tempo", yaml(TEMPO)["storage"]["trace"]["wal"]["path"].clone()),
        ("tempo", yaml(TEMPO)["storage"]["trace"]["local"]["path"].clone()),
        ("prometheus", flag(&services["prometheus"], "--storage.tsdb.path").into()),
    ];
    for (name, folder) in kept {
        let folder = folder.as_str().unwrap_or_else(|| panic!("{name}: no folder"));
        let mounts = names(&services[*name]["volumes"]);
        let is_kept = mounts.iter().any(|mount| {
            let target = mount.split(':').nth(1).unwrap();
            !mount.starts_with("./") && (folder == target || folder.starts_with(&format!("{target}/")))
        });
        assert!(is_kept, "{name}: {folder} is lost with the container");
    }
}

/// The value of a flag of a service's command.
pub(super) fn flag(service: &Value, name: &str) -> String {
    let value =
        names(&service["command"]).into_iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    value.unwrap_or_else(|| panic!("no {name}")).to_owned()
}

#[test]
fn every_variable_that_can_be_set_is_explained() {
    let pattern = regex::Regex::new(r"\$\{([A-Z_]+)").unwrap();
    let (compose, page) = (text(COMPOSE), text(PAGE));
    let settable: BTreeSet<_> = pattern.captures_iter(&compose).map(|found| found[1].to_owned()).collect();
    assert!(settable.len() > 6, "{settable:?}");
    for name in settable {
        assert!(page.contains(&format!("`{name}`")), "{PAGE} does not say what {name} is for");
    }
}

#[test]
fn every_file_of_the_pipeline_can_be_read() {
    let mut folders = vec![root().join("observability/pipeline")];
    let mut read = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let path = path.strip_prefix(root()).unwrap().to_str().unwrap();
                assert!(path.ends_with(".yml"), "{path}: what is it?");
                assert!(yaml(path).is_object(), "{path} says nothing");
                read += 1;
            }
        }
    }
    assert!(read >= 9, "only {read} files");
}
