//! Where a projection stands: taking it over, and reading it without taking it over.

use contract::{LogIdentity, LogPosition};
use deadpool_postgres::ClientWrapper;
use postgres_types::ToSql;
use tokio_postgres::Error;

use crate::checksum::Checksums;
use crate::error::EngineError;
use crate::projection::Projection;

/// The fence of a term: the number that the worker's last transaction left in the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fence(pub(crate) i64);

/// What a worker takes over.
pub(crate) struct Checkpoint {
    pub(crate) fence: Fence,
    pub(crate) position: LogPosition,
    /// In the order of the projection's tables.
    pub(crate) checksums: Vec<Checksums>,
}

const INSERT_PROJECTION: &str =
    "INSERT INTO projection (name, active_version) VALUES ($1, $2) ON CONFLICT DO NOTHING";

const INSERT_VERSION: &str = "
    INSERT INTO projection_version (name, version, state, log_identity, position, fence, head_position, heartbeat_at,
        settings)
    VALUES ($1, $2, $3, $4, 0, 0, $5, now(), $6) ON CONFLICT DO NOTHING";

const STANDING: &str = "
    SELECT p.active_version, v.log_identity, v.position, v.settings FROM projection p
    LEFT JOIN projection_version v ON v.name = p.name AND v.version = $2 WHERE p.name = $1";

/// Begins a term: whoever held the projection before finds another fence at its next transaction.
const TAKE_OVER: &str = "
    UPDATE projection_version SET fence = fence + 1, state = $3, head_position = $4, lag_events = NULL,
        reason = NULL, failed_position = NULL, heartbeat_at = now()
    WHERE name = $1 AND version = $2 RETURNING fence, position";

const CHECKSUMS: &str =
    "SELECT view, row_count, checksums FROM projection_checksum WHERE name = $1 AND version = $2";

/// Reads where the projection stands, without taking it over; none when nothing was folded yet.
///
/// # Errors
/// [`EngineError::Postgres`], or the refusal of a log, version or settings that the views are not of.
pub(crate) async fn look<E: Send + Sync + 'static>(
    client: &ClientWrapper,
    projection: &Projection<E>,
    log: LogIdentity,
) -> Result<Option<LogPosition>, EngineError> {
    let name = projection.name;
    let Some(row) = client.query_opt(STANDING, &[&name, &projection.version]).await? else {
        return Ok(None);
    };
    let active: i32 = row.try_get(0)?;
    if active != projection.version {
        return Err(EngineError::OtherVersion { projection: name, active, folded: projection.version });
    }
    let (identity, position) = (row.try_get::<_, Option<i64>>(1)?, row.try_get::<_, Option<i64>>(2)?);
    let (Some(identity), Some(position)) = (identity, position) else {
        return Ok(None);
    };
    if identity != i64::from(log.0) {
        // The column is wider than an identity; what does not fit was not written by us.
        let stored = LogIdentity(u32::try_from(identity).unwrap_or_default());
        return Err(EngineError::ForeignLog { projection: name, stored, found: log });
    }
    let settings: &str = row.try_get(3)?;
    if settings != projection.settings {
        let (stored, found) = (settings.to_owned(), projection.settings.clone());
        return Err(EngineError::OtherSettings { projection: name, stored, found });
    }
    Ok(Some(LogPosition(position.cast_unsigned())))
}

/// Takes the projection over; the caller holds its lock and has [looked](look). Inserts its rows the first time.
///
/// # Errors
/// [`EngineError::Postgres`].
pub(crate) async fn take_over<E: Send + Sync + 'static>(
    client: &mut ClientWrapper,
    projection: &Projection<E>,
    log: LogIdentity,
    head: LogPosition,
) -> Result<Checkpoint, EngineError> {
    let (name, version, head) = (projection.name, projection.version, head.0.cast_signed());
    let state = contract::status::State::CatchingUp.as_str();
    let transaction = client.transaction().await?;
    transaction.execute(INSERT_PROJECTION, &[&name, &version]).await?;
    let first =
        [&name as &(dyn ToSql + Sync), &version, &state, &i64::from(log.0), &head, &projection.settings];
    transaction.execute(INSERT_VERSION, &first).await?;
    let taken = transaction.query_one(TAKE_OVER, &[&name, &version, &state, &head]).await?;
    let rows = transaction.query(CHECKSUMS, &[&name, &version]).await?;
    transaction.commit().await?;

    let mut checksums = vec![Checksums::default(); projection.tables().count()];
    for row in &rows {
        let view: &str = row.try_get(0)?;
        if let Some(index) = projection.tables().position(|table| table.name == view) {
            checksums[index] = Checksums::from_json(row.try_get(1)?, &row.try_get(2)?);
        }
    }
    let position = LogPosition(taken.try_get::<_, i64>(1)?.cast_unsigned());
    Ok(Checkpoint { fence: Fence(taken.try_get(0)?), position, checksums })
}

/// Whether the error is of the data sent (SQLSTATE classes 22 and 23), so that sending it again cannot help.
pub(crate) fn is_of_the_data(error: &Error) -> bool {
    error.code().is_some_and(|state| state.code().starts_with("22") || state.code().starts_with("23"))
}
