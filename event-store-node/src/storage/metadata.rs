//! What a stream's metadata, the newest event in `$$<stream>`, says of it: `$maxCount`, `$maxAge` and `$tb` hide events
//! on reads, until a scavenge takes them away, and the greatest `$tb` marks the stream as deleted. Metadata streams show their newest event only.

use std::fmt;

use bytes::Bytes;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::append::{ProposedEvent, StreamName};
use super::group::now_ticks;
use super::read::{last_record, last_revision};
use super::writer::Shared;
use super::{StorageError, StreamKey};

const TICKS_PER_SECOND: u64 = 10_000_000;
const METADATA_TYPE: &str = "$metadata";
const TRUNCATE_BEFORE: &str = "$tb";
/// To read, write and delete; to read and write the metadata.
const ACCESS_RULES: [&str; 5] = ["$r", "$w", "$d", "$mr", "$mw"];
/// Truncated before this, a stream counts as deleted.
const DELETED: u64 = i64::MAX as u64;

/// What can be seen of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Visible {
    /// The first revision to be seen; past `last` when all are hidden.
    pub first: u64,
    /// The last revision written.
    pub last: u64,
    /// Events recorded before this are hidden.
    pub oldest_ticks: u64,
}

/// What can be seen of a stream now; `None` when it has no event or is deleted.
pub(crate) fn visible(shared: &Shared, stream: &str) -> Result<Option<Visible>, StorageError> {
    let key = StreamKey::new(shared.log.store, stream.as_bytes());
    let Some(last) = last_revision(shared, key)? else { return Ok(None) };
    let all = Visible { first: 0, last, oldest_ticks: 0 };
    let Some(name) = StreamName::new(stream) else { return Ok(Some(all)) };
    let Some(metadata_stream) = name.metadata_stream() else {
        return Ok(Some(Visible { first: last, ..all }));
    };
    let newest = last_record(shared, metadata_stream.as_str())?;
    let metadata = newest.map_or_else(Metadata::default, |record| Metadata::of(record.is_json, &record.data));
    if metadata.is_deleted() {
        return Ok(None);
    }
    let truncated = metadata.truncate_before.map_or(0, |first| first.0);
    // What is truncated up to here may have been created again since the first look.
    let last = if truncated > last { last_revision(shared, key)?.unwrap_or(last) } else { last };
    let by_count = metadata.max_count.map_or(0, |count| (last + 1).saturating_sub(count.0));
    let oldest_ticks = metadata
        .max_age_seconds
        .map_or(0, |age| now_ticks().saturating_sub(age.0.saturating_mul(TICKS_PER_SECOND)));
    Ok(Some(Visible { first: by_count.max(truncated), last, oldest_ticks }))
}

/// A stream's metadata, as far as it has a meaning here. `$cacheControl`, `$tmp` and `$acl` are only looked at because
/// a value out of range makes all of it void.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Metadata {
    #[serde(rename = "$maxCount")]
    max_count: Option<AtLeast<1>>,
    #[serde(rename = "$maxAge")]
    max_age_seconds: Option<AtLeast<1>>,
    #[serde(rename = "$tb")]
    truncate_before: Option<AtLeast<0>>,
    #[serde(rename = "$cacheControl")]
    _cache_control_seconds: Option<AtLeast<1>>,
    #[serde(rename = "$tmp")]
    _is_temporary: Option<bool>,
    #[serde(rename = "$acl")]
    _access: Option<Access>,
}

impl Metadata {
    /// Of an event of a metadata stream. What is not a JSON object, or has a value out of range, counts as none.
    pub(crate) fn of(is_json: bool, data: &[u8]) -> Self {
        // An array of values would pass for an object.
        let is_object = is_json && data.trim_ascii_start().starts_with(b"{");
        if is_object { serde_json::from_slice(data).unwrap_or_default() } else { Self::default() }
    }

    /// Whether the stream is deleted until something is appended to it.
    pub(crate) fn is_deleted(&self) -> bool {
        self.truncate_before == Some(AtLeast(DELETED))
    }
}

/// A whole number from `LEAST` to the greatest signed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u64")]
struct AtLeast<const LEAST: u64>(u64);

impl<const LEAST: u64> TryFrom<u64> for AtLeast<LEAST> {
    type Error = &'static str;

    fn try_from(number: u64) -> Result<Self, Self::Error> {
        if (LEAST..=DELETED).contains(&number) { Ok(Self(number)) } else { Err("out of range") }
    }
}

/// Who may do what: each a name or a list of names. Not held to here.
#[derive(Debug, Deserialize)]
#[serde(try_from = "serde_json::Map<String, Value>")]
struct Access;

