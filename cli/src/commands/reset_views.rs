//! `headwater reset-views`: drops everything derived from the log.

use contract::status::{HEARTBEAT_TIMEOUT_SECONDS, State, VERSION_TABLE};
use deadpool_postgres::Pool;
use tokio_postgres::error::SqlState;

use crate::config::Config;
use crate::data_dir::DataDir;
use crate::database::Database;
use crate::failure::Failure;
use crate::print;

/// One command needs one connection.
const CONNECTIONS: usize = 1;

/// Drops the views, unless somebody is folding them.
pub async fn run(config: &Config) -> Result<(), Failure> {
    if config.database_url.is_none() && DataDir::existing(&config.data_dir)?.try_lock()?.is_none() {
        return Err(Failure::run("headwater is running on this data").hint("stop it, then reset the views"));
    }
    let database = Database::open(config).await?;
    let outcome = reset(config, database.url()).await;
    database.close().await?;
    outcome?;
    print("The views and the search index are gone. They are built again from the log at the next start.\n")
}

async fn reset(config: &Config, url: &str) -> Result<(), Failure> {
    let pool = read_model::pool(url, CONNECTIONS).map_err(|error| Failure::of(&error))?;
    if let Some(name) = folding(&pool).await? {
        return Err(Failure::run(format!("a worker is folding the projection {name}")).hint(format!(
            "stop `headwater up`, `headwater serve projections` and `headwater serve sagas`; one that was killed counts as stopped after {HEARTBEAT_TIMEOUT_SECONDS} s"
        )));
    }
    // A directory that is not ours has no index of ours. Where other processes keep one, they build it anew by themselves.
    if let Ok(data) = DataDir::existing(&config.data_dir) {
        projections::search::delete(&data.search()).map_err(|error| {
            Failure::of(&error).hint("stop `headwater serve queries`, then reset the views")
        })?;
    }
    engine::reset(&pool).await.map_err(|error| Failure::of(&error))
}

/// A projection whose worker shows signs of life.
async fn folding(pool: &Pool) -> Result<Option<String>, Failure> {
    let sql = format!(
        "SELECT name FROM {VERSION_TABLE} \
         WHERE state <> $1 AND heartbeat_at > now() - make_interval(secs => $2) ORDER BY name LIMIT 1"
    );
    let client = pool.get().await.map_err(|error| Failure::of(&error))?;
    match client.query_opt(&sql, &[&State::Stopped.as_str(), &HEARTBEAT_TIMEOUT_SECONDS]).await {
        Ok(row) => row.map(|row| row.try_get("name")).transpose().map_err(|error| Failure::of(&error)),
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Ok(None),
        Err(error) => Err(Failure::of(&error)),
    }
}
