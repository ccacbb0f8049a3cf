//! An error on its way to the client.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use contract::{ApiError, ErrorCode, Position};
use observability::http::{POSITION, RequestId};

use crate::executor::CommandError;

/// After how long a client that was turned away should try again, seconds.
const RETRY_AFTER: &str = "1";

/// An error with what its answer carries besides.
#[derive(Debug)]
pub(crate) struct Failure {
    error: ApiError,
    position: Option<Position>,
    request: RequestId,
}

impl Failure {
    pub(crate) fn new(error: impl Into<ApiError>, request: RequestId) -> Self {
        Self { error: error.into(), position: None, request }
    }

    /// The failure of a command; the cause that the client must not see goes to the log.
    pub(crate) fn of_command(error: &CommandError, request: RequestId) -> Self {
        match error {
            CommandError::Internal(cause) => tracing::error!(cause, "command failed"),
            CommandError::OutcomeUnknown(cause) | CommandError::Unavailable(cause) => {
                tracing::warn!(cause, "command could not be carried out");
            }
            _ => {}
        }
        Self { error: error.public(), position: error.position(), request }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = self.error.code.http_status();
        let mut response = observability::http::error(self.error, &self.request);
        let headers = response.headers_mut();
        if matches!(status, 429 | 503) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
        }
        if let Some(value) =
            self.position.and_then(|position| HeaderValue::try_from(position.to_string()).ok())
        {
            headers.insert(POSITION, value);
        }
        response
    }
}

/// The id of the request at hand, whatever becomes of the rest of it.
pub(super) async fn request_id(parts: &mut Parts) -> RequestId {
    match RequestId::from_request_parts(parts, &()).await {
        Ok(id) => id,
        Err(never) => match never {},
    }
}

/// The answer for an address that is not there; for whoever puts the whole service together.
pub async fn route_not_found(request: RequestId) -> Response {
    Failure::new(ErrorCode::RouteNotFound, request).into_response()
}

/// The answer for a method that an address does not take.
pub(crate) async fn method_not_allowed(request: RequestId) -> Response {
    Failure::new(ErrorCode::MethodNotAllowed, request).into_response()
}
