//! Takes a version away, never from under a request that reads it.

use std::time::Duration;

use contract::status::Stage;
use deadpool_postgres::Pool;
use jiff::Timestamp;
use postgres_types::ToSql;
use tokio::time::sleep;

use super::LOCK_PROJECTION;
use crate::error::EngineError;
use crate::table::Table;
use crate::write::session::Session;

/// Between two looks at what is still waited for.
const PAUSE: Duration = Duration::from_millis(100);

/// Marks a version for going. False when it is not there, or is the active one; none becomes that meanwhile.
pub(crate) async fn mark(pool: &Pool, projection: &str, version: i32) -> Result<bool, EngineError> {
    let mut client = pool.get().await?;
    let transaction = client.transaction().await?;
    let Some(active) = transaction.query_opt(LOCK_PROJECTION, &[&projection]).await? else {
        return Ok(false);
    };
    if active.try_get::<_, i32>(0)? == version {
        return Ok(false);
    }
    let mark = "UPDATE projection_version SET stage = $3 WHERE name = $1 AND version = $2";
    let marked = transaction.execute(mark, &[&projection, &version, &Stage::Dropping.as_str()]).await?;
    transaction.commit().await?;
    Ok(marked > 0)
}

/// Drops a version that is marked for it, once its worker has let go of it and every transaction that may have read
/// its row has ended.
pub(crate) async fn carry_out(
    pool: &Pool,
    projection: &str,
    version: i32,
    tables: impl Iterator<Item = &'static Table>,
) -> Result<(), EngineError> {
    let session = Session::open(pool).await?;
    while !session.try_lock(projection, version).await? {
        sleep(PAUSE).await;
    }
    // Nobody who began to read after it was marked has chosen it.
    let marked =
        "SELECT clock_timestamp() FROM projection_version WHERE name = $1 AND version = $2 AND stage = $3";
    let values: [&(dyn ToSql + Sync); 3] = [&projection, &version, &Stage::Dropping.as_str()];
    if let Some(row) = session.client.query_opt(marked, &values).await? {
        until_older_transactions_end(&session, row.try_get(0)?).await?;
        for table in tables {
            let past = contract::history::table(table.name, version);
            let sql = format!("DROP TABLE IF EXISTS {}, {past}", table.versioned(version));
            session.client.batch_execute(&sql).await?;
        }
        // Last, so that tables without a row are never left behind.
        let delete = "DELETE FROM projection_version WHERE name = $1 AND version = $2 AND stage = $3";
        session.client.execute(delete, &values).await?;
        tracing::info!(projection, version, "the version is dropped");
    }
    session.unlock(projection, version).await?;
    Ok(())
}

async fn until_older_transactions_end(session: &Session, than: Timestamp) -> Result<(), EngineError> {
    let older = "SELECT EXISTS (SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_xmin IS NOT NULL
            AND xact_start <= $1)";
    while session.client.query_one(older, &[&than]).await?.try_get(0)? {
        sleep(PAUSE).await;
    }
    Ok(())
}
