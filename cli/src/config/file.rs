//! The configuration file: TOML, one key a setting, named as the flag is.

use std::io::ErrorKind;
use std::path::Path;

use super::setting::Setting;
use crate::failure::Failure;

/// A configuration file larger than this is none.
const MAX_BYTES: u64 = 1024 * 1024;

/// Reads the settings of a file; `None` when there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<Vec<(Setting, String)>>, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::usage(format!("the configuration file {} cannot be read: {error}", path.display()))
    };
    match std::fs::metadata(path) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(unreadable(error)),
        Ok(found) if found.len() > MAX_BYTES => {
            return Err(Failure::usage(format!("{} is too large for a configuration file", path.display())));
        }
        Ok(_) => {}
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    parse(&text).map(Some).map_err(|problem| {
        Failure::usage(format!("the configuration file {} is not valid: {problem}", path.display()))
    })
}

fn parse(text: &str) -> Result<Vec<(Setting, String)>, String> {
    let table: toml::Table =
        text.parse().map_err(|error: toml::de::Error| error.to_string().trim().to_owned())?;
    table.into_iter().map(|(key, value)| Ok((known(&key)?, text_of(&key, value)?))).collect()
}

fn known(key: &str) -> Result<Setting, String> {
    let names = || Setting::ALL.map(Setting::name).join(", ");
    Setting::named(key).ok_or_else(|| format!("there is no setting {key:?}; there are {}", names()))
}

fn text_of(key: &str, value: toml::Value) -> Result<String, String> {
    match value {
        toml::Value::String(text) => Ok(text),
        toml::Value::Boolean(flag) => Ok(flag.to_string()),
        other => Err(format!("{key} must be a text in quotes, or true or false, not {}", other.type_str())),
    }
}
