//! The one transaction of a batch: fence and checkpoint, rows, checksums, notification.

use contract::LogPosition;
use contract::status::{CHANNEL, HEARTBEAT_TIMEOUT_SECONDS, Moved, Stage, State};
use deadpool_postgres::{ClientWrapper, Transaction};
use jiff::Timestamp;
use postgres_types::ToSql;
use tokio_postgres::Error;

use super::checkpoint::{Fence, stage};
use super::moments::{INSERT, Moments};
use super::parked::{self, Retried};
use super::rows;
use super::sql::TableSql;
use crate::checksum::Checksums;
use crate::fold::{Change, Past};
use crate::parked::Stuck;
use crate::table::Table;

/// What a worker says of its projection, in the row that readers read.
#[derive(Debug, Clone)]
pub(crate) struct Status {
    pub(crate) state: State,
    pub(crate) position: LogPosition,
    pub(crate) head: LogPosition,
    pub(crate) lag_events: Option<i64>,
    pub(crate) pending_since: Option<Timestamp>,
    pub(crate) reason: Option<String>,
    pub(crate) failed_position: Option<LogPosition>,
    /// How many rows and streams are parked.
    pub(crate) parked: usize,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// Another worker has taken over: this one's term has ended.
    #[error("another worker has taken over")]
    Superseded,
    #[error(transparent)]
    Postgres(#[from] Error),
}

/// What the row says after a write.
pub(crate) struct Written {
    /// The next fence.
    pub(crate) fence: Fence,
    pub(crate) stage: Stage,
    /// Whether a version that is to take this one's place is behind it.
    pub(crate) is_awaited: bool,
}

/// Whose row, and the fence of the term.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holder {
    pub(crate) projection: &'static str,
    pub(crate) version: i32,
    pub(crate) fence: Fence,
}

