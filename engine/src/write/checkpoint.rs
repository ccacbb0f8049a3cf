//! Where a projection stands: taking it over, and reading it without taking it over.

use contract::status::Stage;
use contract::{LogIdentity, LogPosition};
use deadpool_postgres::ClientWrapper;
use jiff::Timestamp;

use super::sql::TableSql;
use super::{history, moments, parked};
use crate::checksum::Checksums;
use crate::error::EngineError;
use crate::parked::{Parked, Place};
use crate::projection::Projection;
use crate::table::Table;

/// The fence of a term: the number that the worker's last transaction left in the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fence(pub(crate) i64);

/// What a worker takes over.
pub(crate) struct Checkpoint {
    pub(crate) fence: Fence,
    pub(crate) position: LogPosition,
    pub(crate) stage: Stage,
    /// In the order of the projection's tables.
    pub(crate) checksums: Vec<Checksums>,
    pub(crate) parked: Parked,
    /// What was put aside while the version was built.
    pub(crate) held: Vec<Place>,
    /// When the latest of the events folded was recorded, if what rows were is kept.
    pub(crate) recorded_to: Option<Timestamp>,
}

/// What stands in the row of a version that is to be folded.
pub(crate) struct Standing {
    pub(crate) position: LogPosition,
    pub(crate) stage: Stage,
}

const STANDING: &str =
    "SELECT log_identity, position, settings, stage FROM projection_version WHERE name = $1 AND version = $2";

/// Begins a term: whoever held the projection before finds another fence at its next transaction.
const TAKE_OVER: &str = "
    UPDATE projection_version SET fence = fence + 1, state = $3, head_position = $4, lag_events = NULL,
        reason = NULL, failed_position = NULL, heartbeat_at = now()
    WHERE name = $1 AND version = $2 RETURNING fence, position, stage";

const CHECKSUMS: &str =
    "SELECT view, row_count, checksums FROM projection_checksum WHERE name = $1 AND version = $2";

/// Reads where a version of the projection stands, without taking it over; none when there is no such version.
///
/// # Errors
/// [`EngineError::Postgres`], or the refusal of a log or settings that the views are not of.
pub(crate) async fn look<E: Send + Sync + 'static>(
    client: &ClientWrapper,
    projection: &Projection<E>,
    version: i32,
    log: LogIdentity,
) -> Result<Option<Standing>, EngineError> {
    let name = projection.name;
    let Some(row) = client.query_opt(STANDING, &[&name, &version]).await? else { return Ok(None) };
    let identity: i64 = row.try_get(0)?;
    if identity != i64::from(log.0) {
        // The column is wider than an identity; what does not fit was not written by us.
        let stored = LogIdentity(u32::try_from(identity).unwrap_or_default());
        return Err(EngineError::ForeignLog { projection: name, stored, found: log });
    }
    let settings: &str = row.try_get(2)?;
    if settings != projection.settings {
        let (stored, found) = (settings.to_owned(), projection.settings.clone());
        return Err(EngineError::OtherSettings { projection: name, stored, found });
    }
    let position = LogPosition(row.try_get::<_, i64>(1)?.cast_unsigned());
    Ok(Some(Standing { position, stage: stage(row.try_get(3)?) }))
}

/// A stage that this binary does not know is of a newer one, which alone may touch the version.
pub(crate) fn stage(text: &str) -> Stage {
    Stage::parse(text).unwrap_or(Stage::Dropping)
}

/// Takes a version of the projection over, with what its tables keep of the past; the caller holds its lock and has
/// [looked](look). None when the version is gone.
///
/// # Errors
/// [`EngineError::Postgres`].
pub(crate) async fn take_over<E: Send + Sync + 'static>(
    client: &mut ClientWrapper,
    projection: &Projection<E>,
    version: i32,
    head: LogPosition,
    tables: &[TableSql],
) -> Result<Option<Checkpoint>, EngineError> {
    let (name, head) = (projection.name, head.0.cast_signed());
    let state = contract::status::State::CatchingUp.as_str();
    let transaction = client.transaction().await?;
    let Some(taken) = transaction.query_opt(TAKE_OVER, &[&name, &version, &state, &head]).await? else {
        return Ok(None);
    };
    history::settle(&transaction, (name, version), tables).await?;
    let recorded_to = moments::latest(&*transaction, (name, version)).await?;
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
    let (fence, stage) = (Fence(taken.try_get(0)?), stage(taken.try_get(2)?));
    let tables: Vec<&Table> = projection.tables().collect();
    // Only the one that holds the lock changes these.
    let (parked, rows) = parked::load(client, (name, version), &tables).await?;
    let held = rows.into_iter().filter(|row| row.is_held).map(|row| row.place).collect();
    Ok(Some(Checkpoint { fence, position, stage, checksums, parked, held, recorded_to }))
}
