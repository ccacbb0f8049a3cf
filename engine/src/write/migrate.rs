//! Brings the engine's own tables up to date.

use std::ops::DerefMut;

use deadpool_postgres::{Client, Pool};
use refinery::Runner;

use super::SCHEMA;
use crate::error::EngineError;

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// The engine's own migration history, beside that of the read model.
const HISTORY_TABLE: &str = "engine_migration";

/// One process at a time changes tables; the others wait for it. The number only has to be nobody else's.
const MIGRATION_LOCK: i64 = 0x6865_6164_7761_7401;

/// Creates or updates the tables of checkpoints, states and checksums in the schema `headwater`. The pool's
/// connections must have that schema first in their search path.
///
/// # Errors
/// [`EngineError::Pool`], [`EngineError::Postgres`] or [`EngineError::Migration`].
pub async fn migrate(pool: &Pool) -> Result<(), EngineError> {
    migrate_with(pool, embedded::migrations::runner(), HISTORY_TABLE).await
}

/// The same for migrations of whoever brings tables of its own for the engine to write, with a history of its own.
///
/// # Errors
/// As [`migrate`].
pub async fn migrate_with(pool: &Pool, mut runner: Runner, history_table: &str) -> Result<(), EngineError> {
    let mut client = pool.get().await?;
    client.execute("SELECT pg_advisory_lock($1)", &[&MIGRATION_LOCK]).await?;
    let migrated = async {
        client.batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS {SCHEMA}")).await?;
        runner.set_migration_table_name(history_table);
        if !all_are_there(&mut client, &runner, history_table).await? {
            runner.run_async(client.deref_mut().deref_mut()).await?;
        }
        Ok(())
    }
    .await;
    client.execute("SELECT pg_advisory_unlock($1)", &[&MIGRATION_LOCK]).await?;
    migrated
}

/// Whether nothing is left to do. A newer binary may have added tables of its own, which a run would refuse; after a deploy
/// that was taken back they stay.
async fn all_are_there(
    client: &mut Client,
    runner: &Runner,
    history_table: &str,
) -> Result<bool, EngineError> {
    let is_begun = client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&history_table]).await?;
    if !is_begun.get::<_, bool>(0) {
        return Ok(false);
    }
    let applied = runner.get_applied_migrations_async(client.deref_mut().deref_mut()).await?;
    Ok(runner.get_migrations().iter().all(|ours| applied.contains(ours)))
}
