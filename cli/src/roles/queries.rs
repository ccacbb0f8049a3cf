//! The query side: GraphQL over the database and the search index.

use std::time::Duration;

use axum::Router;
use contract::status::PROJECTION_TABLE;
use observability::Readiness;
use query_side::QueryConfig;
use read_model::search::SearchIndexes;

use crate::failure::Failure;

/// How often a database that has no views yet is asked again.
const VIEWS_PAUSE: Duration = Duration::from_secs(1);

/// Its routes, with search in these indexes.
///
/// # Errors
/// The database URL cannot be read.
pub fn routes(database_url: &str, search_indexes: SearchIndexes) -> Result<Router, Failure> {
    let config = QueryConfig { search_indexes, ..QueryConfig::new(database_url) };
    query_side::router(&config).map_err(|error| Failure::of(&error))
}

/// Readiness waits until a projection worker, in whichever process, has made the views.
///
/// # Errors
/// The database URL cannot be read.
pub fn wait_for_views(database_url: &str, readiness: &Readiness) -> Result<(), Failure> {
    let pool = read_model::reader_pool(database_url, 1).map_err(|error| Failure::of(&error))?;
    let latch = readiness.latch("views in the database");
    tokio::spawn(async move {
        let asked = format!("SELECT FROM {PROJECTION_TABLE} LIMIT 1");
        loop {
            let answer = match pool.get().await {
                Ok(client) => client.query_opt(&asked, &[]).await.map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            match answer {
                Ok(Some(_)) => break latch.open(),
                Ok(None) => tracing::info!("no projection has started yet"),
                Err(error) => tracing::warn!(error, "waiting for the views"),
            }
            tokio::time::sleep(VIEWS_PAUSE).await;
        }
    });
    Ok(())
}
