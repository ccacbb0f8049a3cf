//! The database sessions of a build. Whatever still writes into the tables of a version, a part of a build that was
//! broken off say, holds a lock for as long as its session lasts, and the next build waits for that.

use deadpool_postgres::Pool;
use xxhash_rust::xxh3::xxh3_64;

use crate::error::EngineError;
use crate::write::session::Session;

/// Loading, indexing and reading whole tables takes as long as it takes.
const SET_UP: &str = "SET statement_timeout = 0; SET enable_seqscan = on; SET maintenance_work_mem = '64MB'";

/// One that writes into the tables of a build, or makes them.
pub(super) async fn writing(pool: &Pool, projection: &str, version: i32) -> Result<Session, EngineError> {
    let session = open(pool).await?;
    let key = writers_key(projection, version);
    session.client.execute("SELECT pg_advisory_lock_shared($1)", &[&key]).await?;
    Ok(session)
}

/// One that does not.
pub(super) async fn open(pool: &Pool) -> Result<Session, EngineError> {
    let session = Session::open(pool).await?;
    session.client.batch_execute(SET_UP).await?;
    Ok(session)
}

/// Waits until nobody writes into the tables of a build of the version any more.
pub(super) async fn until_writers_are_gone(
    session: &Session,
    projection: &str,
    version: i32,
) -> Result<(), EngineError> {
    let key = writers_key(projection, version);
    session.client.execute("SELECT pg_advisory_lock($1)", &[&key]).await?;
    session.client.execute("SELECT pg_advisory_unlock($1)", &[&key]).await?;
    Ok(())
}

fn writers_key(projection: &str, version: i32) -> i64 {
    xxh3_64(format!("headwater build {projection} {version}").as_bytes()).cast_signed()
}
