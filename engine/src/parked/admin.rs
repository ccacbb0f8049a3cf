//! What people see of what is parked, and how they decide about it: from any process, for the workers carry it out.

use std::time::Duration;

use contract::LogPosition;
use deadpool_postgres::Pool;
use event_store::{AppendError, EventStore, Expected};
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::{Instant, sleep};
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;

use super::decision::{self, PlaceName};
use crate::error::EngineError;

/// How often it is looked whether a decision is carried out.
const LOOK: Duration = Duration::from_millis(50);

/// A row of a view, or a stream, that is parked in the version that readers use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParkedPlace {
    /// The projection.
    pub projection: String,
    /// Its version that readers use.
    pub version: i32,
    /// View and key between slashes, or `stream/` and the name of the stream.
    pub place: String,
    /// How many events wait there.
    pub waiting: i64,
    /// How often it has been tried again.
    pub tries: i32,
    /// When the log took the event that failed.
    pub since: Timestamp,
    /// Where the event that failed stands in the log.
    pub position: LogPosition,
    /// Its stream.
    pub stream: String,
    /// Its number in the stream.
    pub revision: i64,
    /// Its type.
    pub event_type: String,
    /// Why it failed.
    pub reason: String,
    #[serde(skip)]
    name: PlaceName,
}

/// An event that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitingEvent {
    /// Where it stands in the log.
    pub position: LogPosition,
    /// Its stream.
    pub stream: String,
    /// Its number in the stream.
    pub revision: i64,
}

/// What a decision has come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decided {
    /// The projection.
    pub projection: String,
    /// As in [`ParkedPlace::place`].
    pub place: String,
    /// Where the decision stands in the log.
    pub position: LogPosition,
    /// What is still parked there; none when all was folded.
    pub still: Option<ParkedPlace>,
}

/// Why nothing was decided, or is not carried out yet.
#[derive(Debug, thiserror::Error)]
pub enum ParkedError {
    /// The decision is in the log, and nobody has come to it.
    #[error(
        "the decision is recorded at position {position}, but no worker of {projection} has come there within \
         {seconds} s; it is carried out as soon as one does"
    )]
    NotCarriedOut {
        /// The projection.
        projection: String,
        /// Where the decision stands in the log.
        position: LogPosition,
        /// How long was waited.
        seconds: u64,
    },
    /// The decision could not be recorded.
    #[error("the decision could not be recorded: {0}")]
    Append(#[from] AppendError),
    /// It could not be written as JSON.
    #[error("the decision could not be recorded: {0}")]
    Json(#[from] serde_json::Error),
    /// The database.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

const LIST: &str = "
    SELECT k.name, k.version, k.view, k.key, k.tries, k.since, k.position, k.stream, k.revision, k.event_type, k.reason,
        (SELECT count(*) FROM projection_waiting w WHERE w.name = k.name AND w.version = k.version
            AND w.view = k.view AND w.key = k.key)
    FROM projection p JOIN projection_parked k ON k.name = p.name AND k.version = p.active_version
    WHERE $1::text IS NULL OR p.name = $1 ORDER BY k.name, k.position, k.view, k.key";

/// What is parked of one projection, or of all, that of the earliest event first.
///
/// # Errors
/// The database cannot be asked.
pub async fn list(pool: &Pool, projection: Option<&str>) -> Result<Vec<ParkedPlace>, EngineError> {
    let client = pool.get().await?;
    let rows = match client.query(LIST, &[&projection]).await {
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Vec::new(),
        rows => rows?,
    };
    Ok(rows.iter().map(place).collect::<Result<_, _>>()?)
}

fn place(row: &Row) -> Result<ParkedPlace, tokio_postgres::Error> {
    let name = PlaceName { view: row.try_get(2)?, key: row.try_get(3)? };
    Ok(ParkedPlace {
        projection: row.try_get(0)?,
        version: row.try_get(1)?,
        place: name.shown(),
        waiting: row.try_get(11)?,
        tries: row.try_get(4)?,
        since: row.try_get(5)?,
        position: LogPosition(row.try_get::<_, i64>(6)?.cast_unsigned()),
        stream: row.try_get(7)?,
        revision: row.try_get(8)?,
        event_type: row.try_get(9)?,
        reason: row.try_get(10)?,
        name,
    })
}

const WAITING: &str = "
    SELECT position, stream, revision FROM projection_waiting
    WHERE name = $1 AND version = $2 AND view = $3 AND key = $4 ORDER BY position LIMIT $5";

/// The first events that wait at a place, the one that failed before all others.
///
/// # Errors
/// The database cannot be asked.
pub async fn waiting(pool: &Pool, at: &ParkedPlace, limit: u32) -> Result<Vec<WaitingEvent>, EngineError> {
    let client = pool.get().await?;
    let (name, limit) = (&at.name, i64::from(limit));
    let rows = client.query(WAITING, &[&at.projection, &at.version, &name.view, &name.key, &limit]).await?;
    let event = |row: &Row| {
        Ok::<_, tokio_postgres::Error>(WaitingEvent {
            position: LogPosition(row.try_get::<_, i64>(0)?.cast_unsigned()),
            stream: row.try_get(1)?,
            revision: row.try_get(2)?,
        })
    };
    Ok(rows.iter().map(event).collect::<Result<_, _>>()?)
}

/// Has the events that wait at a place folded again, and waits until that is done.
///
/// # Errors
/// See [`ParkedError`].
pub async fn retry(
    pool: &Pool,
    store: &EventStore,
    at: &ParkedPlace,
    patience: Duration,
) -> Result<Decided, ParkedError> {
    decide(pool, store, at, None, patience).await
}

/// Has the event that failed at a place left out for good and the others that wait folded, and waits until that is done.
/// An event that can be folded now is folded all the same.
///
/// # Errors
/// See [`ParkedError`].
pub async fn skip(
    pool: &Pool,
    store: &EventStore,
    at: &ParkedPlace,
    patience: Duration,
) -> Result<Decided, ParkedError> {
    decide(pool, store, at, Some(at.position), patience).await
}

async fn decide(
    pool: &Pool,
    store: &EventStore,
    at: &ParkedPlace,
    skip: Option<LogPosition>,
    patience: Duration,
) -> Result<Decided, ParkedError> {
    let (projection, event) = (&at.projection, decision::event(&at.name, skip)?);
    let appended = store.append(&decision::stream(projection), Expected::Any, vec![event]).await?;
    let position = appended.position;
    let deadline = Instant::now() + patience;
    while active_position(pool, projection).await? < position {
        if Instant::now() >= deadline {
            let (projection, seconds) = (projection.clone(), patience.as_secs());
            return Err(ParkedError::NotCarriedOut { projection, position, seconds });
        }
        sleep(LOOK).await;
    }
    let still = list(pool, Some(projection)).await?.into_iter().find(|still| still.name == at.name);
    Ok(Decided { projection: projection.clone(), place: at.place.clone(), position, still })
}

async fn active_position(pool: &Pool, projection: &str) -> Result<LogPosition, EngineError> {
    const POSITION: &str = "
        SELECT v.position FROM projection p JOIN projection_version v
            ON v.name = p.name AND v.version = p.active_version WHERE p.name = $1";
    let client = pool.get().await?;
    let row = client.query_opt(POSITION, &[&projection]).await?;
    Ok(match row {
        Some(row) => LogPosition(row.try_get::<_, i64>(0)?.cast_unsigned()),
        None => LogPosition::START,
    })
}
