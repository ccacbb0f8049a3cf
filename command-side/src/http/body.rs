//! The body and headers of a command.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use contract::{ApiError, ErrorCode};
use observability::http::RequestId;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Failure;
use super::failure::request_id;
use super::headers::{idempotency_key, if_match};
use super::shape::Shaped;
use crate::executor::{CommandError, CommandId, IfMatch};

/// A command as it came in.
pub(crate) struct Envelope<T> {
    /// Its body.
    pub(crate) body: T,
    /// What goes with it.
    pub(crate) sent: Sent,
}

/// What goes with a command besides its body.
pub(crate) struct Sent {
    pub(super) key: Option<String>,
    pub(super) if_match: Option<IfMatch>,
    /// The command's id, once something new was named after it.
    pub(super) command_id: Option<CommandId>,
    /// The body in a form that is the same for the same content.
    pub(super) canonical: Vec<u8>,
    pub(super) request: RequestId,
}

impl Sent {
    /// The answer to a command that never gets to the executor.
    pub(crate) fn refuse(self, error: impl Into<ApiError>) -> Failure {
        Failure::new(error, self.request)
    }

    /// The answer when something that the command needs could not be read.
    pub(crate) fn fail(self, error: &CommandError) -> Failure {
        Failure::of_command(error, self.request)
    }
}

impl<T, S> FromRequest<S> for Envelope<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let id = request_id(&mut parts).await;
        let headers = parts.headers.clone();
        let bytes = match Bytes::from_request(Request::from_parts(parts, body), state).await {
            Ok(bytes) => Ok(bytes),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(ErrorCode::BodyTooLarge.into())
            }
            Err(_) => Err(ApiError::new(ErrorCode::BadRequest).with_message("the body could not be read")),
        };
        bytes
            .and_then(|bytes| read(&headers, &bytes))
            .map(|(body, key, if_match, canonical)| Self {
                body,
                sent: Sent { key, if_match, command_id: None, canonical, request: id.clone() },
            })
            .map_err(|error| Failure::new(error, id))
    }
}

/// The field of every body that holds a moment.
const MOMENT: &str = "occurredAt";

type Read<T> = (T, Option<String>, Option<IfMatch>, Vec<u8>);

fn read<T: DeserializeOwned>(headers: &HeaderMap, bytes: &[u8]) -> Result<Read<T>, ApiError> {
    let key = idempotency_key(headers)?;
    let if_match = if_match(headers)?;
    // A command that needs no body may come without one.
    let bytes = if bytes.is_empty() && !headers.contains_key(header::CONTENT_TYPE) { b"{}" } else { bytes };
    if !bytes.is_empty() && bytes != b"{}" && !is_json(headers) {
        return Err(ErrorCode::UnsupportedMediaType.into());
    }
    let value = super::json::read(bytes).map_err(|error| malformed(&error))?;
    let body = serde_path_to_error::deserialize(Shaped(&value)).map_err(|error| invalid(&error, &value))?;
    Ok((body, key, if_match, canonical(&value).into_bytes()))
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn malformed(error: &serde_json::Error) -> ApiError {
    let place = json!({ "line": error.line(), "column": error.column() });
    if error.is_data() {
        return ApiError::new(ErrorCode::InvalidInput).with_message(error.to_string()).with_details(place);
    }
    let message = format!("the body is not valid JSON (line {}, column {})", error.line(), error.column());
    ApiError::new(ErrorCode::MalformedJson).with_message(message).with_details(place)
}

fn invalid(error: &serde_path_to_error::Error<serde_json::Error>, body: &Value) -> ApiError {
    let path = error.path().to_string();
    let reason = match body.get(MOMENT) {
        // Not the parser's own words: they speak of how it works.
        Some(Value::String(text)) if path == MOMENT => {
            format!("{text:?} is no moment of the years 1 to 9999, such as 2010-12-01T08:26:00Z")
        }
        _ => error.inner().to_string(),
    };
    let error = ApiError::new(ErrorCode::InvalidInput);
    match path.as_str() {
        "." | "?" => error.with_message(reason),
        field => error.with_message(format!("{field}: {reason}")).with_details(json!({ "field": field })),
    }
}

/// JSON with the keys of every object in order and no blanks.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let ordered: BTreeMap<&String, String> =
                fields.iter().map(|(key, value)| (key, canonical(value))).collect();
            let fields: Vec<String> =
                ordered.into_iter().map(|(key, value)| format!("{}:{value}", json!(key))).collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_content_has_the_same_canonical_form() {
        let one: Value = serde_json::from_str(r#"{"b":[1,{"y":null,"x":"é\""}],"a":{"d":1,"c":2}}"#).unwrap();
        let two: Value =
            serde_json::from_str(r#" {"a": {"c":2,"d":1}, "b":[1, {"x":"\u00e9\"","y":null}]}"#).unwrap();
        assert_eq!(canonical(&one), r#"{"a":{"c":2,"d":1},"b":[1,{"x":"é\"","y":null}]}"#);
        assert_eq!(canonical(&one), canonical(&two));
        let other: Value =
            serde_json::from_str(r#"{"a":{"c":2,"d":1},"b":[{"x":"é\"","y":null},1]}"#).unwrap();
        assert_ne!(canonical(&one), canonical(&other));
    }
}
