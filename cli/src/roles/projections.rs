//! The workers of projections and sagas: from the log into the database.

use domain::ShopEvent;
use engine::{Engine, KeepHistory, Projection};
use event_store::EventStore;
use observability::Readiness;
use vault::Vault;

use crate::config::Config;
use crate::failure::Failure;
use crate::shutdown::Parts;

/// Connections in the pool while so many projections start: each worker opens one and takes it out for good, where it
/// no longer counts, and one is for bringing the tables up to date and for what is asked now and then.
fn connections(projections: usize) -> usize {
    projections + 1
}

/// The projections of the read model.
pub fn views(config: &Config) -> Vec<Projection<ShopEvent>> {
    projections::all(&projections::Settings { shop_time_zone: config.shop_time_zone.clone() })
}

/// Brings the tables up to date and starts the workers of projections, sagas among them or not, in one engine with one
/// tail of the log. Readiness waits until each has reached the head that the log had at the start; the answer tells when
/// that is.
///
/// # Errors
/// The database cannot be reached or its tables not be brought up to date.
pub async fn start(
    parts: &mut Parts,
    store: EventStore,
    vault: Vault,
    projections: Vec<Projection<ShopEvent>>,
    (database_url, history): (&str, KeepHistory),
    readiness: &Readiness,
) -> Result<Vec<engine::Readiness>, Failure> {
    let pool = read_model::pool(database_url, connections(projections.len()))
        .map_err(|error| Failure::of(&error))?;
    engine::migrate_with(&pool, read_model::migrations(), read_model::MIGRATION_HISTORY)
        .await
        .map_err(|error| Failure::of(&error))?;
    process_managers::migrate(&pool).await.map_err(|error| Failure::of(&error))?;
    engine::migrate(&pool).await.map_err(|error| Failure::of(&error))?;
    let engine = Engine::new(projections, store, pool, projections::decoder(vault))
        .map_err(|error| Failure::of(&error))?
        .with_history(history);
    let folded = engine.readiness();
    for mut projection in folded.clone() {
        let latch = readiness.latch(format!("projection {}", projection.projection()));
        tokio::spawn(async move {
            if projection.reached().await {
                latch.open();
            }
        });
    }
    parts.start("the projections", |stop| async move {
        engine.run(stop).await.map_err(|error| Failure::of(&error))
    });
    Ok(folded)
}
