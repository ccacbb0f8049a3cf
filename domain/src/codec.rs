//! The JSON of events. What was ever written stays readable: each version of each type has a golden file.

use serde_json::Value;

use crate::event::{Readers, ShopEvent};
use crate::ids::PersonId;

/// A line of the table of event types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventType {
    /// Its name in the log, in the past tense.
    pub name: &'static str,
    /// The schema version that is written today; older ones are brought up when they are read.
    pub version: u32,
    /// The name of its variant in the aggregate's enum.
    pub(crate) variant: &'static str,
}

/// An event in JSON, personal fields still clear (marked as [`crate::Personal`] says).
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded {
    /// The event's type.
    pub event_type: &'static str,
    /// The version of its schema.
    pub schema_version: u32,
    /// Whose personal fields it may hold.
    pub person: Option<PersonId>,
    /// Its fields.
    pub data: Value,
}

/// What an event of the log turned out to be.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "nearly every one is an event, and it is taken out at once")]
pub enum Decoded {
    /// One of ours.
    Event(ShopEvent),
    /// A type that this build does not know, to be passed over.
    UnknownType,
}

/// Why an event of a known type could not be read. The text holds no personal data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Written by a newer build.
    #[error("{event_type} has version {version} here; this build knows up to {known}")]
    UnknownVersion {
        /// The event's type.
        event_type: &'static str,
        /// The version found.
        version: u32,
        /// The newest version that can be read.
        known: u32,
    },
    /// Not the JSON of this version.
    #[error("{event_type} version {version} cannot be read: {reason}")]
    Malformed {
        /// The event's type.
        event_type: &'static str,
        /// Its version.
        version: u32,
        /// What is wrong.
        reason: String,
    },
}

/// The JSON of an event.
#[must_use]
pub fn encode(event: &ShopEvent) -> Encoded {
    let EventType { name, version, variant } = event.event_type();
    let mut json =
        event.to_json().expect("events are plain structs with text keys, which JSON can always hold");
    let data = json[variant].take();
    Encoded { event_type: name, schema_version: version, person: event.person(), data }
}

/// A type and version that this build reads.
#[derive(Debug, Clone, Copy)]
pub struct Readable {
    event_type: &'static EventType,
    readers: Readers,
}

/// The type of this name, if it is known and can be read in this version; `None` for a type that nobody here writes.
///
/// # Errors
/// The type is known, but not this version.
pub fn find(event_type: &str, schema_version: u32) -> Result<Option<Readable>, DecodeError> {
    let Some((found, readers)) = ShopEvent::find_type(event_type) else {
        return Ok(None);
    };
    if schema_version != found.version {
        return Err(DecodeError::UnknownVersion {
            event_type: found.name,
            version: schema_version,
            known: found.version,
        });
    }
    Ok(Some(Readable { event_type: found, readers }))
}

impl Readable {
    /// The event that the data stands for.
    ///
    /// # Errors
    /// The data does not fit the type and version.
    pub fn read(self, data: Value) -> Result<ShopEvent, DecodeError> {
        let json = Value::Object([(self.event_type.variant.to_owned(), data)].into_iter().collect());
        (self.readers.from_value)(json).map_err(|error| self.malformed(without_values(&error.to_string())))
    }

    /// The event that the data stands for, from its text: several times quicker for an event with many lines.
    ///
    /// # Errors
    /// The data does not fit the type and version.
    pub fn read_slice(self, data: &[u8]) -> Result<ShopEvent, DecodeError> {
        let json = [b"{\"", self.event_type.variant.as_bytes(), b"\":", data, b"}"].concat();
        (self.readers.from_slice)(&json).map_err(|error| self.malformed(without_values(&error.to_string())))
    }

    /// The error for data that does not fit.
    #[must_use]
    pub fn malformed(self, reason: String) -> DecodeError {
        DecodeError::Malformed { event_type: self.event_type.name, version: self.event_type.version, reason }
    }
}

/// What is wrong, without the value that is: serde quotes it, and it may be a person's.
fn without_values(error: &str) -> String {
    // Here the name of a field is quoted, which is ours.
    if error.starts_with("missing field") {
        return error.to_owned();
    }
    let Some(quote) = error.find(['"', '`']) else { return error.to_owned() };
    let what = error[..quote].trim_end();
    match error.rfind(", expected").filter(|expected| *expected > quote) {
        Some(expected) => format!("{what}{}", &error[expected..]),
        None => what.to_owned(),
    }
}

/// The event that JSON of a type and version stands for.
///
/// # Errors
/// The type is known, but not this version, or the data does not fit it.
pub fn decode(event_type: &str, schema_version: u32, data: Value) -> Result<Decoded, DecodeError> {
    match find(event_type, schema_version)? {
        Some(readable) => readable.read(data).map(Decoded::Event),
        None => Ok(Decoded::UnknownType),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_says_what_is_wrong_and_not_with_which_value() {
        for (said, told) in [
            (
                "invalid type: string \"Ada, expected \"guests\"\", expected a sequence at line 1 column 9",
                "invalid type: string, expected a sequence at line 1 column 9",
            ),
            ("unknown variant `Ada`, expected one of `A`, `B`", "unknown variant, expected one of `A`, `B`"),
            ("invalid value: integer `7`, expected u8", "invalid value: integer, expected u8"),
            ("no such name: \"Ada\"", "no such name:"),
            ("missing field `lines`", "missing field `lines`"),
            ("EOF while parsing a value at line 1 column 2", "EOF while parsing a value at line 1 column 2"),
        ] {
            assert_eq!(without_values(said), told);
        }
        let data = serde_json::json!({"lines": "Ada Lovelace"});
        let error = decode("OrderPlaced", 1, data).unwrap_err().to_string();
        assert!(!error.contains("Ada"), "{error}");
    }
}
