//! `headwater config`: every setting in force and where it comes from.

use serde_json::json;

use crate::config::{Config, masked};
use crate::failure::Failure;
use crate::print;
use crate::table::table;

/// Variables that are not settings of ours but are in force all the same.
const STANDARD_PREFIX: &str = "OTEL_";

/// Where the private database's programs are.
const PG_BIN: &str = "HEADWATER_PG_BIN";

/// Variables whose value is a secret as a whole.
const SECRET_SUFFIX: &str = "_HEADERS";

/// Prints the configuration.
pub fn run(config: &Config, json: bool) -> Result<(), Failure> {
    let variables = std::env::vars()
        .filter(|(name, value)| !value.is_empty() && (name.starts_with(STANDARD_PREFIX) || name == PG_BIN));
    let text = shown(config, variables);
    print(&if json { as_json(&text) } else { as_table(&text) })
}

/// Name, value to show and source of one line.
type Line = [String; 3];

fn shown(config: &Config, variables: impl Iterator<Item = (String, String)>) -> Vec<Line> {
    let settings = config.in_force.iter().map(|found| {
        let value = found.value.as_deref().map(masked).unwrap_or_default();
        [found.setting.name().to_owned(), value, found.source.to_string()]
    });
    let mut standard: Vec<Line> = variables
        .map(|(name, value)| {
            let value = if name.ends_with(SECRET_SUFFIX) { "***".to_owned() } else { masked(&value) };
            [name.clone(), value, format!("environment {name}")]
        })
        .collect();
    standard.sort();
    settings.chain(standard).collect()
}

fn as_table(lines: &[Line]) -> String {
    table(["SETTING", "VALUE", "FROM"], lines)
}

fn as_json(lines: &[Line]) -> String {
    let lines: Vec<_> = lines
        .iter()
        .map(|[name, value, source]| {
            let value = (!value.is_empty()).then_some(value);
            json!({ "setting": name, "value": value, "from": source })
        })
        .collect();
    format!("{:#}\n", serde_json::Value::from(lines))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Given;
    use crate::config::{Environment, Setting, resolve};

    #[test]
    fn every_setting_is_shown_with_its_source_and_no_secret() {
        let variable = |name: &str| match name {
            "DATABASE_URL" => Some("postgres://ann:s3cret@db/shop".to_owned()),
            "HOME" => Some("/home/ann".to_owned()),
            _ => None,
        };
        let given = Given { file: None, settings: vec![(Setting::Listen, "127.0.0.1:7".to_owned())] };
        let config = resolve(&given, &Environment { variable: &variable, is_root: false }).unwrap();
        let variables = [("OTEL_EXPORTER_OTLP_HEADERS".to_owned(), "key=s3cret".to_owned())];
        let lines = shown(&config, variables.into_iter());

        let text = as_table(&lines);
        let row = |name: &str| {
            text.lines().find(|line| line.starts_with(name)).unwrap().split_whitespace().collect::<Vec<_>>()
        };
        assert_eq!(row("listen"), ["listen", "127.0.0.1:7", "flag", "--listen"]);
        assert_eq!(
            row("database-url"),
            ["database-url", "postgres://ann:***@db/shop", "environment", "DATABASE_URL"]
        );
        assert_eq!(row("data-dir"), ["data-dir", "/home/ann/.local/share/headwater", "default"]);
        assert_eq!(row("OTEL_EXPORTER_OTLP_HEADERS")[1], "***");
        assert!(!text.contains("s3cret"), "{text}");

        let json: serde_json::Value = serde_json::from_str(&as_json(&lines)).unwrap();
        assert_eq!(json[1], json!({"setting": "listen", "value": "127.0.0.1:7", "from": "flag --listen"}));
        assert!(
            json.as_array()
                .unwrap()
                .iter()
                .any(|line| line["setting"] == "eventstore" && line["value"].is_null())
        );
    }
}
