//! Brings the views' tables up to date.

use std::ops::DerefMut;

use deadpool_postgres::{Pool, PoolError};
use observability::postgres::told;

use crate::SCHEMA;

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// The read model's own history, beside that of the engine's tables.
const HISTORY_TABLE: &str = "read_model_migration";

/// One process at a time changes tables in the schema; the engine takes the same lock for its own.
const MIGRATION_LOCK: i64 = 0x6865_6164_7761_7401;

/// Why tables could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// No connection.
    #[error("no connection to Postgres: {}", told(.0))]
    Pool(#[from] PoolError),
    /// A statement was refused.
    #[error("Postgres refused a statement: {}", told(.0))]
    Postgres(#[from] tokio_postgres::Error),
    /// A migration failed, or another one was carried out under its number.
    #[error("the tables could not be brought up to date: {}", told(.0))]
    Migration(#[from] refinery::Error),
}

/// Creates or updates the tables of every view in the schema [`SCHEMA`]. Several processes may call it at once.
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
