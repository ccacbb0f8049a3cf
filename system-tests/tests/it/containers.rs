//! What the containers are told, by the programs that are told it. Whether it fits together is tested beside the dashboards.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command as Process;

use clap::Parser as _;
use cli::args::{Cli, Command, Given, HealthFlags, Role};
use cli::config::{Environment, resolve};
use serde_json::Value;

use crate::root;

fn services() -> Vec<(String, Value)> {
    let text = std::fs::read_to_string(root().join("docker-compose.yml")).unwrap();
    let compose: Value = serde_saphyr::from_str(&text).unwrap();
    let all = compose["services"].as_object().unwrap();
    let own = all.iter().filter(|(_, service)| service["image"].as_str().unwrap().starts_with("headwater:"));
    own.map(|(name, service)| (name.clone(), service.clone())).collect()
}

/// A service's environment, with the defaults of what nobody has set, and a data directory as the image has one.
fn environment(service: &Value, data: &Path) -> BTreeMap<String, String> {
    let pattern = regex::Regex::new(r"\$\{[A-Z_]+:-([^}]*)\}").unwrap();
    let all = service["environment"].as_object().unwrap();
    let value = |value: &Value| pattern.replace_all(value.as_str().unwrap(), "$1").into_owned();
    let told = all.iter().map(|(name, text)| (name.clone(), value(text)));
    told.chain([("HEADWATER_DATA_DIR".to_owned(), data.display().to_string())]).collect()
}

fn given(command: Command) -> Given {
    match command {
        Command::Serve(Role::Commands(flags)) => flags.into(),
        Command::Serve(Role::Sandbox(flags)) => flags.all.into(),
        Command::Serve(
            Role::Projections(flags) | Role::Sagas(flags) | Role::Queries(flags) | Role::Node(flags),
        ) => flags.into(),
        other => panic!("not a role: {other:?}"),
    }
}

#[test]
fn every_service_of_ours_takes_its_command_line_and_its_environment() {
    let (services, data) = (services(), tempfile::tempdir().unwrap());
    assert_eq!(services.len(), 6, "the compose file was read wrongly");
    for (name, service) in services {
        let words = service["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap());
        let cli = Cli::try_parse_from(["headwater"].into_iter().chain(words));
        let cli = cli.unwrap_or_else(|error| panic!("{name}: {error}"));
        let environment = environment(&service, data.path());
        let variable = |name: &str| environment.get(name).cloned();
        let environment = Environment { variable: &variable, is_root: false };
        let config =
            resolve(&given(cli.command), &environment).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!config.needs_sandbox(), "{name} looks for a sandbox in its own container");
        assert!(config.eventstore.is_some(), "{name} looks for a node in its own container");
        for listen in [config.listen, config.admin_listen, config.node_listen, config.sandbox_listen] {
            assert!(listen.ip().is_unspecified(), "{name}: nobody else in a container reaches {listen}");
        }
        let health = resolve(&HealthFlags::default().into(), &environment).unwrap();
        assert_eq!(health.admin_listen, config.admin_listen, "{name}: its health is asked elsewhere");
    }
}

/// Docker's own plugin, or the older program that Debian has.
#[test]
fn the_compose_file_is_one_to_compose_itself() {
    if std::env::var_os("HEADWATER_LONG_TESTS").is_none() {
        return;
    }
    let run = |program: &str, before: &[&str], arguments: &[&str]| {
        Process::new(program).args(before).args(arguments).current_dir(root()).output()
    };
    let has_plugin = run("docker", &["compose"], &["version"]).is_ok_and(|said| said.status.success());
    let (program, before): (_, &[&str]) =
        if has_plugin { ("docker", &["compose"]) } else { ("docker-compose", &[]) };
    let said = run(program, before, &["config", "--services"]).expect("`./hw test --long` installs it");
    let error = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{error}");
    let services = String::from_utf8_lossy(&said.stdout);
    for name in ["commands", "postgres", "node", "collector"] {
        assert!(services.lines().any(|line| line == name), "{name} is missing: {services}");
    }
}
