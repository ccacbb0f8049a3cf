//! Builds a version beside the one in use: history is read once and folded in parallel parts (`bulk`, `part`), rows are
//! loaded (`load`, `copy`), indexes made, and the result is compared with the version in use at the same position
//! (`check`). From then on a worker folds the version like any other, and readers go over to it.
//!
//! A build that is broken off begins again from nothing; the version in use is never touched.

mod aside;
mod bulk;
mod check;
mod copy;
mod load;
mod part;
mod progress;
mod row;
mod session;
pub(crate) mod verify;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use contract::status::State;
use contract::{LogIdentity, LogPosition};
use deadpool_postgres::Pool;
use event_store::EventStore;
use jiff::Timestamp;
use postgres_types::ToSql;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

pub use progress::{Phase, Progress};

use crate::checksum::Checksums;
use crate::error::EngineError;
use crate::event::Decoder;
use crate::metrics;
use crate::parked::decision::Skips;
use crate::parked::{PLACES_MAX, Place, Stuck};
use crate::projection::Projection;
use crate::versions::shape;
use crate::write::history;
use crate::write::session::Session;
use crate::write::sql::{self, TableSql};
use aside::Snapshot;
use bulk::{Bulk, History};
use check::Difference;
use row::Row;

/// How often the rows say how far a build is.
const BEAT: Duration = Duration::from_millis(500);

/// Before a build begins again, and between tries to get its lock.
const PAUSE: Duration = Duration::from_secs(1);

/// Why there is no version.
#[derive(Debug)]
pub(crate) enum BuildError {
    /// A person has to do something first.
    Stopped(Stopped),
    /// These rows cannot be folded, and why: without them the rest can.
    PutAside(Vec<(Place, String)>),
    /// The version is not to be built any more.
    Cancelled,
    /// Somebody else had to stop first, and says why.
    BrokenOff,
    /// Perhaps it goes the next time.
    Engine(EngineError),
}

/// Where and why a build cannot go on.
#[derive(Debug)]
pub(crate) struct Stopped {
    pub(crate) position: Option<LogPosition>,
    pub(crate) recorded_at: Option<Timestamp>,
    pub(crate) reason: String,
    pub(crate) needs_upgrade: bool,
}

impl BuildError {
    pub(crate) fn of_task(error: tokio::task::JoinError) -> Self {
        BuildError::Engine(error.into())
    }

    /// Of two, that which says more, and that of the earlier event.
    pub(crate) fn earlier(self, other: BuildError) -> BuildError {
        let rank = |error: &BuildError| match error {
            BuildError::Stopped(stopped) => (0, stopped.position.map_or(u64::MAX, |position| position.0)),
            BuildError::PutAside(_) | BuildError::Engine(_) => (1, 0),
            BuildError::Cancelled => (2, 0),
            BuildError::BrokenOff => (3, 0),
        };
        if rank(&other) < rank(&self) { other } else { self }
    }
}

impl<T: Into<EngineError>> From<T> for BuildError {
    fn from(error: T) -> Self {
        BuildError::Engine(error.into())
    }
}

/// Builds one version.
pub(crate) struct Builder<E> {
    pub(crate) projection: Arc<Projection<E>>,
    pub(crate) version: i32,
    pub(crate) pool: Pool,
    pub(crate) store: EventStore,
    pub(crate) decoder: Arc<dyn Decoder<E>>,
    pub(crate) identity: LogIdentity,
    /// What rows may take in memory, bytes, about.
    pub(crate) memory: usize,
    /// Whether what rows were is kept.
    pub(crate) has_history: bool,
    pub(crate) stop: CancellationToken,
}

/// What a build has come to.
struct Built {
    position: LogPosition,
    /// In the order of the tables.
    checksums: Vec<Checksums>,
    differences: BTreeMap<&'static str, Difference>,
    /// Rows that its worker folds first, and streams that are parked.
    rows_aside: Stuck,
    streams: Stuck,
    /// Rows that the comparison left out: those put aside, and of summaries.
    left_out: (u64, u64),
    /// Whether what rows were is kept, from the beginning of the log.
    has_history: bool,
}

