//! What the tables say, in one snapshot.

use std::collections::BTreeSet;

use contract::status::{PROJECTION_TABLE, Stage, VERSION_TABLE};
use contract::{LogIdentity, LogPosition, Position};
use deadpool_postgres::{Pool, Transaction};
use read_model::View;
use read_model::catalogue::{CATALOGUE, PRODUCT_TEXTS, ProductTextRow};
use tokio_postgres::error::SqlState;
use tokio_postgres::{IsolationLevel, Row};
use uuid::Uuid;

use super::keeper::RoundError;

/// Rows of one statement.
const CHUNK: usize = 5_000;

/// A snapshot of the table of texts and its checkpoint.
pub(super) struct TableSnapshot<'a> {
    transaction: Transaction<'a>,
    /// Up to where the log is folded into the table.
    pub(super) position: Position,
    /// Whether it is the version that readers use.
    pub(super) active: bool,
    statement: String,
    /// The row that was read last.
    last: (i64, Uuid),
}

/// The versions of the table that are or may be read. None when nothing was folded yet.
pub(super) async fn versions(pool: &Pool) -> Result<Option<BTreeSet<i32>>, RoundError> {
    let versions = format!(
        "SELECT version FROM {VERSION_TABLE} WHERE name = $1 AND fold = ANY ($2) AND stage <> ALL ($3)"
    );
    let without_rows = [Stage::Building.as_str(), Stage::Dropping.as_str()];
    let client = pool.get().await?;
    let rows = match client.query(&versions, &[&CATALOGUE.name, &CATALOGUE.folds, &&without_rows[..]]).await {
        Ok(rows) => rows,
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let versions = rows.iter().map(|row| row.try_get(0)).collect::<Result<BTreeSet<_>, _>>()?;
    Ok((!versions.is_empty()).then_some(versions))
}

/// Opens a snapshot for what changed after a position. None when nothing was folded into the table yet.
pub(super) async fn open(
    client: &mut deadpool_postgres::Object,
    version: i32,
) -> Result<Option<TableSnapshot<'_>>, RoundError> {
    let transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await?;
    let status = format!(
        "SELECT log_identity, position, EXISTS (SELECT FROM {PROJECTION_TABLE} WHERE name = $1 AND active_version = $2) \
            AS active FROM {VERSION_TABLE} WHERE name = $1 AND version = $2"
    );
    let (position, active) = match transaction.query_opt(&status, &[&CATALOGUE.name, &version]).await {
        Ok(Some(row)) => (position(&row)?, row.try_get("active")?),
        Ok(None) => return Ok(None),
        // The tables come with the first start of the projections.
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let statement = format!(
        "SELECT {} FROM {} WHERE ({}, product_id) > ($1, $2) ORDER BY {}, product_id LIMIT {CHUNK}",
        PRODUCT_TEXTS.column_list(),
        PRODUCT_TEXTS.table(version),
        View::POSITION,
        View::POSITION,
    );
    Ok(Some(TableSnapshot { transaction, position, active, statement, last: (-1, Uuid::max()) }))
}

impl TableSnapshot<'_> {
    /// Passes over what the log had brought up to a position.
    pub(super) fn skip_to(&mut self, position: LogPosition) {
        // A position that Postgres has no number for is beyond every row.
        self.last = (i64::try_from(position.0).unwrap_or(i64::MAX), Uuid::max());
    }

    /// The next rows, in the order in which they changed; none when there are no more.
    pub(super) async fn next(&mut self) -> Result<Vec<ProductTextRow>, RoundError> {
        let statement = self.transaction.prepare_cached(&self.statement).await?;
        let rows = self.transaction.query(&statement, &[&self.last.0, &self.last.1]).await?;
        let rows: Vec<_> = rows.iter().map(ProductTextRow::read).collect::<Result<_, _>>()?;
        if let Some(row) = rows.last() {
            self.last = (row.updated_position, row.product_id);
        }
        Ok(rows)
    }
}

fn position(row: &Row) -> Result<Position, RoundError> {
    let (log, at): (i64, i64) = (row.try_get("log_identity")?, row.try_get("position")?);
    match (u32::try_from(log), u64::try_from(at)) {
        (Ok(log), Ok(at)) => Ok(Position { log: LogIdentity(log), at: LogPosition(at) }),
        _ => Err(RoundError::Status { log, at }),
    }
}
