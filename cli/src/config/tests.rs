use std::collections::HashMap;
use std::path::Path;

use super::*;
use crate::args::Given;
use crate::failure::Failure;

struct Case {
    given: Given,
    variables: HashMap<String, String>,
    is_root: bool,
    dir: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let variables = HashMap::from([("HOME".to_owned(), dir.path().to_str().unwrap().to_owned())]);
        Self { given: Given::default(), variables, is_root: false, dir }
    }

    fn flag(mut self, setting: Setting, value: &str) -> Self {
        self.given.settings.push((setting, value.to_owned()));
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// A file that `--config` names.
    fn file(mut self, text: &str) -> Self {
        let path = self.dir.path().join("named.toml");
        std::fs::write(&path, text).unwrap();
        self.given.file = Some(path);
        self
    }

    fn resolve(&self) -> Result<Config, Failure> {
        let variable = |name: &str| self.variables.get(name).cloned();
        resolve(&self.given, &Environment { variable: &variable, is_root: self.is_root })
    }

    fn refused(&self) -> String {
        let failure = self.resolve().unwrap_err();
        assert_eq!(format!("{:?}", failure.exit_code()), format!("{:?}", std::process::ExitCode::from(2)));
        failure.to_string()
    }
}

fn source(config: &Config, setting: Setting) -> Source {
    config.in_force.iter().find(|found| found.setting == setting).unwrap().source.clone()
}

#[test]
fn a_flag_wins_over_the_environment_that_over_the_file_and_that_over_the_default() {
    let case = Case::new();
    let config = case.resolve().unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(source(&config, Setting::Listen), Source::Default);

    let case = case.file("listen = \"127.0.0.1:1\"\nlog-format = \"json\"");
    let config = case.resolve().unwrap();
    assert_eq!((config.listen.port(), config.log_format), (1, LogFormat::Json));
    assert_eq!(source(&config, Setting::Listen), Source::File(case.given.file.clone().unwrap()));

    let case = case.variable("HEADWATER_LISTEN", "127.0.0.1:2");
    let config = case.resolve().unwrap();
    assert_eq!(config.listen.port(), 2);
    assert_eq!(source(&config, Setting::Listen), Source::Environment(Setting::Listen));

    let case = case.flag(Setting::Listen, "127.0.0.1:3");
    let config = case.resolve().unwrap();
    assert_eq!(config.listen.port(), 3);
    assert_eq!(source(&config, Setting::Listen), Source::Flag(Setting::Listen));
    assert_eq!(config.log_format, LogFormat::Json, "what nobody else gives still comes from the file");
}

#[test]
fn an_empty_variable_is_as_good_as_none() {
    assert_eq!(Case::new().variable("DATABASE_URL", "").resolve().unwrap().database_url, None);
}

#[test]
fn the_file_in_the_data_directory_is_read_but_cannot_move_it() {
    let case = Case::new();
    let data_dir = case.dir.path().join("data");
    std::fs::create_dir(&data_dir).unwrap();
    std::fs::write(data_dir.join("headwater.toml"), "node-listen = \"[::1]:5\"").unwrap();
    let case = case.variable("HEADWATER_DATA_DIR", data_dir.to_str().unwrap());
    assert_eq!(case.resolve().unwrap().node_listen.to_string(), "[::1]:5");

    std::fs::write(data_dir.join("headwater.toml"), "data-dir = \"/elsewhere\"").unwrap();
    assert!(case.refused().contains("cannot move the data directory"));
}

#[test]
fn the_data_directory_follows_the_user() {
    let mut case = Case::new();
    assert_eq!(case.resolve().unwrap().data_dir, case.dir.path().join(".local/share/headwater"));
    case = case.variable("XDG_DATA_HOME", "/xdg");
    assert_eq!(case.resolve().unwrap().data_dir, Path::new("/xdg/headwater"));
    case = case.variable("XDG_DATA_HOME", "relative/is/ignored");
    assert_eq!(case.resolve().unwrap().data_dir, case.dir.path().join(".local/share/headwater"));
    case.is_root = true;
    assert_eq!(case.resolve().unwrap().data_dir, Path::new("/var/lib/headwater"));
    case = Case::new();
    case.variables.clear();
    assert!(case.refused().contains("--data-dir"));
}

#[test]
fn an_address_that_others_reach_needs_leave() {
    for (setting, flag) in [
        (Setting::Listen, "--listen"),
        (Setting::NodeListen, "--node-listen"),
        (Setting::AdminListen, "--admin-listen"),
    ] {
        let case = Case::new().flag(setting, "0.0.0.0:80");
        let refused = case.refused();
        assert!(refused.contains(flag) && refused.contains("--allow-unauthenticated-network"), "{refused}");
        let allowed = case.flag(Setting::AllowUnauthenticatedNetwork, "true");
        assert!(allowed.resolve().is_ok());
    }
    let case = Case::new().variable("HEADWATER_LISTEN", "192.0.2.1:80");
    assert!(case.refused().contains("--listen (from environment HEADWATER_LISTEN)"));
    for loopback in ["127.0.0.1:80", "127.8.9.1:80", "[::1]:80", "localhost:80"] {
        assert!(Case::new().flag(Setting::Listen, loopback).resolve().is_ok(), "{loopback}");
    }
}

