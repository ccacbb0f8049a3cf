//! How many rows a saga has in each state, for its metrics. Counted now and then, and the more seldom the longer it
//! takes.

use std::time::Duration;

use deadpool_postgres::Pool;
use tokio::time::{Instant, sleep};

use crate::error::EngineError;
use crate::metrics;
use crate::table::Table;

/// The shortest pause between two counts.
const PAUSE: Duration = Duration::from_secs(5);

/// A pause is at least so many times as long as the count before it.
const PAUSE_PER_COUNT: u32 = 50;

/// What stands in a saga's table.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Census {
    pub(crate) running: i64,
    pub(crate) stuck: i64,
    pub(crate) over: i64,
    /// Commands in all outboxes.
    pub(crate) commands: i64,
    /// How long the one that is due longest has been so; 0 when none is.
    pub(crate) oldest_command_seconds: f64,
}

/// Counts for as long as it runs.
pub(crate) async fn keep_counting(saga: &'static str, pool: Pool, table: &'static Table, version: i32) {
    let query = format!(
        "SELECT count(*) FILTER (WHERE stuck_reason IS NULL AND NOT over), \
         count(*) FILTER (WHERE stuck_reason IS NOT NULL), \
         count(*) FILTER (WHERE stuck_reason IS NULL AND over), \
         coalesce(sum(jsonb_array_length(outbox)) FILTER (WHERE due_at IS NOT NULL), 0)::bigint, \
         greatest(extract(epoch FROM now() - min(due_at)), 0)::float8 FROM {}",
        table.versioned(version)
    );
    loop {
        let begun = Instant::now();
        match count(&pool, &query).await {
            Ok(census) => metrics::record_census(saga, census),
            Err(error) => tracing::debug!(saga, %error, "the saga's rows could not be counted"),
        }
        sleep(PAUSE.max(begun.elapsed() * PAUSE_PER_COUNT)).await;
    }
}

async fn count(pool: &Pool, query: &str) -> Result<Census, EngineError> {
    let row = pool.get().await?.query_one(query, &[]).await?;
    Ok(Census {
        running: row.try_get(0)?,
        stuck: row.try_get(1)?,
        over: row.try_get(2)?,
        commands: row.try_get(3)?,
        oldest_command_seconds: row.try_get(4)?,
    })
}
