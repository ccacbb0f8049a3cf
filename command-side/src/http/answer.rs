//! Answers that are no errors.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use contract::Position;
use observability::http::POSITION;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// On an answer that was given before: the command stood in the log already.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// What a command answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Answer {
    /// The aggregate.
    pub(crate) id: Uuid,
    /// Its revision behind the command, as in `ETag`.
    pub(crate) revision: Option<u64>,
    /// Where in the log; a query that carries it sees what the command did.
    #[schema(value_type = String, example = "5f0cb1d5-1234")]
    pub(crate) position: Position,
    #[serde(skip)]
    #[schema(ignore)]
    pub(crate) created: bool,
    #[serde(skip)]
    #[schema(ignore)]
    pub(crate) replayed: bool,
    #[serde(skip)]
    #[schema(ignore)]
    pub(crate) kind: &'static str,
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = if self.created { StatusCode::CREATED } else { StatusCode::OK };
        let location = format!("/v1/{}/{}", self.kind, self.id);
        let (revision, position, replayed) = (self.revision, self.position, self.replayed);
        let mut response = (status, Json(self)).into_response();
        if replayed {
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        }
        if let Ok(value) = HeaderValue::try_from(location) {
            response.headers_mut().insert(header::LOCATION, value);
        }
        stamp(&mut response, revision, position);
        response
    }
}

/// An aggregate as it stands in the log.
pub(crate) struct Found<T> {
    pub(crate) body: T,
    pub(crate) revision: u64,
    pub(crate) position: Position,
}

impl<T: Serialize> IntoResponse for Found<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.body).into_response();
        stamp(&mut response, Some(self.revision), self.position);
        response
    }
}

fn stamp(response: &mut Response, revision: Option<u64>, position: Position) {
    let headers = response.headers_mut();
    if let Some(value) = revision.and_then(|revision| HeaderValue::try_from(format!("\"{revision}\"")).ok()) {
        headers.insert(header::ETAG, value);
    }
    if let Ok(value) = HeaderValue::try_from(position.to_string()) {
        headers.insert(POSITION, value);
    }
}
