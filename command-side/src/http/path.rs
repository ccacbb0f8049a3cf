//! The id in an address.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use contract::{ApiError, ErrorCode};
use uuid::Uuid;

use super::Failure;
use super::failure::request_id;

/// The `{id}` of an address.
pub(crate) struct AggregateId(pub(crate) Uuid);

impl<S: Send + Sync> FromRequestParts<S> for AggregateId {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Path::<Uuid>::from_request_parts(parts, state).await {
            Ok(Path(id)) => Ok(Self(id)),
            Err(_) => {
                let error =
                    ApiError::new(ErrorCode::BadRequest).with_message("the id in the address is not a UUID");
                Err(Failure::new(error, request_id(parts).await))
            }
        }
    }
}
