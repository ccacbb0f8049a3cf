//! What each container is made of: image, memory, health, settings.

use std::collections::BTreeSet;

use serde_json::Value;

use super::image::DATA;
use super::{PAGE, image, names, own_services, services, text, unset, variable};

/// Images whose releases have two numbers; of all others a tag with two follows the newest release.
const TWO_NUMBERS: &[&str] = &["postgres"];

/// The programs in an image by which its health can be asked, read in what builds the image.
const PROGRAMS: &[(&str, &[&str])] = &[
    ("headwater", &["headwater"]),
    ("postgres", &["pg_isready"]),
    ("docker.kurrent.io/kurrent-lts/kurrentdb", &["curl"]),
    ("prom/prometheus", &["promtool"]),
    ("grafana/loki", &["/usr/bin/loki"]),
    ("grafana/grafana", &["curl"]),
];

/// Services without a health check, and why.
const WITHOUT_HEALTH: &[(&str, &str)] = &[
    ("collector", "nothing in the image but the collector, which cannot ask itself"),
    ("tempo", "nothing in the image but Tempo, which cannot ask itself"),
    ("postgres_exporter", "nobody waits for it, and Prometheus sees whether it is up"),
];

/// Images of programs in Go, which take more memory than they have unless told how much that is.
const GO: &[&str] = &[
    "otel/opentelemetry-collector-contrib",
    "prom/prometheus",
    "grafana/loki",
    "grafana/tempo",
    "grafana/grafana",
    "prometheuscommunity/postgres-exporter",
];

/// Standard variables that the binary understands.
const STANDARD: &[&str] = &[
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
    "OTEL_RESOURCE_ATTRIBUTES",
];

/// The name of an image, and its tag.
pub(super) fn parts(image: &str) -> (&str, &str) {
    image.rsplit_once(':').unwrap_or_else(|| panic!("{image}: no version"))
}

/// The numbers that a tag begins with.
pub(super) fn version(tag: &str) -> Vec<u64> {
    let numbers = tag.trim_start_matches('v').split('-').next().unwrap().split('.');
    numbers.map(|number| number.parse().unwrap_or_else(|_| panic!("{tag} is no version"))).collect()
}

/// Bytes, from Docker's or Go's way of writing them.
fn bytes(text: &str) -> u64 {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "M" | "MiB" => 1 << 20,
        "G" | "GiB" => 1 << 30,
        other => panic!("{text}: {other}"),
    };
    digits.parse::<u64>().unwrap() * unit
}

fn limit(name: &str, service: &Value) -> String {
    let limit = service["deploy"]["resources"]["limits"]["memory"].as_str();
    limit.unwrap_or_else(|| panic!("{name} may take all memory")).to_owned()
}

#[test]
fn images_are_those_of_one_release() {
    for (name, service) in services() {
        let (image, tag) = parts(image(&service));
        let numbers = version(tag).len();
        let wanted = if TWO_NUMBERS.contains(&image) { 2 } else { 3 };
        assert!(numbers >= wanted, "{name}: {tag} is another image tomorrow");
    }
    let workspace = text("Cargo.toml");
    for (name, service) in own_services() {
        let (_, tag) = parts(image(&service));
        assert!(workspace.contains(&format!("version = \"{tag}\"")), "{name}: this is not release {tag}");
        assert_eq!(service["build"], ".", "{name}");
    }
}

#[test]
fn memory_is_bounded_and_programs_in_go_know_how_much_there_is() {
    let page = text(PAGE);
    for (name, service) in services() {
        let limit = limit(&name, &service);
        let told =
            page.lines().any(|line| line.starts_with(&format!("| `{name}` |")) && line.contains(&limit));
        assert!(told, "{PAGE} does not say that {name} takes {limit} at most");
        let go = service["environment"]["GOMEMLIMIT"].as_str();
        assert_eq!(go.is_some(), GO.contains(&parts(image(&service)).0), "{name}");
        if let Some(go) = go {
            let share = bytes(go) as f64 / bytes(&limit) as f64;
            assert!((0.75..0.85).contains(&share), "{name}: {share} of the limit");
        }
    }
}

#[test]
fn a_health_check_asks_by_a_program_that_the_image_has() {
    for (name, service) in services() {
        let reason = WITHOUT_HEALTH.iter().find(|(without, _)| *without == name);
        let Some(test) = service["healthcheck"]["test"].as_array() else {
            assert!(reason.is_some(), "{name}: no health check, and no reason");
            continue;
        };
        assert!(reason.is_none(), "{name} has one, though it cannot");
        let (image, _) = parts(image(&service));
        let has = PROGRAMS.iter().find(|(known, _)| *known == image).map_or(&[][..], |(_, has)| *has);
        assert_eq!(test[0], "CMD", "{name}: a shell is not in every image");
        let program = test[1].as_str().unwrap();
        assert!(has.contains(&program), "{name}: {image} is not known to have {program}");
        for key in ["interval", "timeout", "retries", "start_period"] {
            assert!(!service["healthcheck"][key].is_null(), "{name}: no {key}");
        }
    }
}

