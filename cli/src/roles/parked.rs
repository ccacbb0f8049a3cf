//! `/parked` on the admin server of processes that fold: what waits because an event could not be folded, and what becomes
//! of it, as `headwater parked` has it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use contract::{ApiError, ErrorCode};
use deadpool_postgres::Pool;
use engine::EngineError;
use engine::parked::{self, ParkedError, ParkedPlace};
use engine::versions::versions;
use event_store::EventStore;
use serde::Deserialize;
use serde_json::json;

use crate::failure::Failure;

/// How long a worker may take to carry a decision out before it is said that it has not.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The most waiting events that are shown.
pub const WAITING_SHOWN: u32 = 100;

/// Connections: a decision that waits holds none.
const CONNECTIONS: usize = 2;

/// The page is there from the start, database and log a little later.
#[derive(Clone, Default)]
pub struct ParkedPage(Arc<OnceLock<(Pool, EventStore)>>);

#[derive(Debug, Deserialize)]
struct Which {
    projection: Option<String>,
    place: Option<String>,
}

/// What to decide about.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct At {
    projection: String,
    place: String,
}

impl ParkedPage {
    /// `GET /parked`, and what is decided by `POST`.
    pub fn routes(&self) -> Router {
        Router::new()
            .route("/parked", get(list))
            .route("/parked/waiting", get(waiting))
            .route("/parked/retry", post(retry))
            .route("/parked/skip", post(skip))
            .with_state(self.clone())
    }

    /// Where to look, and where to record decisions, from now on.
    ///
    /// # Errors
    /// The URL cannot be read.
    pub fn look_into(&self, database_url: &str, store: &EventStore) -> Result<(), Failure> {
        let pool = read_model::reader_pool(database_url, CONNECTIONS).map_err(|error| Failure::of(&error))?;
        // Told once; the first one stands.
        let _ = self.0.set((pool, store.clone()));
        Ok(())
    }

    fn ready(&self) -> Result<&(Pool, EventStore), Refused> {
        self.0.get().ok_or_else(|| Refused::unavailable("the database is not there yet"))
    }
}

/// An answer that is an error.
struct Refused(ApiError);

impl Refused {
    fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self(ApiError::new(code).with_message(message))
    }

    fn unavailable(message: &str) -> Self {
        Self::new(ErrorCode::Unavailable, message)
    }

    fn nothing_at(projection: &str, place: &str) -> Self {
        let error =
            Self::new(ErrorCode::UnknownReference, format!("nothing is parked at {place} in {projection}"));
        Self(error.0.with_details(json!({ "projection": projection, "place": place })))
    }
}

impl From<EngineError> for Refused {
    fn from(error: EngineError) -> Self {
        tracing::warn!(%error, "what is parked cannot be read");
        Self::unavailable("the database cannot be asked")
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.code.http_status());
        (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), Json(json!({ "error": self.0 })))
            .into_response()
    }
}

/// What is parked, of one projection or of all.
async fn list(
    State(page): State<ParkedPage>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Response, Refused> {
    let (pool, _) = page.ready()?;
    let Query(which) = which.map_err(|error| Refused::new(ErrorCode::BadRequest, error.body_text()))?;
    if let Some(name) = which.projection.as_deref()
        && versions(pool, Some(name)).await?.is_empty()
    {
        let error = Refused::new(
            ErrorCode::UnknownReference,
            format!("no projection or saga {name:?} is folded here"),
        );
        return Err(Refused(error.0.with_details(json!({ "projection": name }))));
    }
    Ok(Json(parked::list(pool, which.projection.as_deref()).await?).into_response())
}

/// A place with the first events that wait there.
async fn waiting(
    State(page): State<ParkedPage>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Response, Refused> {
    let (pool, _) = page.ready()?;
    let Query(which) = which.map_err(|error| Refused::new(ErrorCode::BadRequest, error.body_text()))?;
    let (Some(projection), Some(place)) = (which.projection, which.place) else {
        return Err(Refused::new(ErrorCode::InvalidInput, "name a projection and a place"));
    };
    let at = find(pool, &projection, &place).await?;
    let events = parked::waiting(pool, &at, WAITING_SHOWN).await?;
    Ok(Json(json!({ "place": at, "waitingEvents": events })).into_response())
}

/// Has the events that wait at a place folded again.
async fn retry(
    State(page): State<ParkedPage>,
    at: Result<Json<At>, JsonRejection>,
) -> Result<Response, Refused> {
    decide(&page, at, false).await
}

/// Has the event that failed left out for good, and the others folded.
async fn skip(
    State(page): State<ParkedPage>,
    at: Result<Json<At>, JsonRejection>,
) -> Result<Response, Refused> {
    decide(&page, at, true).await
}

/// Answers with what has become of it; 202 when it is recorded and nobody has come to it yet.
async fn decide(
    page: &ParkedPage,
    at: Result<Json<At>, JsonRejection>,
    is_skip: bool,
) -> Result<Response, Refused> {
    let (pool, store) = page.ready()?;
    // Only with the media type of JSON, which no form of another site can send without being asked.
    let Json(At { projection, place }) = at.map_err(|error| {
        let code = match error.status() {
            StatusCode::UNSUPPORTED_MEDIA_TYPE => ErrorCode::UnsupportedMediaType,
            StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::BodyTooLarge,
            StatusCode::UNPROCESSABLE_ENTITY => ErrorCode::InvalidInput,
            _ => ErrorCode::MalformedJson,
        };
        Refused::new(code, error.body_text())
    })?;
    let at = find(pool, &projection, &place).await?;
    let decided = match is_skip {
        true => parked::skip(pool, store, &at, PATIENCE).await,
        false => parked::retry(pool, store, &at, PATIENCE).await,
    };
    match decided {
        Ok(decided) => Ok(Json(decided).into_response()),
        Err(ParkedError::NotCarriedOut { position, .. }) => {
            let recorded = json!({ "projection": projection, "place": place, "position": position });
            Ok((StatusCode::ACCEPTED, Json(recorded)).into_response())
        }
        Err(ParkedError::Engine(error)) => Err(error.into()),
        Err(error) => {
            tracing::warn!(%error, "a decision about what is parked");
            Err(Refused::unavailable("the decision could not be recorded"))
        }
    }
}

async fn find(pool: &Pool, projection: &str, place: &str) -> Result<ParkedPlace, Refused> {
    let found = parked::list(pool, Some(projection)).await?;
    found.into_iter().find(|at| at.place == place).ok_or_else(|| Refused::nothing_at(projection, place))
}
