//! Writes an answer: 200 for a document that was carried out, whatever its fields say, and the status of the error for
//! a request that was refused before that.

use async_graphql::Response as Answer;
use async_graphql::Value;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use contract::{ApiError, ErrorCode};

use crate::error::{request_error, settle_code};
use crate::metrics::{ERRORS, FAILED_ANSWERS, REJECTED};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const GRAPHQL_JSON: HeaderValue = HeaderValue::from_static("application/graphql-response+json");

/// When to try again what was refused for want of room, seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// An answer to a request that was not carried out.
pub(super) fn failed(error: &ApiError) -> Answer {
    Answer::from_errors(vec![request_error(error)])
}

/// The answer over HTTP, in the media type that the client asks for.
pub(super) fn respond(request_headers: &HeaderMap, mut answer: Answer) -> Response {
    let mut refused = None;
    let mut is_ours = false;
    for error in &mut answer.errors {
        let code = settle_code(error);
        metrics::counter!(ERRORS, "code" => code.as_str()).increment(1);
        is_ours |= code.http_status() >= 500 || code == ErrorCode::TooManyRequests;
        // Who is turned away for want of room hears of it in one way, however far the query had come.
        let is_refused = error.path.is_empty() || code == ErrorCode::TooManyRequests;
        if is_refused && answer.data == Value::Null {
            refused.get_or_insert(code);
        }
    }
    if let Some(reason) = refused.and_then(limit) {
        metrics::counter!(REJECTED, "reason" => reason).increment(1);
    }
    if is_ours && refused.is_none() {
        metrics::counter!(FAILED_ANSWERS).increment(1);
    }
    let status = refused.map_or(StatusCode::OK, |code| {
        StatusCode::from_u16(code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    });
    // Texts, numbers and lists: there is nothing in it that JSON does not take.
    let body = serde_json::to_vec(&answer).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let accepts =
        |value: &HeaderValue| value.to_str().is_ok_and(|text| text.contains("graphql-response+json"));
    let graphql_json = request_headers.get_all(header::ACCEPT).iter().any(accepts);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, if graphql_json { GRAPHQL_JSON } else { JSON });
    if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        headers.insert(header::RETRY_AFTER, RETRY_AFTER);
    }
    response
}

/// The limit of this service that an error speaks of, as metrics name it.
fn limit(code: ErrorCode) -> Option<&'static str> {
    match code {
        ErrorCode::QueryTooDeep => Some("depth"),
        ErrorCode::QueryTooComplex => Some("complexity"),
        ErrorCode::TooManyRequests => Some("overload"),
        _ => None,
    }
}
