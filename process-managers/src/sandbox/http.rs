//! The sandbox over HTTP.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use domain::ids::OrderId;
use domain::value::{GatewayToken, Price};
use serde::Deserialize;
use serde_json::json;

use super::call::{Call, Entry, Kind, Outcome};
use super::ledger::{Ledger, LedgerError};
use super::query::{Filter, summary};
use crate::gateway::IDEMPOTENCY_KEY;

/// The largest body, bytes; the longest real one has a few hundred.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// The longest idempotency key, bytes.
const KEY_BYTES_MAX: usize = 128;

/// The routes of the sandbox: those of both gateways, and the ledger.
pub fn routes(ledger: Arc<Ledger>) -> Router {
    Router::new()
        .route("/v1/payments/authorizations", post(authorize))
        .route("/v1/payments/{reference}/capture", post(capture))
        .route("/v1/payments/{reference}/void", post(void))
        .route("/v1/payments/{reference}/refunds", post(refund))
        .route("/v1/shipments", post(carry))
        .route("/v1/shipments/{reference}", get(track))
        .route("/ledger", get(list))
        .route("/ledger/summary", get(summarize))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(ledger)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AuthorizeBody {
    order: OrderId,
    amount: Price,
    token: Option<GatewayToken>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AmountBody {
    amount: Price,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CarryBody {
    order: OrderId,
    token: Option<GatewayToken>,
}

type Shared = State<Arc<Ledger>>;
type Body<T> = Result<Json<T>, JsonRejection>;

/// A call that does not reach the ledger, or that the ledger cannot take.
struct Refused(StatusCode, &'static str, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self(status, code, message) = self;
        (status, Json(json!({ "error": { "code": code, "message": message } }))).into_response()
    }
}

impl From<JsonRejection> for Refused {
    fn from(rejection: JsonRejection) -> Self {
        Self(rejection.status(), "BAD_REQUEST", rejection.body_text())
    }
}

impl From<QueryRejection> for Refused {
    fn from(rejection: QueryRejection) -> Self {
        Self(rejection.status(), "BAD_REQUEST", rejection.body_text())
    }
}

impl From<LedgerError> for Refused {
    fn from(error: LedgerError) -> Self {
        let status = match error {
            LedgerError::Full => StatusCode::INSUFFICIENT_STORAGE,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self(status, "UNAVAILABLE", error.to_string())
    }
}

async fn authorize(
    State(ledger): Shared,
    headers: HeaderMap,
    body: Body<AuthorizeBody>,
) -> Result<Response, Refused> {
    let key = Some(required_key(&headers)?);
    let Json(AuthorizeBody { order, amount, token }) = body?;
    let token = token.map(|token| token.to_string());
    let (order, amount) = (Some(order), Some(amount));
    answer(&ledger, Call { key, order, amount, token, ..about(Kind::Authorize, None) }).await
}

async fn capture(
    State(ledger): Shared,
    Path(reference): Path<String>,
    headers: HeaderMap,
    body: Body<AmountBody>,
) -> Result<Response, Refused> {
    let key = Some(required_key(&headers)?);
    let amount = Some(body?.0.amount);
    answer(&ledger, Call { key, amount, ..about(Kind::Capture, Some(reference)) }).await
}

async fn void(
    State(ledger): Shared,
    Path(reference): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let key = Some(required_key(&headers)?);
    answer(&ledger, Call { key, ..about(Kind::Void, Some(reference)) }).await
}

async fn refund(
    State(ledger): Shared,
    Path(reference): Path<String>,
    headers: HeaderMap,
    body: Body<AmountBody>,
) -> Result<Response, Refused> {
    let key = Some(required_key(&headers)?);
    let amount = Some(body?.0.amount);
    answer(&ledger, Call { key, amount, ..about(Kind::Refund, Some(reference)) }).await
}

async fn carry(
    State(ledger): Shared,
    headers: HeaderMap,
    body: Body<CarryBody>,
) -> Result<Response, Refused> {
    let key = Some(required_key(&headers)?);
    let Json(CarryBody { order, token }) = body?;
    let token = token.map(|token| token.to_string());
    answer(&ledger, Call { key, order: Some(order), token, ..about(Kind::Carry, None) }).await
}

async fn track(
    State(ledger): Shared,
    Path(reference): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let key = key(&headers)?;
    answer(&ledger, Call { key, ..about(Kind::Track, Some(reference)) }).await
}

async fn list(
    State(ledger): Shared,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Response, Refused> {
    let Query(filter) = filter?;
    let page = ledger.look(|entries| filter.page(entries));
    let page = page.map_err(|problem| Refused(StatusCode::BAD_REQUEST, "BAD_REQUEST", problem))?;
    Ok(Json(page).into_response())
}

async fn summarize(State(ledger): Shared) -> Response {
    Json(ledger.look(summary)).into_response()
}

fn about(kind: Kind, reference: Option<String>) -> Call {
    Call { kind, key: None, order: None, reference, amount: None, token: None }
}

fn required_key(headers: &HeaderMap) -> Result<String, Refused> {
    let missing = || bad_key("the header Idempotency-Key is missing");
    key(headers)?.ok_or_else(missing)
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Refused> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    match value.to_str() {
        Ok(key) if (1..=KEY_BYTES_MAX).contains(&key.len()) => Ok(Some(key.to_owned())),
        _ => Err(bad_key("an Idempotency-Key has 1 to 128 visible ASCII characters")),
    }
}

fn bad_key(message: &str) -> Refused {
    Refused(StatusCode::BAD_REQUEST, "BAD_REQUEST", message.to_owned())
}

async fn answer(ledger: &Ledger, call: Call) -> Result<Response, Refused> {
    let Entry { call, outcome, reason, .. } = ledger.receive(call).await?;
    let refused = |status, code| Err(Refused(status, code, reason.clone().unwrap_or_default()));
    match outcome {
        Outcome::NotFound => refused(StatusCode::NOT_FOUND, "NOT_FOUND"),
        Outcome::Rejected => refused(StatusCode::CONFLICT, "REJECTED"),
        Outcome::KeyReused => refused(StatusCode::UNPROCESSABLE_ENTITY, "IDEMPOTENCY_KEY_REUSED"),
        _ => {
            let body = json!({ "status": outcome, "reference": call.reference, "reason": reason });
            Ok(Json(body).into_response())
        }
    }
}