#[test]
fn containers_come_back_and_gain_no_rights() {
    for (name, service) in services() {
        assert_eq!(service["restart"], "unless-stopped", "{name}");
        assert_eq!(service["logging"]["driver"], "local", "{name}: its lines fill the disk");
        assert_eq!(names(&service["security_opt"]), ["no-new-privileges:true"], "{name}");
        let is_root = service["user"].as_str().is_some_and(|user| user.starts_with('0'));
        let is_bare = names(&service["cap_drop"]) == ["ALL"] && service["read_only"] == true;
        assert!(!is_root || is_bare, "{name}: root, and with its rights");
    }
    for (name, service) in own_services() {
        assert!(names(&service["cap_drop"]) == ["ALL"] && service["read_only"] == true, "{name}");
    }
}

/// The quoted words of the lines that hold a mark.
fn quoted(text: &str, mark: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| line.contains(mark));
    lines.filter_map(|line| Some(line.split('"').nth(1)?.to_owned())).collect()
}

#[test]
fn services_are_told_only_what_the_binary_understands() {
    let setting = text("cli/src/config/setting.rs");
    let variables = setting.split("fn variable(").nth(1).unwrap().split("\n    }\n").next().unwrap();
    let known = quoted(variables, "Setting::");
    assert!(known.len() > 12 && known.contains("DATABASE_URL"), "{known:?}: the reading is broken");
    for (name, service) in own_services() {
        for variable in names(&service["environment"]) {
            assert!(
                known.contains(variable) || STANDARD.contains(&variable),
                "{name}: there is no {variable}"
            );
        }
        assert_eq!(variable(&service, "HEADWATER_ALLOW_UNAUTHENTICATED_NETWORK").as_deref(), Some("true"));
    }
    let exporter = text("observability/src/traces.rs") + &text("observability/src/sampler.rs");
    for variable in &STANDARD[..3] {
        assert!(exporter.contains(variable), "{variable} is asked for by nobody");
    }
}

#[test]
fn there_is_a_service_for_every_role() {
    let arguments = text("cli/src/args.rs");
    let roles = arguments.split("pub enum Role {").nth(1).unwrap().split("\n}\n").next().unwrap();
    let roles: BTreeSet<_> = roles
        .lines()
        .filter_map(|line| Some(line.trim().split_once('(')?.0.to_lowercase()))
        .filter(|role| role.chars().all(|letter| letter.is_ascii_alphabetic()))
        .collect();
    assert!(roles.contains("commands"), "{roles:?}: the reading is broken");
    let services = own_services();
    assert_eq!(roles, services.keys().cloned().collect(), "roles, and services for them");
    for (name, service) in services {
        assert_eq!(names(&service["command"]), ["serve", &name]);
    }
}

#[test]
fn who_needs_the_same_data_has_the_same_volume_and_nobody_else() {
    let volume = |name: &str| {
        let services = services();
        let mounts = names(&services[name]["volumes"]).into_iter().map(str::to_owned).collect::<Vec<_>>();
        let [mount] = &mounts[..] else { panic!("{name}: {mounts:?}") };
        let (volume, target) = mount.split_once(':').unwrap();
        assert_eq!(target, DATA, "{name}");
        volume.to_owned()
    };
    // One file of keys; what one seals the others open.
    assert_eq!(volume("commands"), volume("projections"));
    assert_eq!(volume("commands"), volume("sagas"));
    // A node alone has its directory, and so has a search index.
    let others = BTreeSet::from(["commands", "queries", "sandbox", "node"].map(volume));
    assert_eq!(others.len(), 4, "{others:?}");
}

#[test]
fn postgres_keeps_its_data_where_its_version_looks_for_it() {
    let postgres = &services()["postgres"];
    let (_, tag) = parts(image(postgres));
    let target = if version(tag)[0] >= 18 { "/var/lib/postgresql" } else { "/var/lib/postgresql/data" };
    assert!(
        names(&postgres["volumes"]).iter().any(|mount| mount.ends_with(&format!(":{target}"))),
        "{target}"
    );
    let [user, password, database] =
        ["USER", "PASSWORD", "DB"].map(|name| variable(postgres, &format!("POSTGRES_{name}")).unwrap());
    let url = format!("postgresql://{user}:{password}@postgres:5432/{database}");
    for (name, service) in own_services() {
        assert_eq!(variable(&service, "DATABASE_URL"), Some(url.clone()), "{name}");
    }
    let exporter = &services()["postgres_exporter"];
    assert_eq!(variable(exporter, "DATA_SOURCE_USER"), Some(user));
    assert_eq!(variable(exporter, "DATA_SOURCE_PASS"), Some(password));
    let uri = variable(exporter, "DATA_SOURCE_URI").unwrap();
    assert!(uri.contains(&format!("/{database}?")), "{uri}");
    let asked = names(&postgres["healthcheck"]["test"]).join(" ");
    assert!(
        asked.contains("--host=127.0.0.1"),
        "by its socket it answers while it still sets itself up: {asked}"
    );
}

#[test]
fn a_default_stands_for_what_nobody_has_set() {
    assert_eq!(unset("a${B:-c}d${E:-}"), "acd");
    assert_eq!(version("v1.2.3-slim"), [1, 2, 3]);
    assert_eq!(bytes("2GiB"), bytes("2048M"));
}
