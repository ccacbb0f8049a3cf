//! The search index, kept by the process that answers from it.

use std::time::Instant;

use observability::Readiness;
use projections::search::{SearchIndexError, SearchIndexer};
use read_model::search::SearchIndexes;

use crate::config::Setting;
use crate::data_dir::DataDir;
use crate::failure::Failure;
use crate::shutdown::Parts;

/// Starts to keep the index in the data directory. Readiness waits until it has what the tables have: those of this
/// process once `folded` says that they are at the head, those of others as they are.
///
/// # Errors
/// Another process keeps this index, or its directory cannot be used.
pub fn start(
    parts: &mut Parts,
    data: &DataDir,
    database_url: &str,
    folded: Option<engine::Readiness>,
    readiness: &Readiness,
) -> Result<SearchIndexes, Failure> {
    let indexes = SearchIndexes::default();
    let indexer = SearchIndexer::open(&data.search(), database_url, indexes.clone()).map_err(|error| {
        let failure = Failure::of(&error);
        match error {
            SearchIndexError::InUse(_) => failure.hint(format!(
                "stop that process, or give this one a directory of its own with --{}",
                Setting::DataDir.name()
            )),
            SearchIndexError::Directory { .. } | SearchIndexError::Database(_) => failure,
        }
    })?;
    let latch = readiness.latch("search index");
    let mut published = indexes.watch();
    tokio::spawn(async move {
        if let Some(mut folded) = folded
            && !folded.reached().await
        {
            return;
        }
        let since = Instant::now();
        let there = published.wait_for(|indexes| indexes.values().any(|index| index.looked_at >= since));
        if there.await.is_ok() {
            latch.open();
        }
    });
    parts.start("the search index", |stop| async move {
        indexer.run(stop).await;
        Ok(())
    });
    Ok(indexes)
}
