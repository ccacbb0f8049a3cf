//! Sagas that stand still, for operators.

use contract::LogPosition;
use deadpool_postgres::Pool;
use uuid::Uuid;

use crate::error::EngineError;
use crate::table::Table;

/// The most rows that one call gives.
const STUCK_ROWS_MAX: usize = 1000;

/// A saga that was refused a command and has no answer to it. It goes on by itself when a later event moves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck {
    /// The piece of work.
    pub saga_id: Uuid,
    /// Where it stands, in the saga's own word.
    pub step: String,
    /// The code of the refusal and its sentence.
    pub reason: String,
    /// The position of the last event that changed it.
    pub updated_position: LogPosition,
}

/// The stuck rows of a saga's table and version, those that moved longest ago first; at most `limit` of them, and
/// never more than 1,000. The pool's connections must have the schema of the table in their search path.
///
/// # Errors
/// [`EngineError::Pool`] or [`EngineError::Postgres`].
pub async fn stuck(
    pool: &Pool,
    table: &Table,
    version: i32,
    limit: usize,
) -> Result<Vec<Stuck>, EngineError> {
    let query = format!(
        "SELECT saga_id, step, stuck_reason, updated_position FROM {} WHERE stuck_reason IS NOT NULL \
         ORDER BY updated_position, saga_id LIMIT $1",
        table.versioned(version)
    );
    let limit = i64::try_from(limit.min(STUCK_ROWS_MAX)).unwrap_or(i64::MAX);
    let rows = pool.get().await?.query(&query, &[&limit]).await?;
    rows.iter()
        .map(|row| {
            Ok(Stuck {
                saga_id: row.try_get(0)?,
                step: row.try_get(1)?,
                reason: row.try_get(2)?,
                updated_position: LogPosition(row.try_get::<_, i64>(3)?.cast_unsigned()),
            })
        })
        .collect()
}
