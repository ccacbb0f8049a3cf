//! Brings the sagas' tables up to date.

use deadpool_postgres::Pool;
use engine::EngineError;

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// The sagas' own history, beside those of the engine and the read model.
const HISTORY_TABLE: &str = "saga_migration";

/// Creates or updates the tables of every saga. The pool's connections must have the schema `headwater` first in
/// their search path. Several processes may call it at once.
///
/// # Errors
/// Postgres is not reachable or refuses a statement.
pub async fn migrate(pool: &Pool) -> Result<(), EngineError> {
    engine::migrate_with(pool, embedded::migrations::runner(), HISTORY_TABLE).await
}
