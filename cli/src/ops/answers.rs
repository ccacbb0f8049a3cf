//! The addresses of the page, and what each answers.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State as Of};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use observability::recent::{Kind, LineQuery};
use serde::Deserialize;
use serde_json::json;

use super::Ops;
use super::state::State;

/// Nothing but our own files and answers, so that what a log line holds is never run.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Lines of an answer when nothing else is asked for.
const LINES: usize = 100;

pub(super) fn routes(ops: Ops) -> Router {
    Router::new()
        .route("/ops", get(async || file("text/html; charset=utf-8", include_str!("page/index.html"))))
        .route("/ops/page.js", get(async || file(SCRIPT, include_str!("page/page.js"))))
        .route("/ops/parts.js", get(async || file(SCRIPT, include_str!("page/parts.js"))))
        .route("/ops/page.css", get(async || file("text/css; charset=utf-8", include_str!("page/page.css"))))
        .route("/ops/state", get(async |Of(ops): Of<Ops>| Json(State::of(&ops))))
        .route("/ops/requests", get(requests))
        .route("/ops/requests/{trace}", get(request))
        .route("/ops/logs", get(logs))
        .with_state(ops)
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        // Another version of the binary has other files at the same addresses.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, text).into_response()
}

fn error(status: StatusCode, code: &str, message: &str) -> Response {
    (status, Json(json!({ "error": { "code": code, "message": message } }))).into_response()
}

fn invalid(message: &str) -> Response {
    error(StatusCode::BAD_REQUEST, "INVALID_INPUT", message)
}

#[derive(Deserialize)]
struct Which {
    kind: Option<String>,
}

async fn requests(Of(ops): Of<Ops>, Query(which): Query<Which>) -> Response {
    let kind = match which.kind.as_deref() {
        None | Some("slow") => Kind::Slow,
        Some("failed") => Kind::Failed,
        Some("recent") => Kind::Recent,
        Some(_) => return invalid("kind must be slow, failed or recent"),
    };
    Json(json!({ "requests": ops.recent.requests(kind) })).into_response()
}

async fn request(Of(ops): Of<Ops>, Path(trace): Path<String>) -> Response {
    match ops.recent.trace(&trace) {
        Some(spans) => Json(json!({ "traceId": trace, "spans": spans })).into_response(),
        None => error(StatusCode::NOT_FOUND, "NOT_FOUND", "this request is not in memory, or not any more"),
    }
}

#[derive(Deserialize)]
struct Lines {
    q: Option<String>,
    level: Option<String>,
    trace: Option<String>,
    before: Option<u64>,
    limit: Option<usize>,
}

async fn logs(Of(ops): Of<Ops>, lines: Result<Query<Lines>, QueryRejection>) -> Response {
    let Ok(Query(lines)) = lines else { return invalid("before and limit must be whole numbers") };
    let level = lines.level.filter(|level| !level.is_empty()).map(|level| level.parse()).transpose();
    let Ok(level) = level else { return invalid("level must be error, warn, info, debug or trace") };
    let query = LineQuery {
        text: lines.q,
        level,
        trace_id: lines.trace.filter(|trace| !trace.is_empty()),
        before: lines.before,
        limit: lines.limit.unwrap_or(LINES),
    };
    Json(ops.recent.lines(&query)).into_response()
}
