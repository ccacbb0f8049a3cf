//! Whether a version keeps what its rows were, from when on, and how the oldest of it goes.

use std::time::Duration;

use contract::history::POSITIONS_OF_MOMENT;
use deadpool_postgres::{ClientWrapper, Transaction};
use jiff::Timestamp;
use postgres_types::ToSql;
use tokio_postgres::{Error, GenericClient};

use super::moments;
use super::sql::{self, Keeps, TableSql};
use crate::error::EngineError;

/// The most rows of a table that go at once: new events wait meanwhile.
const CHUNK: u64 = 2_000;

const STANDS: &str = "
    SELECT position, history_from, history_to FROM projection_version WHERE name = $1 AND version = $2";

const BEGIN: &str = "
    UPDATE projection_version SET history_from = position, history_to = position,
        history_since = CASE WHEN position > 0 THEN now() END
    WHERE name = $1 AND version = $2";

const END: &str = "
    UPDATE projection_version SET history_from = NULL, history_since = NULL, history_to = NULL
    WHERE name = $1 AND version = $2";

const RAISE: &str = "
    UPDATE projection_version SET history_from = $3, history_since = $4
    WHERE name = $1 AND version = $2 AND history_from <= $3";

/// The newest ones stay, for they tell where the log was.
const FORGET_OLD_MOMENTS: &str = "
    DELETE FROM projection_moments WHERE name = $1 AND version = $2 AND latest <= $3 AND last_position <
        (SELECT max(last_position) FROM projection_moments WHERE name = $1 AND version = $2)";

/// How long what the rows of views were is kept, of the views whose tables say so. It is what queries as of a position or
/// a moment are answered from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepHistory {
    /// Not at all; what there was goes.
    Nothing,
    /// From the beginning, if the version was built so, else from when this was first said.
    Everything,
    /// What is older goes.
    For(Duration),
}

impl KeepHistory {
    pub(crate) fn is_kept(self) -> bool {
        self != KeepHistory::Nothing
    }
}

/// Makes the table of what the rows of a version were, and room in the version's own for the position that it needs.
pub(crate) async fn create(client: &impl GenericClient, sql: &TableSql) -> Result<(), EngineError> {
    let (name, past) = (sql.table.versioned(sql.version), sql.past());
    let mut statements = format!(
        "DROP TABLE IF EXISTS {past}; CREATE TABLE {past} (LIKE {name} INCLUDING STORAGE INCLUDING COMPRESSION);"
    );
    if sql.keeps == Keeps::Rows {
        statements += &format!(
            "ALTER TABLE {past} DROP COLUMN IF EXISTS since_position, ADD COLUMN until_position bigint NOT NULL;"
        );
        let has_room = "SELECT EXISTS (SELECT FROM pg_attribute
            WHERE attrelid = to_regclass($1) AND attname = 'since_position' AND NOT attisdropped)";
        // Asked for first, because to change the table is to wait for everybody who reads it.
        if !client.query_one(has_room, &[&name]).await?.try_get::<_, bool>(0)? {
            statements += &format!("ALTER TABLE {name} ADD COLUMN since_position bigint;");
        }
    }
    Ok(client.batch_execute(&statements).await?)
}

/// Adds the indexes, in which a load would lose its time: by key for readers, and by position for what has only just
/// been and for what goes. Positions stand in the order in which rows were written, so that index is a small one.
pub(crate) async fn index(client: &impl GenericClient, sql: &TableSql) -> Result<(), EngineError> {
    let past = sql.past();
    let key: Vec<&str> = sql.table.key.iter().map(|column| column.name).collect();
    let (key, positions) = (key.join(", "), sql.past_positions());
    let last = positions[positions.len() - 1];
    let by_key = match sql.keeps {
        Keeps::Rows => format!("ALTER TABLE {past} ADD PRIMARY KEY ({key}, {last})"),
        // Several rows may add to one sum at one event.
        Keeps::Sums | Keeps::Nothing => format!("CREATE INDEX ON {past} ({key}, {last})"),
    };
    let statements = format!(
        "{by_key}; CREATE INDEX ON {past} USING brin ({last}) WITH (autosummarize = on); ANALYZE {past};"
    );
    Ok(client.batch_execute(&statements).await?)
}

/// Brings about that a version which is taken over keeps what its rows were, or does not. It begins from here on when
/// something is missing of what was until now.
pub(crate) async fn settle(
    transaction: &Transaction<'_>,
    of: (&str, i32),
    tables: &[TableSql],
) -> Result<(), EngineError> {
    let (name, version) = of;
    let row = transaction.query_one(STANDS, &[&name, &version]).await?;
    let (from, to): (Option<i64>, Option<i64>) = (row.try_get(1)?, row.try_get(2)?);
    let kept: Vec<&TableSql> = sql::kept(tables).collect();
    if kept.is_empty() {
        if from.is_some() {
            transaction.execute(END, &[&name, &version]).await?;
            moments::forget(&**transaction, of).await?;
            for sql in tables {
                transaction.batch_execute(&format!("DROP TABLE IF EXISTS {}", sql.past())).await?;
            }
        }
        return Ok(());
    }
    let mut is_whole = from.is_some() && to == row.try_get(0)?;
    for sql in &kept {
        is_whole = is_whole && sql::exists(&**transaction, &sql.past()).await?;
    }
    if is_whole {
        return Ok(());
    }
    for sql in kept {
        create(&**transaction, sql).await?;
        index(&**transaction, sql).await?;
    }
    transaction.execute(BEGIN, &[&name, &version]).await?;
    moments::forget(&**transaction, of).await?;
    Ok(())
}

/// Forgets what was before a moment, a part of it at a time; whether there is more.
pub(crate) async fn forget(
    client: &mut ClientWrapper,
    of: (&str, i32),
    tables: &[TableSql],
    before: Timestamp,
) -> Result<bool, Error> {
    let (name, version) = of;
    let values: [&(dyn ToSql + Sync); 3] = [&name, &version, &before];
    let row = client.query_one(POSITIONS_OF_MOMENT, &values).await?;
    let (later, last): (Option<i64>, Option<i64>) = (row.try_get("later")?, row.try_get("last")?);
    let Some(position) = later.map(|later| later - 1).or(last) else { return Ok(false) };
    let transaction = client.transaction().await?;
    // First, so that nobody who reads from here on asks for what goes.
    if transaction.execute(RAISE, &[&name, &version, &position, &before]).await? == 0 {
        return Ok(false);
    }
    let mut has_more = false;
    for sql in sql::kept(tables) {
        let column = sql.past_positions()[sql.past_positions().len() - 1];
        let past = sql.past();
        let delete = format!(
            "DELETE FROM {past} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {past} WHERE {column} <= $1 LIMIT {CHUNK}))"
        );
        has_more |= transaction.execute(&delete, &[&position]).await? >= CHUNK;
    }
    transaction.execute(FORGET_OLD_MOMENTS, &values).await?;
    transaction.commit().await?;
    Ok(has_more)
}
