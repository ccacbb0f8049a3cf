//! `/graphql`: read a request, hold it against the limits, carry it out, answer.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_graphql::{Name, Request, Response as Answer, Value};
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use contract::{ApiError, ErrorCode, Position};
use observability::span;
use tracing::Instrument as _;

use super::answer::{failed, respond};
use super::{Service, request};
use crate::as_of::{self, AsOf};
use crate::document::{self, analyse, chosen_operation, nesting_is_bearable};
use crate::in_order::FieldOrder;
use crate::metrics::OPERATION_DURATION;
use crate::read::ReadContext;

/// A request that takes longer, the sending of its body included, is given up.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// Carries out what the body says.
pub(super) async fn by_post(
    State(service): State<Arc<Service>>,
    request: axum::extract::Request,
) -> Response {
    let headers = request.headers().clone();
    within_limits(&service, &headers, async {
        let parsed = request::from_body(request).await?;
        execute(&service, &headers, parsed).await
    })
    .await
}

/// Carries out what the address says; there are only queries, so nothing changes by a GET.
pub(super) async fn by_get(State(service): State<Arc<Service>>, headers: HeaderMap, uri: Uri) -> Response {
    within_limits(&service, &headers, async {
        execute(&service, &headers, request::from_address(&uri)?).await
    })
    .await
}

async fn within_limits(
    service: &Service,
    headers: &HeaderMap,
    work: impl Future<Output = Result<Answer, ApiError>>,
) -> Response {
    let Ok(_permit) = service.permits.try_acquire() else {
        return respond(headers, failed(&ErrorCode::TooManyRequests.into()));
    };
    let answer = match tokio::time::timeout(REQUEST_TIMEOUT, work).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => failed(&error),
        Err(_) => failed(&ErrorCode::Timeout.into()),
    };
    respond(headers, answer)
}

async fn execute(service: &Service, headers: &HeaderMap, mut request: Request) -> Result<Answer, ApiError> {
    let position = request::min_position(headers)?;
    if !nesting_is_bearable(&request.query) {
        return Err(ErrorCode::QueryTooDeep.into());
    }
    let started = Instant::now();
    let variables = request.variables.clone();
    let name = request.operation_name.clone();
    // What cannot be parsed, or names no operation, is refused by the library, which says where.
    let Ok(document) = request.parsed_query() else { return Ok(service.schema.execute(request).await) };
    let operation = chosen_operation(document, name.as_deref());
    let analysis = analyse(document, operation, &variables)?;
    let Some(operation) = operation else { return Ok(service.schema.execute(request).await) };
    if let Some(argument) = &analysis.nul_in {
        return Err(ApiError::new(ErrorCode::InvalidInput)
            .with_message(format!("{argument}: a text here has no NUL in it"))
            .with_details(serde_json::json!({ "field": argument.as_str() })));
    }
    let as_of = as_of::of_operation(document, operation, &variables)?;
    let kind = document::type_name(operation);
    let order = if analysis.circular {
        FieldOrder::default()
    } else {
        FieldOrder::of(document, operation, &variables)
    };
    let span = tracing::info_span!("graphql", otel.name = kind, graphql.operation.type = kind);
    let mut answer =
        read(service, request, analysis.projections, (position, as_of)).instrument(span.clone()).await;
    if !answer.errors.is_empty() {
        span::note(&span, "headwater.graphql.errors", span::count(answer.errors.len()));
    }
    order.restore(&mut answer.data);
    metrics::histogram!(OPERATION_DURATION, "type" => kind).record(started.elapsed().as_secs_f64());
    Ok(answer)
}

async fn read(
    service: &Service,
    request: Request,
    projections: BTreeSet<&'static str>,
    (position, as_of): (Option<Position>, Option<AsOf>),
) -> Answer {
    let context = Arc::new(ReadContext::new(service.reader.clone(), projections, position, as_of));
    let answer = service.schema.execute(request.data(context.clone())).await;
    let answer = match context.position_served() {
        Some(served) => answer.extension("position", Value::String(served.to_string())),
        None => answer,
    };
    let parked = context.parked();
    if parked.is_empty() {
        return answer;
    }
    let of = |(name, rows): (&str, i32)| (Name::new(name), Value::from(rows));
    answer.extension("parked", Value::Object(parked.into_iter().map(of).collect()))
}
