//! Personal data inside events. Deciding never looks inside; outside this process it is sealed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A personal field: clear while the person's key exists, erased after. `Debug` never shows the value.
///
/// In JSON a clear one is `{"$personal": <value>}`, which is what the vault seals, and an erased one
/// `{"$erased": true}`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Personal<T> {
    /// The value.
    Clear(T),
    /// The person's key was destroyed; nobody can know the value.
    Erased,
}

/// The key of the JSON object that holds a clear value.
pub const CLEAR_KEY: &str = "$personal";
/// The key of the JSON object that stands for an erased value.
pub const ERASED_KEY: &str = "$erased";

impl<T> Personal<T> {
    /// The value, unless it was erased.
    #[must_use]
    pub fn clear(&self) -> Option<&T> {
        match self {
            Personal::Clear(value) => Some(value),
            Personal::Erased => None,
        }
    }
}

impl<T> fmt::Debug for Personal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Personal(..)")
    }
}

#[derive(Serialize, Deserialize)]
enum Wire<T> {
    #[serde(rename = "$personal")]
    Clear(T),
    #[serde(rename = "$erased")]
    Erased(bool),
}

impl<T: Serialize> Serialize for Personal<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Personal::Clear(value) => Wire::Clear(value),
            Personal::Erased => Wire::Erased(true),
        }
        .serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Personal<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Wire::deserialize(deserializer) {
            Ok(Wire::Clear(value)) => Ok(Personal::Clear(value)),
            Ok(Wire::Erased(true)) => Ok(Personal::Erased),
            // Not the error itself: it may quote the value, and errors are logged.
            Ok(Wire::Erased(false)) | Err(_) => {
                Err(serde::de::Error::custom("a personal field does not have the shape of one"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Email;

    #[test]
    fn json_marks_what_is_personal() {
        let email = Personal::Clear(Email::new("ada@example.org").unwrap());
        let json = serde_json::to_string(&email).unwrap();
        assert_eq!(json, r#"{"$personal":"ada@example.org"}"#);
        assert_eq!(serde_json::from_str::<Personal<Email>>(&json).unwrap(), email);
        let erased = Personal::<Email>::Erased;
        let json = serde_json::to_string(&erased).unwrap();
        assert_eq!(json, r#"{"$erased":true}"#);
        assert_eq!(serde_json::from_str::<Personal<Email>>(&json).unwrap(), erased);
    }

    #[test]
    fn neither_debug_nor_an_error_shows_the_value() {
        let email = Personal::Clear(Email::new("ada@example.org").unwrap());
        assert_eq!(format!("{email:?}"), "Personal(..)");
        for json in
            [r#"{"$personal":"secret"}"#, r#""secret""#, r#"{"secret":1}"#, r#"{"$personal":["secret"]}"#]
        {
            let error = serde_json::from_str::<Personal<Email>>(json).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        assert!(serde_json::from_str::<Personal<Email>>(r#"{"$erased":false}"#).is_err());
    }
}
