//! What every HTTP server of ours does around its handlers: a request id, a server span, one wide log event and one
//! measurement a request, and an answer when a handler panics.

pub mod metrics;
mod observed;
mod request_id;

use std::panic::AssertUnwindSafe;

use axum::extract::{MatchedPath, Request};
use axum::http::HeaderValue;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use contract::{ApiError, ErrorCode};
use futures::FutureExt as _;
use tracing::Instrument as _;

pub use request_id::RequestId;

use observed::Observed;

/// The header that carries the request id, both ways.
pub const REQUEST_ID: &str = "x-request-id";

/// The header of an answer with the log position it saw or wrote.
pub const POSITION: &str = "headwater-position";

/// What a log filter calls the lines of requests, one each: warnings and errors of those that failed here, `info` for all
/// others.
pub const REQUEST_LOG_TARGET: &str = "request";

/// Wraps every route and the fallback of a finished router.
///
/// Handlers find the [`RequestId`] by extracting it. Bodies and query strings are never logged or traced.
pub fn layer(router: Router) -> Router {
    router.layer(from_fn(observe))
}

async fn observe(mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let observed = Observed::start(&request, route.as_ref().map(MatchedPath::as_str), id.clone());
    request.extensions_mut().insert(id.clone());
    let span = observed.span().clone();
    let answer = AssertUnwindSafe(next.run(request).instrument(span)).catch_unwind().await;
    let mut response = answer.unwrap_or_else(|_| panicked(&id));
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    observed.finish(&response);
    response
}

/// The panic itself is in the log; the client learns only that it was our fault.
fn panicked(id: &RequestId) -> Response {
    error(ErrorCode::Internal.into(), id)
}

/// An error of the closed table as a REST answer.
#[must_use]
pub fn error(mut error: ApiError, id: &RequestId) -> Response {
    let status = axum::http::StatusCode::from_u16(error.code.http_status())
        .unwrap_or(axum::http::StatusCode::INTERNAL_SERVER_ERROR);
    error.request_id = Some(id.as_str().to_owned());
    (status, Json(serde_json::json!({ "error": error }))).into_response()
}