/// Whether a version `v` is the active one and another one that is to take its place is behind it, but not far: it is
/// live, or neither is. The parameter is how long a worker may be silent, seconds.
macro_rules! is_awaited {
    ($silence:literal) => {
        concat!(
            "EXISTS (SELECT FROM projection p JOIN projection_version o USING (name) WHERE p.name = v.name
                AND p.active_version = v.version AND o.stage = 'SWITCHING' AND o.position < v.position
                AND (o.state = 'LIVE' OR o.state = 'CATCHING_UP' AND v.state = 'CATCHING_UP')
                AND o.heartbeat_at > now() - make_interval(secs => ",
            $silence,
            "))"
        )
    };
}

const STATUS: &str = concat!(
    "
    UPDATE projection_version v SET fence = fence + 1, state = $4, position = $5, head_position = $6, lag_events = $7,
        pending_since = $8, reason = $9, failed_position = $10, parked = $11, history_to = $5, heartbeat_at = now()
    WHERE name = $1 AND version = $2 AND fence = $3 RETURNING stage, ",
    is_awaited!("$12")
);

const IS_AWAITED: &str =
    concat!("SELECT ", is_awaited!("$3"), " FROM projection_version v WHERE name = $1 AND version = $2");

const CHECKSUM: &str = "
    INSERT INTO projection_checksum (name, version, view, row_count, checksums) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (name, version, view) DO UPDATE SET row_count = EXCLUDED.row_count, checksums = EXCLUDED.checksums";

const NOTIFY: &str = "SELECT pg_notify($1, $2)";

macro_rules! update_status {
    ($on:expr, $holder:expr, $status:expr) => {{
        let (holder, status): (&Holder, &Status) = ($holder, $status);
        let statement = $on.prepare_cached(STATUS).await?;
        let updated = $on
            .query_opt(
                &statement,
                &[
                    &holder.projection,
                    &holder.version,
                    &holder.fence.0,
                    &status.state.as_str(),
                    &status.position.0.cast_signed(),
                    &status.head.0.cast_signed(),
                    &status.lag_events,
                    &status.pending_since,
                    &status.reason,
                    &status.failed_position.map(|position| position.0.cast_signed()),
                    &i32::try_from(status.parked).unwrap_or(i32::MAX),
                    &HEARTBEAT_TIMEOUT_SECONDS,
                ],
            )
            .await?;
        let Some(updated) = updated else { return Err(WriteError::Superseded) };
        let stage = stage(updated.try_get(0)?);
        // Whose tables are about to go has no worker any more.
        if stage == Stage::Dropping {
            return Err(WriteError::Superseded);
        }
        Written { fence: Fence(holder.fence.0 + 1), stage, is_awaited: updated.try_get(1)? }
    }};
}

/// Writes the status alone, as a heartbeat, and gives the next fence.
pub(crate) async fn write_status(
    client: &ClientWrapper,
    holder: &Holder,
    status: &Status,
) -> Result<Written, WriteError> {
    Ok(update_status!(client, holder, status))
}

/// Whether a version that is to take the place of this one, the active one, is still behind it.
pub(crate) async fn is_awaited(client: &ClientWrapper, holder: &Holder) -> Result<bool, Error> {
    let statement = client.prepare_cached(IS_AWAITED).await?;
    let of: [&(dyn ToSql + Sync); 3] = [&holder.projection, &holder.version, &HEARTBEAT_TIMEOUT_SECONDS];
    match client.query_opt(&statement, &of).await? {
        Some(row) => row.try_get(0),
        None => Ok(false),
    }
}

/// What a batch writes beside the status. Empty for one that only moved the checkpoint.
pub(crate) struct BatchWrite<'b> {
    pub(crate) tables: &'b [TableSql],
    /// In the order of the tables.
    pub(crate) changes: &'b [Vec<Change>],
    /// What the rows of each were, where that is kept.
    pub(crate) past: &'b [Vec<Past>],
    /// When its events were recorded, if what rows were is kept.
    pub(crate) moments: Option<&'b Moments>,
    /// In the order of the tables, after the changes.
    pub(crate) checksums: &'b [Checksums],
    pub(crate) stuck: [&'b Stuck; 2],
    pub(crate) retried: Option<&'b Retried>,
}

/// Writes a batch and gives the next fence. The fence goes first: a worker whose term has ended touches no row, and
/// two workers never wait for each other's rows.
pub(crate) async fn commit(
    client: &mut ClientWrapper,
    holder: &Holder,
    status: &Status,
    batch: &BatchWrite<'_>,
) -> Result<Written, WriteError> {
    let transaction = client.transaction().await?;
    let written = update_status!(transaction, holder, status);
    for ((sql, changes), checksums) in batch.tables.iter().zip(batch.changes).zip(batch.checksums) {
        if changes.is_empty() {
            continue;
        }
        rows::write(&transaction, sql, changes).await?;
        write_checksums(&transaction, (holder.projection, holder.version), sql.table, checksums).await?;
    }
    let of = (holder.projection, holder.version);
    for (sql, past) in batch.tables.iter().zip(batch.past) {
        rows::write_past(&transaction, sql, past).await?;
    }
    if let Some(moments) = batch.moments {
        let insert = transaction.prepare_cached(INSERT).await?;
        moments.write(&*transaction, &insert, of).await?;
    }
    if let Some(retried) = batch.retried {
        parked::settle(&transaction, of, &tables_of(batch), retried).await?;
    }
    for stuck in batch.stuck {
        if !stuck.is_empty() {
            parked::park(&transaction, of, &tables_of(batch), stuck, false).await?;
        }
    }
    let moved = Moved {
        projection: holder.projection.to_owned(),
        version: holder.version,
        position: status.position,
    };
    let statement = transaction.prepare_cached(NOTIFY).await?;
    transaction.execute(&statement, &[&CHANNEL, &moved.to_string()]).await?;
    transaction.commit().await?;
    Ok(written)
}

fn tables_of(batch: &BatchWrite<'_>) -> Vec<&'static Table> {
    batch.tables.iter().map(|sql| sql.table).collect()
}

/// Writes count and checksums of one view.
pub(crate) async fn write_checksums(
    transaction: &Transaction<'_>,
    (projection, version): (&str, i32),
    table: &Table,
    checksums: &Checksums,
) -> Result<(), Error> {
    let statement = transaction.prepare_cached(CHECKSUM).await?;
    let values: [&(dyn ToSql + Sync); 5] =
        [&projection, &version, &table.name, &checksums.rows, &checksums.to_json()];
    transaction.execute(&statement, &values).await?;
    Ok(())
}
