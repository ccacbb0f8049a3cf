//! The database session of one worker: it holds the advisory lock, and all of the worker's statements go over it, so
//! that a worker which lost its lock with its connection cannot write either.

use deadpool_postgres::{ClientWrapper, Object, Pool};
use tokio_postgres::Error;
use xxhash_rust::xxh3::xxh3_64;

use crate::error::EngineError;

/// Set once in each session:
/// - views fold again after a crash of Postgres, so their commits need not wait for the disk;
/// - all statements go by key, and a plan made while a table was small must not scan it when it has grown;
/// - large documents are written again with each change, and lz4 packs them in a fraction of the time, where the server
///   has it;
/// - the server gives up a client whose host is gone within 5 seconds, which frees the lock for another.
const SET_UP: &str = "
    SET synchronous_commit = off;
    SET enable_seqscan = off;
    SET enable_hashjoin = off;
    SET enable_mergejoin = off;
    SET plan_cache_mode = force_generic_plan;
    SELECT set_config(name, 'lz4', false) FROM pg_settings
        WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals);
    SET tcp_keepalives_idle = 2;
    SET tcp_keepalives_interval = 1;
    SET tcp_keepalives_count = 3;
";

pub(crate) struct Session {
    pub(crate) client: ClientWrapper,
}

impl Session {
    /// Opens a connection that is the worker's own: it leaves the pool and is closed when the session is dropped.
    pub(crate) async fn open(pool: &Pool) -> Result<Session, EngineError> {
        let client = Object::take(pool.get().await?);
        client.batch_execute(SET_UP).await?;
        Ok(Session { client })
    }

    /// Takes the lock of a projection version, unless another session holds it. It lasts as long as the session.
    pub(crate) async fn try_lock(&self, projection: &str, version: i32) -> Result<bool, Error> {
        let row = self
            .client
            .query_one("SELECT pg_try_advisory_lock($1)", &[&lock_key(projection, version)])
            .await?;
        row.try_get(0)
    }

    /// Gives the lock back and keeps the session.
    pub(crate) async fn unlock(&self, projection: &str, version: i32) -> Result<(), Error> {
        self.client.execute("SELECT pg_advisory_unlock($1)", &[&lock_key(projection, version)]).await?;
        Ok(())
    }
}

fn lock_key(projection: &str, version: i32) -> i64 {
    xxh3_64(format!("headwater projection {projection} {version}").as_bytes()).cast_signed()
}