impl TryFrom<serde_json::Map<String, Value>> for Access {
    type Error = &'static str;

    fn try_from(rules: serde_json::Map<String, Value>) -> Result<Self, Self::Error> {
        let are_names = |value: &Value| match value {
            Value::Array(names) => names.iter().all(Value::is_string),
            one => one.is_string(),
        };
        let mut names = ACCESS_RULES.iter().filter_map(|rule| rules.get(*rule));
        if names.all(are_names) { Ok(Self) } else { Err("not the names of users or roles") }
    }
}

/// The event that marks a stream as deleted; whatever its metadata said before is lost.
pub(crate) fn deletion() -> ProposedEvent {
    event(format!("{{\"{TRUNCATE_BEFORE}\":{DELETED}}}").into())
}

/// The event that takes the mark away and hides what came before `first`: the metadata as it was, all else verbatim.
/// `None` when it was no JSON object, and so hides nothing.
pub(crate) fn recreation(metadata: &[u8], first: u64) -> Option<ProposedEvent> {
    let Members(mut members) = serde_json::from_slice(metadata).ok()?;
    let value = serde_json::value::to_raw_value(&first).ok()?;
    match members.iter_mut().find(|(name, _)| name == TRUNCATE_BEFORE) {
        Some(member) => member.1 = value,
        None => members.push((TRUNCATE_BEFORE.to_owned(), value)),
    }
    let members = members.iter().map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())));
    Some(event(format!("{{{}}}", members.collect::<Vec<_>>().join(",")).into()))
}

fn event(data: Bytes) -> ProposedEvent {
    let (id, event_type) = (Uuid::new_v4(), METADATA_TYPE.to_owned());
    ProposedEvent { id, event_type, is_json: true, metadata: Bytes::new(), data }
}

/// The members of a JSON object in their order, values as they were written.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        from.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(json: &str) -> (Option<u64>, Option<u64>, Option<u64>) {
        let of = Metadata::of(true, json.as_bytes());
        (of.max_count.map(|n| n.0), of.max_age_seconds.map(|n| n.0), of.truncate_before.map(|n| n.0))
    }

    #[test]
    fn one_bad_value_makes_all_of_the_metadata_void() {
        let good = r#"{"$maxCount":3,"$maxAge":60,"$tb":0,"$cacheControl":5,"$tmp":true,"mine":[1.50],
            "$acl":{"$r":"$all","$w":["a","b"],"else":1}}"#;
        assert_eq!(limits(good), (Some(3), Some(60), Some(0)));
        for bad in [
            r#""$maxAge":0"#,
            r#""$maxAge":-1"#,
            r#""$maxAge":1.5"#,
            r#""$maxAge":"60""#,
            r#""$tb":-1"#,
            r#""$tb":9223372036854775808"#,
            r#""$cacheControl":0"#,
            r#""$tmp":1"#,
            r#""$acl":"$all""#,
            r#""$acl":["$all"]"#,
            r#""$acl":{"$mw":["a",7]}"#,
            r#""$acl":{"$r":7}"#,
            r#""unfinished":"#,
        ] {
            assert_eq!(limits(&format!(r#"{{"$maxCount":3,{bad}}}"#)), (None, None, None), "{bad}");
        }
        for bad in ["", "null", "[]", "7", "[3]", "\u{0}", &"[".repeat(100_000)] {
            assert_eq!(limits(bad), (None, None, None), "{bad:.20}");
        }
        assert!(Metadata::of(false, br#"{"$maxCount":3}"#).max_count.is_none(), "not called JSON");
    }

    #[test]
    fn a_stream_created_again_keeps_its_metadata_to_the_letter() {
        let written = r#"{ "b": 1.50, "$tb":9223372036854775807, "a" : {"x":[ 1e400 ]}, "ü\"":"\u00e4" }"#;
        let again = recreation(written.as_bytes(), 7).expect("an object");
        let expected = r#"{"b":1.50,"$tb":7,"a":{"x":[ 1e400 ]},"ü\"":"\u00e4"}"#;
        assert_eq!(std::str::from_utf8(&again.data), Ok(expected));
        assert_eq!((again.event_type.as_str(), again.is_json), ("$metadata", true));
        let fresh = recreation(b"{}", 0).expect("an object");
        assert_eq!(&fresh.data[..], br#"{"$tb":0}"#);
        for other in ["", "[]", "null", "{", "\u{0}"] {
            assert!(recreation(other.as_bytes(), 1).is_none(), "{other}");
        }
        assert!(Metadata::of(true, &deletion().data).is_deleted());
        assert!(!Metadata::of(true, &again.data).is_deleted());
    }
}