impl<E: Send + Sync + 'static> Builder<E> {
    /// Builds until the version is there, is not wanted any more, or it is told to stop.
    ///
    /// # Errors
    /// Only refusals: errors that trying again cannot mend.
    pub(crate) async fn run(self) -> Result<(), EngineError> {
        let (name, version) = (self.projection.name, self.version);
        let mut aside = HashSet::new();
        loop {
            let ended = self.stop.run_until_cancelled(self.attempt(&aside)).await;
            metrics::record_no_build(name);
            match ended {
                Some(Err(BuildError::PutAside(rows))) => {
                    let (rows_aside, first) = (rows.len(), rows.first().map(|(_, reason)| reason.as_str()));
                    tracing::warn!(projection = name, version, rows_aside, first, "the build begins again");
                    aside.extend(rows.into_iter().map(|(place, _)| place));
                    if aside.len() > PLACES_MAX {
                        self.halt(Stopped::without_event(part::TOO_MANY_ROWS.to_owned())).await;
                        return Ok(());
                    }
                    continue;
                }
                None | Some(Ok(()) | Err(BuildError::Cancelled)) => return Ok(()),
                Some(Err(BuildError::Engine(error))) if error.is_refusal() => return Err(error),
                Some(Err(BuildError::Engine(error))) => {
                    tracing::warn!(projection = name, version, %error, "the build begins again");
                }
                Some(Err(BuildError::BrokenOff)) => {
                    tracing::warn!(projection = name, version, "the build begins again");
                }
                Some(Err(BuildError::Stopped(stopped))) => {
                    self.halt(stopped).await;
                    return Ok(());
                }
            }
            if self.stop.run_until_cancelled(sleep(PAUSE)).await.is_none() {
                return Ok(());
            }
        }
    }

    /// Builds from nothing, once this process has the lock.
    async fn attempt(&self, aside: &HashSet<Place>) -> Result<(), BuildError> {
        let name = self.projection.name;
        let row = Row { name, version: self.version, session: session::open(&self.pool).await? };
        while !row.session.try_lock(name, self.version).await? {
            if !row.is_wanted().await? {
                return Err(BuildError::Cancelled);
            }
            sleep(PAUSE).await;
        }
        session::until_writers_are_gone(&row.session, name, self.version).await?;
        let Some(mut snapshot) = Snapshot::open(&self.pool, &self.projection).await? else {
            return Err(BuildError::Cancelled);
        };
        let in_use = &snapshot.in_use;
        let progress = Arc::new(Progress::default());
        progress.begin(in_use.position);
        row.begin(&progress).await?;
        let (version, position) = (self.version, in_use.position.0);
        tracing::info!(projection = name, version, fold = self.projection.fold, position, "building");
        metrics::record_build_begins(name, in_use.position);
        let built = {
            let building = self.build(&mut snapshot, aside, &progress);
            let beating = row.beat(&progress);
            tokio::select! {
                built = building => built?,
                error = beating => return Err(error),
            }
        };
        row.finish(&self.projection, &built, &progress).await
    }

    async fn build(
        &self,
        snapshot: &mut Snapshot,
        aside: &HashSet<Place>,
        progress: &Arc<Progress>,
    ) -> Result<Built, BuildError> {
        let (projection, version) = (&*self.projection, self.version);
        let (target, in_use) = (snapshot.in_use.position, &snapshot.in_use);
        let skips = Skips::until(&self.store, projection.name, target).await?;
        let aside = Arc::new(snapshot.aside(projection, aside, &skips).await?);
        if aside.is_empty() {
            // What is not needed any more would keep Postgres from tidying up.
            snapshot.client().batch_execute("COMMIT").await?;
        }
        let (session, like) =
            (session::writing(&self.pool, projection.name, version).await?, Some(in_use.version));
        let stored: i64 = session.client.query_one(LOG, &[&projection.name, &version]).await?.try_get(0)?;
        if stored != i64::from(self.identity.0) {
            let stored = LogIdentity(u32::try_from(stored).unwrap_or_default());
            let found = self.identity;
            return Err(EngineError::ForeignLog { projection: projection.name, stored, found }.into());
        }
        let tables = sql::of_version(projection, version, self.has_history);
        let kept: Vec<&TableSql> = sql::kept(&tables).collect();
        self.create_tables(&session, like, &kept).await?;
        let bulk = Bulk {
            projection: Arc::clone(&self.projection),
            version,
            pool: self.pool.clone(),
            store: self.store.clone(),
            decoder: Arc::clone(&self.decoder),
            target,
            memory: self.memory,
            progress: Arc::clone(progress),
            aside: Arc::clone(&aside),
            skips,
            has_history: self.has_history,
        };
        let History { checksums, leftover, streams } = bulk.run().await?;
        progress.enter(Phase::Indexing);
        let indexing = async {
            self.index_tables(&session, like, &kept).await?;
            progress.enter(Phase::Checking);
            Ok(())
        };
        tokio::try_join!(indexing, self.prove(&checksums))?;
        let mut compared = checksums.clone();
        let built = (&session.client, version, compared.as_mut_slice());
        let left_out = snapshot.leave_out(&aside, projection, &leftover, built).await?;
        let mut differences = check::compare(projection, &compared, &snapshot.in_use, &left_out.whole);
        for table in projection.tables() {
            if let Some(difference) = differences.get_mut(table.name) {
                let versions = (snapshot.in_use.version, version);
                let keys = check::sample(&session.client, table, difference, versions, target).await;
                // The comparison stands without the sample, which the version in use may not have the columns for.
                difference.keys = keys.unwrap_or_default();
            }
        }
        let (rows_aside, left_out, has_history) = (leftover.stuck, left_out.counts, !kept.is_empty());
        Ok(Built { position: target, checksums, differences, rows_aside, streams, left_out, has_history })
    }

    /// Works the checksums out from the tables, and compares them with those of what was folded.
    async fn prove(&self, folded: &[Checksums]) -> Result<(), BuildError> {
        let session = session::open(&self.pool).await?;
        for (table, folded) in self.projection.tables().zip(folded) {
            let found = check::of_table(&session.client, table, self.version).await?;
            if !found.is_same(folded, table) {
                let reason = format!("view {}: the table does not hold what was folded", table.name);
                return Err(BuildError::Stopped(Stopped::without_event(reason)));
            }
        }
        Ok(())
    }

    /// Makes the tables, and those of what the rows of some of them were.
    async fn create_tables(
        &self,
        session: &Session,
        like: Option<i32>,
        kept: &[&TableSql],
    ) -> Result<(), BuildError> {
        for table in self.projection.tables() {
            shape::create(&*session.client, table, self.projection.fold, like, self.version).await?;
        }
        for sql in kept {
            history::create(&*session.client, sql).await?;
        }
        Ok(())
    }

    /// Adds what a load would lose its time in.
    async fn index_tables(
        &self,
        session: &Session,
        like: Option<i32>,
        kept: &[&TableSql],
    ) -> Result<(), BuildError> {
        let (fold, version) = (self.projection.fold, self.version);
        for table in self.projection.tables() {
            let finished = shape::finish(&*session.client, table, fold, like, version).await;
            finished.map_err(|error| match error {
                EngineError::Postgres(error) => part::refused(table.name, error),
                other => other.into(),
            })?;
        }
        for sql in kept {
            history::index(&*session.client, sql).await?;
        }
        Ok(())
    }

    /// Says where and why the build stopped, until the version is dropped or the process ends.
    async fn halt(&self, stopped: Stopped) {
        let (name, version) = (self.projection.name, self.version);
        tracing::error!(projection = name, version, reason = stopped.reason, "the build stops");
        let state = if stopped.needs_upgrade { State::NeedsUpgrade } else { State::Failed };
        let position = stopped.position.map(|position| position.0.cast_signed());
        loop {
            let said = async {
                let client = self.pool.get().await?;
                let values: [&(dyn ToSql + Sync); 6] =
                    [&name, &version, &state.as_str(), &stopped.reason, &position, &stopped.recorded_at];
                client.execute(HALTED, &values).await.map_err(EngineError::from)
            };
            match self.stop.run_until_cancelled(said).await {
                None | Some(Ok(0)) => return,
                Some(Ok(_)) => {}
                Some(Err(error)) => tracing::debug!(%error, "the row could not be told"),
            }
            if self.stop.run_until_cancelled(sleep(4 * BEAT)).await.is_none() {
                return;
            }
        }
    }
}

const LOG: &str = "SELECT log_identity FROM projection_version WHERE name = $1 AND version = $2";

const HALTED: &str = "
    UPDATE projection_version SET state = $3, reason = $4, failed_position = $5, pending_since = $6,
        heartbeat_at = now() WHERE name = $1 AND version = $2 AND stage = 'BUILDING'";