#[test]
fn what_cannot_be_read_is_named_with_where_it_stands() {
    let cases = [
        (Case::new().flag(Setting::Listen, "8080"), "--listen \"8080\""),
        (Case::new().flag(Setting::SandboxListen, "127.0.0.1:0"), "--sandbox-listen 127.0.0.1:0 has no port"),
        (Case::new().flag(Setting::DataDir, ""), "--data-dir \"\" is not a directory"),
        (
            Case::new().variable("DATABASE_URL", "postgres//ann:s3cret@db"),
            "--database-url (from environment DATABASE_URL) cannot be read: invalid connection string",
        ),
        (Case::new().flag(Setting::LogFormat, "xml"), "text or json"),
        (Case::new().flag(Setting::ShopTimezone, "London"), "--shop-timezone \"London\" is not a time zone"),
        (Case::new().variable("HEADWATER_SHOP_TIMEZONE", "Etc/Unknown"), "is not a time zone"),
        (Case::new().file("shop-timezone = \"../etc/passwd\""), "is not a time zone"),
        (Case::new().variable("HEADWATER_ALLOW_UNAUTHENTICATED_NETWORK", "maybe"), "true or false"),
        (Case::new().variable("HEADWATER_OPS_MEMORY", "-1"), "whole MiB between 0 and 1024"),
        (Case::new().flag(Setting::Contexts, "orders,carts"), "--contexts: there is no context \"carts\""),
        (Case::new().variable("HEADWATER_CONTEXTS", ","), "there are products, stock, users, orders,"),
        (Case::new().file("listn = \"x\""), "there is no setting \"listn\""),
        (Case::new().file("listen = 8080"), "listen must be a text in quotes"),
        (Case::new().file("listen ="), "named.toml is not valid"),
        (Case::new().variable("HEADWATER_CONFIG", "/does/not/exist.toml"), "/does/not/exist.toml"),
    ];
    for (case, part) in cases {
        let refused = case.refused();
        assert!(refused.contains(part), "{part:?} is not in {refused:?}");
        assert!(!refused.contains("s3cret"), "{refused}");
    }
}

#[test]
fn the_shop_keeps_the_days_of_the_zone_that_is_named_and_of_utc_else() {
    let name = |case: Case| case.resolve().unwrap().shop_time_zone.iana_name().unwrap().to_owned();
    assert_eq!(name(Case::new()), "UTC");
    assert_eq!(name(Case::new().variable("HEADWATER_SHOP_TIMEZONE", "Europe/London")), "Europe/London");
    assert_eq!(name(Case::new().file("shop-timezone = \"america/new_york\"")), "America/New_York");
}

#[test]
fn requests_that_went_well_are_logged_as_json_and_not_as_text_unless_somebody_says_so() {
    let filter = |case: Case| case.resolve().unwrap().log_filter;
    assert!(filter(Case::new()).ends_with(",request=warn"));
    assert_eq!(filter(Case::new().flag(Setting::LogFormat, "json")), observability::DEFAULT_LOG_FILTER);
    assert_eq!(filter(Case::new().variable("RUST_LOG", "info")), "info");
}

#[test]
fn the_contexts_are_those_that_are_named_and_all_else() {
    let contexts = |case: Case| case.resolve().unwrap().contexts.to_string();
    assert_eq!(contexts(Case::new()), "all");
    assert_eq!(contexts(Case::new().file("contexts = \"returns\"")), "returns");
    let case = Case::new().variable("HEADWATER_CONTEXTS", "orders,payments");
    assert_eq!(contexts(case), "orders, payments");
    assert_eq!(contexts(Case::new().flag(Setting::Contexts, "stock")), "stock");
}

#[test]
fn passwords_are_never_shown() {
    for (text, shown) in [
        (
            "postgres://ann:s3cret@db:5432/shop?sslmode=disable",
            "postgres://ann:***@db:5432/shop?sslmode=disable",
        ),
        ("postgres://ann:s3/c@r:e?t@db/shop", "postgres://ann:***@db/shop"),
        ("esdb://admin:changeit@a:2113,b:2113?tls=true", "esdb://admin:***@a:2113,b:2113?tls=true"),
        ("postgres://db/shop?user=ann&password=s3cret&x=1", "postgres://db/shop?user=ann&password=***&x=1"),
        ("host=db user=ann password='a b' dbname=shop", "host=db user=ann password=*** dbname=shop"),
        ("host=db PASSWORD=s3cret", "host=db PASSWORD=***"),
        ("postgres://ann@db:5432/shop", "postgres://ann@db:5432/shop"),
        (
            "postgresql:///headwater?host=/run&user=headwater",
            "postgresql:///headwater?host=/run&user=headwater",
        ),
    ] {
        assert_eq!(masked(text), shown);
    }
}

#[test]
fn clients_on_this_machine_reach_a_node_that_listens_everywhere() {
    assert_eq!(node_url("0.0.0.0:2113".parse().unwrap()), "esdb://127.0.0.1:2113?tls=false");
    assert_eq!(node_url("[::1]:2113".parse().unwrap()), "esdb://[::1]:2113?tls=false");
}
