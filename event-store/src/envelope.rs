//! Events as they go into the log and as they come out, and their metadata.
//!
//! Metadata is one JSON object whose values are all strings, so that every client of the log can read it. Reading is
//! lenient: an event of someone else has no command and no version, and is still an event.

use std::borrow::Cow;
use std::collections::HashMap;

use bytes::Bytes;
use contract::LogPosition;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::{EventId, Revision, StreamId};

/// An event to be appended.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// Its id: the same for the same event when it is sent again.
    pub id: EventId,
    /// Its type, past tense, such as `ProductListed`.
    pub event_type: Cow<'static, str>,
    /// Its content, JSON.
    pub data: Bytes,
    /// What goes with it.
    pub metadata: Metadata,
}

/// An event that stands in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedEvent {
    /// The stream it stands in.
    pub stream: StreamId,
    /// Its id.
    pub id: EventId,
    /// Its number in the stream.
    pub revision: Revision,
    /// Its place in the whole log.
    pub position: LogPosition,
    /// Its type.
    pub event_type: String,
    /// Its content.
    pub data: Bytes,
    /// What went with it.
    pub metadata: Metadata,
    /// When the log took it, by the node's clock.
    pub recorded_at: Timestamp,
}

/// What goes with an event besides its content.
#[derive(Debug, Clone, PartialEq)]
pub struct Metadata {
    /// The piece of work this belongs to, across commands (`$correlationId`).
    pub correlation_id: Uuid,
    /// The command or event that caused this one (`$causationId`).
    pub causation_id: Uuid,
    /// The command that this event answers (`commandId`); nil in events of others.
    pub command_id: Uuid,
    /// Keyed fingerprint of the request, by which a retry is told from another request under the same key.
    pub fingerprint: Option<String>,
    /// Who sent the command: an opaque id, never a name.
    pub actor: Option<String>,
    /// The version of the event's shape (`schemaVersion`).
    pub schema_version: u32,
    /// When it happened, which for trusted callers may be long before it was recorded (`occurredAt`).
    pub occurred_at: Timestamp,
    /// W3C trace context of the append.
    pub traceparent: Option<String>,
    /// W3C trace state of the append.
    pub tracestate: Option<String>,
}

impl Metadata {
    /// The metadata of an event of a command that stands for itself: it is its own correlation and cause.
    #[must_use]
    pub fn of_command(command_id: Uuid, schema_version: u32, occurred_at: Timestamp) -> Self {
        Self {
            correlation_id: command_id,
            causation_id: command_id,
            command_id,
            fingerprint: None,
            actor: None,
            schema_version,
            occurred_at,
            traceparent: None,
            tracestate: None,
        }
    }

    /// The JSON object, `$traceId` and `$spanId` (which the official clients read) taken from `traceparent`.
    pub(crate) fn to_json(&self) -> Bytes {
        let (trace_id, span_id) = self.traceparent.as_deref().and_then(trace_and_span).unzip();
        let wire = Wire {
            correlation_id: Some(self.correlation_id.to_string().into()),
            causation_id: Some(self.causation_id.to_string().into()),
            command_id: Some(self.command_id.to_string().into()),
            fingerprint: self.fingerprint.as_deref().map(Cow::from),
            actor: self.actor.as_deref().map(Cow::from),
            schema_version: Some(self.schema_version.to_string().into()),
            occurred_at: Some(self.occurred_at.to_string().into()),
            traceparent: self.traceparent.as_deref().map(Cow::from),
            tracestate: self.tracestate.as_deref().map(Cow::from),
            trace_id: trace_id.map(Cow::from),
            span_id: span_id.map(Cow::from),
        };
        serde_json::to_vec(&wire).expect("an object of strings is always JSON").into()
    }

    /// Reads metadata back; what is missing or unreadable takes its neutral value.
    pub(crate) fn from_json(json: &[u8], recorded_at: Timestamp) -> Self {
        match serde_json::from_slice::<Wire<'_>>(json) {
            Ok(wire) => wire.into_metadata(recorded_at),
            Err(_) => strings_of(json).into_metadata(recorded_at),
        }
    }
}

/// The metadata as it is written: strings only.
#[derive(Default, Serialize, Deserialize)]
struct Wire<'a> {
    #[serde(rename = "$correlationId", borrow, default, skip_serializing_if = "Option::is_none")]
    correlation_id: Option<Cow<'a, str>>,
    #[serde(rename = "$causationId", borrow, default, skip_serializing_if = "Option::is_none")]
    causation_id: Option<Cow<'a, str>>,
    #[serde(rename = "commandId", borrow, default, skip_serializing_if = "Option::is_none")]
    command_id: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    fingerprint: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    actor: Option<Cow<'a, str>>,
    #[serde(rename = "schemaVersion", borrow, default, skip_serializing_if = "Option::is_none")]
    schema_version: Option<Cow<'a, str>>,
    #[serde(rename = "occurredAt", borrow, default, skip_serializing_if = "Option::is_none")]
    occurred_at: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    traceparent: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    tracestate: Option<Cow<'a, str>>,
    #[serde(rename = "$traceId", borrow, default, skip_serializing_if = "Option::is_none")]
    trace_id: Option<Cow<'a, str>>,
    #[serde(rename = "$spanId", borrow, default, skip_serializing_if = "Option::is_none")]
    span_id: Option<Cow<'a, str>>,
}

