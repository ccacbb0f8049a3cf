//! Drops everything derived, so that it folds again from nothing.

use deadpool_postgres::Pool;

use super::SCHEMA;
use crate::error::EngineError;

/// Drops the schema `headwater` with all it holds: views, checkpoints, checksums and migration histories. Migrating
/// and starting the engine afterwards folds everything again. No engine may be running.
///
/// # Errors
/// [`EngineError::Pool`] or [`EngineError::Postgres`].
pub async fn reset(pool: &Pool) -> Result<(), EngineError> {
    let client = pool.get().await?;
    client.batch_execute(&format!("DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")).await?;
    Ok(())
}
