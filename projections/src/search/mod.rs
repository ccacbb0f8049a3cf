//! The search index as a fold of rows: what changed in `product_texts` since the index's own position goes into it, and
//! the position with it. It can always be deleted and comes back.
//!
//! The flow: `table` (rows and checkpoint, in one snapshot) -> `disk` (documents and payload, in one commit) ->
//! `keeper` (when, and what readers see of it).

mod disk;
mod keeper;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use deadpool_postgres::Pool;
use read_model::catalogue::CATALOGUE;
use read_model::search::SearchIndexes;
use read_model::{Hints, PoolError};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use keeper::Keeper;

/// One snapshot of each version at a time, of which there are three at most, and one to see which there are.
const CONNECTIONS: usize = 4;

/// How often it is looked which versions there are.
const LOOK: Duration = Duration::from_secs(1);

/// The file whose lock belongs to whoever keeps the index.
const LOCK: &str = "lock";

/// Why an index cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum SearchIndexError {
    /// Another process, or another part of this one, keeps it.
    #[error("the search index in {} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// The directory cannot be used.
    #[error("the search index in {} cannot be used: {error}", .directory.display())]
    Directory {
        /// Where it should be.
        directory: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// The database URL cannot be read.
    #[error(transparent)]
    Database(#[from] PoolError),
}

/// Keeps the search index of this process in step with the tables.
#[derive(Debug)]
pub struct SearchIndexer {
    directory: PathBuf,
    pool: Pool,
    hints: Hints,
    indexes: SearchIndexes,
    _lock: File,
}

impl SearchIndexer {
    /// Takes a directory, which may be empty or missing, for an indexer that publishes to `indexes`. Needs a Tokio
    /// runtime; does not connect to the database yet.
    ///
    /// # Errors
    /// Somebody else has the directory, or it cannot be used; the database URL cannot be read.
    pub fn open(
        directory: &Path,
        database_url: &str,
        indexes: SearchIndexes,
    ) -> Result<Self, SearchIndexError> {
        let unusable = |error| SearchIndexError::Directory { directory: directory.to_owned(), error };
        fs::create_dir_all(directory).map_err(unusable)?;
        let lock = lock(directory)?;
        Ok(Self {
            directory: directory.to_owned(),
            pool: read_model::reader_pool(database_url, CONNECTIONS)?,
            hints: Hints::listen(database_url)?,
            indexes,
            _lock: lock,
        })
    }

    /// Works until it is told to stop: keeps one index for each version of the table that is or may be read. What goes
    /// wrong is logged and tried again.
    pub async fn run(self, stop: CancellationToken) {
        let mut keepers = JoinSet::new();
        let mut kept: BTreeMap<i32, CancellationToken> = BTreeMap::new();
        loop {
            match table::versions(&self.pool).await {
                Ok(Some(versions)) => self.keep(&versions, &mut kept, &mut keepers, &stop),
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, "the versions of the search index cannot be read"),
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(LOOK) => {}
                // It ends when it was told to.
                Some(_) = keepers.join_next() => {}
            }
        }
        while keepers.join_next().await.is_some() {}
    }

    /// Begins with those that are new, and lets go of those that are gone.
    fn keep(
        &self,
        versions: &BTreeSet<i32>,
        kept: &mut BTreeMap<i32, CancellationToken>,
        keepers: &mut JoinSet<()>,
        stop: &CancellationToken,
    ) {
        // Only while nobody can still be at one that is gone.
        if kept.is_empty() {
            let known: Vec<_> =
                versions.iter().map(|version| subdirectory(&self.directory, *version)).collect();
            if let Err(error) = remove_all_but(&self.directory, &known) {
                tracing::warn!(%error, "an index of a version that is gone cannot be deleted");
            }
        }
        kept.retain(|version, keeper| {
            let stays = versions.contains(version);
            if !stays {
                keeper.cancel();
                self.indexes.withdraw(*version);
            }
            stays
        });
        for version in versions {
            kept.entry(*version).or_insert_with(|| {
                let keeper_ends = stop.child_token();
                let directory = subdirectory(&self.directory, *version);
                let keeper = Keeper::new(*version, directory, self.indexes.clone());
                let (pool, hints, ends) = (self.pool.clone(), self.hints.subscribe(), keeper_ends.clone());
                keepers.spawn(async move { keeper.run(&pool, hints, &ends).await });
                keeper_ends
            });
        }
    }
}

/// Deletes an index, which comes back when somebody keeps it again.
///
/// # Errors
/// Somebody keeps it, or it cannot be deleted.
pub fn delete(directory: &Path) -> Result<(), SearchIndexError> {
    if !directory.exists() {
        return Ok(());
    }
    let _lock = lock(directory)?;
    remove_all_but(directory, &[])
        .map_err(|error| SearchIndexError::Directory { directory: directory.to_owned(), error })
}

fn lock(directory: &Path) -> Result<File, SearchIndexError> {
    let unusable = |error| SearchIndexError::Directory { directory: directory.to_owned(), error };
    let lock = File::create(directory.join(LOCK)).map_err(unusable)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(SearchIndexError::InUse(directory.to_owned())),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

/// Where the index of a version is.
fn subdirectory(directory: &Path, version: i32) -> PathBuf {
    directory.join(format!("{}_v{version}", CATALOGUE.name))
}

fn remove_all_but(directory: &Path, kept: &[PathBuf]) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() && !kept.contains(&path) {
            fs::remove_dir_all(path)?;
        }
    }
    Ok(())
}
