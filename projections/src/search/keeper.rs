//! Keeps the index of one version in step with its table.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use contract::LogPosition;
use contract::Position;
use deadpool_postgres::Pool;
use observability::postgres::told;
use read_model::Subscription;
use read_model::catalogue::CATALOGUE;
use read_model::search::{Payload, Published, SearchIndexes};
use tantivy::TantivyError;
use tokio_util::sync::CancellationToken;

use super::disk::Disk;
use super::table::{self, TableSnapshot};
use crate::metrics;

/// The table is looked at so often without a hint.
const SLOW_LOOK: Duration = Duration::from_secs(1);

/// From one look to the next at least: a commit costs a dozen files and their syncs, so what comes in quick
/// succession goes into one.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);

/// After an error the table is left alone for so long.
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(2);

/// Why a look at the table led to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum RoundError {
    #[error("no connection to the database: {}", told(.0))]
    Pool(#[from] deadpool_postgres::PoolError),
    #[error("the database: {}", told(.0))]
    Postgres(#[from] tokio_postgres::Error),
    #[error("the status row of the projection says log {log}, position {at}")]
    Status { log: i64, at: i64 },
    #[error("the search index: {0}")]
    Index(#[from] TantivyError),
    #[error("the search index: the work on it was broken off: {0}")]
    BrokenOff(#[from] tokio::task::JoinError),
}

/// The index of one version.
pub(super) struct Keeper {
    version: i32,
    directory: PathBuf,
    indexes: SearchIndexes,
    /// Open from the first round on, and not after one that failed.
    disk: Option<Disk>,
    /// Up to where the log is in it: from the last commit on, as far as the table had nothing new.
    covered: Option<Position>,
}

impl Keeper {
    pub(super) fn new(version: i32, directory: PathBuf, indexes: SearchIndexes) -> Self {
        Self { version, directory, indexes, disk: None, covered: None }
    }

    pub(super) async fn run(mut self, pool: &Pool, mut hints: Subscription, stop: &CancellationToken) {
        let projection = BTreeSet::from([CATALOGUE.name]);
        let mut healthy = true;
        loop {
            let round = stop.run_until_cancelled(self.round(pool)).await;
            let pause = match round {
                None => break,
                Some(Ok(())) => {
                    healthy = true;
                    SHORTEST_PAUSE
                }
                Some(Err(error)) => {
                    // Said once, not every two seconds.
                    match std::mem::take(&mut healthy) {
                        true => tracing::warn!(%error, "the search index does not follow for now"),
                        false => tracing::debug!(%error, "the search index still does not follow"),
                    }
                    PAUSE_AFTER_ERROR
                }
            };
            let next = LogPosition(self.covered.map_or(0, |covered| covered.at.0.saturating_add(1)));
            let wait = async {
                tokio::time::sleep(pause).await;
                let _ = tokio::time::timeout(SLOW_LOOK, hints.reached(&projection, next)).await;
            };
            if stop.run_until_cancelled(wait).await.is_none() {
                break;
            }
        }
        // Waits for its threads.
        let disk = self.disk.take();
        let _ = tokio::task::spawn_blocking(move || drop(disk)).await;
    }

    /// Looks at the table and brings the index to where it is.
    async fn round(&mut self, pool: &Pool) -> Result<(), RoundError> {
        let looked_at = Instant::now();
        let mut client = pool.get().await?;
        let Some(mut table) = table::open(&mut client, self.version).await? else {
            self.indexes.withdraw(self.version);
            return Ok(());
        };
        let mut disk = self.open_for(table.position).await?;
        if let Some(covered) = self.covered {
            table.skip_to(covered.at);
        }
        // What is not handed back is closed: after an error nobody knows what is in the writer.
        disk = bring(disk, &mut table, self.version).await?;
        let (position, active) = (table.position, table.active);
        self.covered = Some(position);
        let searcher = disk.searcher();
        self.disk = Some(disk);
        if active {
            metrics::published(&searcher, position);
        }
        self.indexes.publish(self.version, Published { searcher, position, looked_at });
        Ok(())
    }

    /// The index, emptied when it is of another log or ahead of a table at this position.
    async fn open_for(&mut self, table: Position) -> Result<Disk, RoundError> {
        let (version, directory) = (self.version, self.directory.clone());
        let disk = match self.disk.take() {
            Some(disk) => disk,
            None => {
                let directory = directory.clone();
                let disk = blocking(move || Disk::open(&directory, version)).await?;
                self.covered = disk.payload.map(|payload| payload.position);
                disk
            }
        };
        let Some(covered) = self.covered else { return Ok(disk) };
        if covered.log == table.log && covered.at <= table.at {
            return Ok(disk);
        }
        tracing::info!(
            index = %covered, table = %table,
            "the search index is built anew: it is ahead of its table or of another log"
        );
        self.indexes.withdraw(version);
        self.covered = None;
        blocking(move || {
            drop(disk);
            Disk::create(&directory)
        })
        .await
    }
}

/// Takes over what the table has; commits when that is anything.
async fn bring(mut disk: Disk, table: &mut TableSnapshot<'_>, version: i32) -> Result<Disk, RoundError> {
    let mut changed = false;
    loop {
        let rows = table.next().await?;
        if rows.is_empty() {
            break;
        }
        changed = true;
        disk = blocking(move || disk.replace(&rows).map(|()| disk)).await?;
    }
    if changed {
        let payload = Payload { version, position: table.position };
        disk = blocking(move || disk.commit(payload).map(|()| disk)).await?;
    }
    Ok(disk)
}

/// Does work on the index where it holds nobody up.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TantivyError> + Send + 'static,
) -> Result<T, RoundError> {
    Ok(tokio::task::spawn_blocking(work).await??)
}
