//! Whether a version keeps what its rows were, from when on, and how the oldest of it goes.

use contract::history::POSITIONS_OF_MOMENT;
use deadpool_postgres::{ClientWrapper, Transaction};
use jiff::Timestamp;
use postgres_types::ToSql;
use tokio_postgres::Error;

use super::sql::{Keeps, TableSql};
use crate::error::EngineError;
use crate::versions::shape;

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

const FORGET_MOMENTS: &str = "DELETE FROM projection_moments WHERE name = $1 AND version = $2";

const RAISE: &str = "
    UPDATE projection_version SET history_from = $3, history_since = $4
    WHERE name = $1 AND version = $2 AND history_from <= $3";

/// The newest ones stay, for they tell where the log was.
const FORGET_OLD_MOMENTS: &str = "
    DELETE FROM projection_moments WHERE name = $1 AND version = $2 AND latest <= $3 AND last_position <
        (SELECT max(last_position) FROM projection_moments WHERE name = $1 AND version = $2)";

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
    let kept: Vec<&TableSql> = tables.iter().filter(|sql| sql.keeps != Keeps::Nothing).collect();
    if kept.is_empty() {
        if from.is_some() {
            transaction.execute(END, &[&name, &version]).await?;
            transaction.execute(FORGET_MOMENTS, &[&name, &version]).await?;
            for sql in tables {
                transaction.batch_execute(&format!("DROP TABLE IF EXISTS {}", sql.past())).await?;
            }
        }
        return Ok(());
    }
    let mut is_whole = from.is_some() && to == row.try_get(0)?;
    for sql in &kept {
        is_whole = is_whole && shape::exists(&**transaction, &sql.past()).await?;
    }
    if is_whole {
        return Ok(());
    }
    for sql in kept {
        shape::create_past(&**transaction, sql).await?;
        shape::index_past(&**transaction, sql).await?;
    }
    transaction.execute(BEGIN, &[&name, &version]).await?;
    transaction.execute(FORGET_MOMENTS, &[&name, &version]).await?;
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
    for sql in tables.iter().filter(|sql| sql.keeps != Keeps::Nothing) {
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
