//! Brings the sagas' tables up to date.

use std::ops::DerefMut;

use deadpool_postgres::{Pool, PoolError};

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// The schema of everything derived from the log; resetting the views drops it whole.
const SCHEMA: &str = "headwater";

/// The sagas' own history, beside those of the engine and the read model.
const HISTORY_TABLE: &str = "saga_migration";

/// One process at a time changes tables in the schema; engine and read model take the same lock.
const MIGRATION_LOCK: i64 = 0x6865_6164_7761_7401;

/// Why tables could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// No connection.
    #[error("no connection to Postgres: {0}")]
    Pool(#[from] PoolError),
    /// A statement was refused.
    #[error("Postgres refused a statement: {0}")]
    Postgres(#[from] tokio_postgres::Error),
    /// A migration failed, or another one was carried out under its number.
    #[error("the tables of the sagas could not be brought up to date: {0}")]
    Migration(#[from] refinery::Error),
}

/// Creates or updates the tables of every saga. The pool's connections must have the schema `headwater` first in
/// their search path. Several processes may call it at once.
///
/// # Errors
/// Postgres is not reachable or refuses a statement.
pub async fn migrate(pool: &Pool) -> Result<(), MigrateError> {
    let mut client = pool.get().await?;
    client.execute("SELECT pg_advisory_lock($1)", &[&MIGRATION_LOCK]).await?;
    let migrated = async {
        client.batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS {SCHEMA}")).await?;
        let mut runner = embedded::migrations::runner();
        runner.set_migration_table_name(HISTORY_TABLE);
        runner.run_async(client.deref_mut().deref_mut()).await?;
        Ok(())
    }
    .await;
    client.execute("SELECT pg_advisory_unlock($1)", &[&MIGRATION_LOCK]).await?;
    migrated
}