impl Wire<'_> {
    fn into_metadata(self, recorded_at: Timestamp) -> Metadata {
        let uuid = |text: Option<Cow<'_, str>>| {
            text.and_then(|text| Uuid::try_parse(&text).ok()).unwrap_or_else(Uuid::nil)
        };
        Metadata {
            correlation_id: uuid(self.correlation_id),
            causation_id: uuid(self.causation_id),
            command_id: uuid(self.command_id),
            fingerprint: self.fingerprint.map(Cow::into_owned),
            actor: self.actor.map(Cow::into_owned),
            schema_version: self.schema_version.and_then(|text| text.parse().ok()).unwrap_or(1),
            occurred_at: self.occurred_at.and_then(|text| text.parse().ok()).unwrap_or(recorded_at),
            traceparent: self.traceparent.map(Cow::into_owned),
            tracestate: self.tracestate.map(Cow::into_owned),
        }
    }
}

/// The string values of an object that also holds others (a foreign writer's), none if it is no object at all.
fn strings_of(json: &[u8]) -> Wire<'static> {
    let mut strings: HashMap<String, String> =
        match serde_json::from_slice::<HashMap<String, serde_json::Value>>(json) {
            Ok(object) => object
                .into_iter()
                .filter_map(|(key, value)| match value {
                    serde_json::Value::String(text) => Some((key, text)),
                    _ => None,
                })
                .collect(),
            Err(_) => HashMap::new(),
        };
    let mut take = |key: &str| strings.remove(key).map(Cow::Owned);
    Wire {
        correlation_id: take("$correlationId"),
        causation_id: take("$causationId"),
        command_id: take("commandId"),
        fingerprint: take("fingerprint"),
        actor: take("actor"),
        schema_version: take("schemaVersion"),
        occurred_at: take("occurredAt"),
        traceparent: take("traceparent"),
        tracestate: take("tracestate"),
        trace_id: None,
        span_id: None,
    }
}

/// Trace id and span id of a W3C `traceparent` (`<version>-<32 hex>-<16 hex>-<flags>`).
fn trace_and_span(traceparent: &str) -> Option<(&str, &str)> {
    let mut parts = traceparent.split('-');
    let (_version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    (trace.len() == 32 && span.len() == 16).then_some((trace, span))
}

impl From<&eventstore::RecordedEvent> for RecordedEvent {
    fn from(event: &eventstore::RecordedEvent) -> Self {
        let recorded_at = recorded_at(event);
        Self {
            stream: StreamId::named(&event.stream_id),
            id: EventId(event.id),
            revision: Revision(event.revision),
            position: LogPosition(event.position.commit),
            event_type: event.event_type.clone(),
            data: event.data.clone(),
            metadata: Metadata::from_json(&event.custom_metadata, recorded_at),
            recorded_at,
        }
    }
}

/// The node's time of an event. The client's own field is cut to whole seconds; the text beside it, ticks of 100 ns
/// since the Unix epoch, is not.
fn recorded_at(event: &eventstore::RecordedEvent) -> Timestamp {
    let exact = event
        .metadata
        .get("created")
        .and_then(|ticks| ticks.parse::<i128>().ok())
        .and_then(|ticks| Timestamp::from_nanosecond(ticks.checked_mul(100)?).ok());
    exact
        .unwrap_or_else(|| Timestamp::from_second(event.created.timestamp()).unwrap_or(Timestamp::UNIX_EPOCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Metadata {
        Metadata {
            correlation_id: Uuid::from_u128(1),
            causation_id: Uuid::from_u128(2),
            command_id: Uuid::from_u128(3),
            fingerprint: Some("ab12".into()),
            actor: Some("importer \"7\"".into()),
            schema_version: 4,
            occurred_at: "2010-12-01T08:26:00Z".parse().unwrap(),
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
            tracestate: Some("a=b".into()),
        }
    }

    #[test]
    fn metadata_reads_back_and_all_its_values_are_strings() {
        let json = sample().to_json();
        let object: HashMap<String, String> = serde_json::from_slice(&json).expect("strings only");
        assert_eq!(object["schemaVersion"], "4");
        assert_eq!(object["occurredAt"], "2010-12-01T08:26:00Z");
        assert_eq!(object["$traceId"], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(object["$spanId"], "b7ad6b7169203331");
        assert_eq!(Metadata::from_json(&json, Timestamp::UNIX_EPOCH), sample());
    }

    #[test]
    fn what_is_absent_is_not_written() {
        let metadata = Metadata::of_command(Uuid::from_u128(9), 1, Timestamp::UNIX_EPOCH);
        let object: HashMap<String, String> = serde_json::from_slice(&metadata.to_json()).unwrap();
        assert_eq!(object.len(), 5, "{object:?}");
        assert_eq!(Metadata::from_json(&metadata.to_json(), Timestamp::MIN), metadata);
    }

    #[test]
    fn metadata_of_others_takes_neutral_values_and_keeps_what_can_be_read() {
        let recorded_at: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        for json in [&b""[..], b"null", b"[1]", b"\xff", b"{}"] {
            let read = Metadata::from_json(json, recorded_at);
            assert_eq!(
                (read.schema_version, read.occurred_at, read.command_id),
                (1, recorded_at, Uuid::nil())
            );
        }
        let mixed = br#"{"schemaVersion":2,"commandId":"00000000-0000-0000-0000-000000000003","x":{"y":1}}"#;
        let read = Metadata::from_json(mixed, recorded_at);
        assert_eq!((read.schema_version, read.command_id), (1, Uuid::from_u128(3)));
    }
}
