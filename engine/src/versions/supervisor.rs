//! Looks after one projection in one process: reads which versions there are to be and keeps somebody at each of them.
//! Several processes do so at once; who really works is settled by the lock of each version.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use contract::LogIdentity;
use contract::status::Stage;
use deadpool_postgres::Pool;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::drop as dropping;
use super::{Standing, begin, standing};
use crate::build::Builder;
use crate::error::EngineError;
use crate::metrics;
use crate::projection::Projection;
use crate::source::feed::Log;
use crate::worker::{Shared, Worker};
use crate::write::history::KeepHistory;

/// How often the rows are looked at.
const LOOK: Duration = Duration::from_secs(1);

pub(crate) struct Supervisor<E> {
    pub(crate) name: &'static str,
    /// The folds that this binary has, ascending; at least one.
    pub(crate) folds: Vec<Arc<Projection<E>>>,
    pub(crate) pool: Pool,
    pub(crate) log: Log<E>,
    pub(crate) identity: LogIdentity,
    /// What rows of a build may take in memory, bytes, about.
    pub(crate) build_memory: usize,
    pub(crate) history: KeepHistory,
    pub(crate) shared: Shared,
    pub(crate) shutdown: CancellationToken,
}

/// Who is at a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Job {
    Build,
    Fold,
    Drop,
}

#[derive(Default)]
struct Crew {
    tasks: JoinSet<(i32, Result<(), EngineError>)>,
    at: HashMap<i32, (Job, CancellationToken)>,
}

impl<E: Send + Sync + 'static> Supervisor<E> {
    /// Works until the shutdown.
    ///
    /// # Errors
    /// Only refusals: errors that trying again cannot mend.
    pub(crate) async fn run(self) -> Result<(), EngineError> {
        let mut crew = Crew::default();
        let ended = self.supervise(&mut crew).await;
        for (_, stop) in crew.at.values() {
            stop.cancel();
        }
        let mut first = ended;
        while let Some(task) = crew.tasks.join_next().await {
            first = first.and(task.map_err(EngineError::from).and_then(|(_, result)| result));
        }
        first
    }

    async fn supervise(&self, crew: &mut Crew) -> Result<(), EngineError> {
        loop {
            // A statement that hangs must not hold up the end.
            match self.shutdown.run_until_cancelled(self.look(crew)).await {
                None => return Ok(()),
                Some(Err(error)) if error.is_refusal() => return Err(error),
                Some(Err(error)) => {
                    tracing::warn!(projection = self.name, %error, "its versions cannot be read")
                }
                Some(Ok(())) => {}
            }
            tokio::select! {
                () = self.shutdown.cancelled() => return Ok(()),
                () = sleep(LOOK) => {}
                Some(ended) = crew.tasks.join_next() => {
                    let (version, result) = ended?;
                    crew.at.remove(&version);
                    result?;
                }
            }
        }
    }

    /// Brings about what the rows say.
    async fn look(&self, crew: &mut Crew) -> Result<(), EngineError> {
        let mut client = self.pool.get().await?;
        let mut found = standing(&**client, self.name).await?;
        if found.is_none() {
            begin::first(&mut client, self.newest(), self.identity).await?;
            found = standing(&**client, self.name).await?;
        }
        let Some(standing) = found else { return Ok(()) };
        metrics::record_versions(self.name, &standing.versions);
        let newest = self.newest();
        let knows = |fold: i32| self.fold(fold).is_some();
        if !standing.versions.iter().any(|row| knows(row.fold)) && self.is_outdated(&standing) {
            let active = standing.active_fold().unwrap_or_default();
            return Err(EngineError::OtherFold { projection: self.name, active, folded: newest.fold });
        }
        let is_newer = standing.versions.iter().all(|row| row.fold < newest.fold);
        if is_newer && newest.courier.is_none() {
            match begin::newer(&mut client, newest, self.identity).await? {
                Ok(version) => {
                    tracing::info!(
                        projection = self.name,
                        version,
                        fold = newest.fold,
                        "a new fold is built"
                    );
                }
                Err(reason) => {
                    tracing::debug!(projection = self.name, ?reason, "a new fold is not built yet");
                }
            }
        }
        let old = standing.versions.iter().filter(|row| {
            row.stage == Stage::Ready
                && row.version < standing.active
                && Some(row.version) != standing.previous
        });
        for row in old {
            dropping::mark(&self.pool, self.name, row.version).await?;
        }
        drop(client);
        self.bring_about(&standing, crew);
        Ok(())
    }

    /// Whether this binary is older than what stands there, or cannot go on with it.
    fn is_outdated(&self, standing: &Standing) -> bool {
        let newest = self.newest();
        newest.courier.is_some() || standing.active_fold().is_none_or(|fold| fold > newest.fold)
    }

    fn bring_about(&self, standing: &Standing, crew: &mut Crew) {
        self.shared.active.store(standing.active, Ordering::Relaxed);
        let active = standing.version(standing.active);
        if active.is_some_and(|row| row.position.cast_unsigned() >= self.shared.target.0) {
            self.shared.reached.send_if_modified(|reached| !std::mem::replace(reached, true));
        }
        let mut wanted = HashSet::new();
        for row in &standing.versions {
            let job = match row.stage {
                Stage::Building => Job::Build,
                Stage::Differs | Stage::Switching | Stage::Ready => Job::Fold,
                Stage::Dropping => Job::Drop,
            };
            let projection = match job {
                Job::Drop => Some(self.newest()),
                Job::Build | Job::Fold => self.fold(row.fold),
            };
            let Some(projection) = projection else { continue };
            wanted.insert(row.version);
            match crew.at.get(&row.version) {
                None => self.send(crew, row.version, job, projection),
                Some((at, _)) if *at == job => {}
                // What it does now comes to its end, and the next look sends somebody else.
                Some((_, stop)) => stop.cancel(),
            }
        }
        for (version, (_, stop)) in &crew.at {
            if !wanted.contains(version) {
                stop.cancel();
            }
        }
    }

    fn send(&self, crew: &mut Crew, version: i32, job: Job, projection: &Arc<Projection<E>>) {
        let stop = self.shutdown.child_token();
        crew.at.insert(version, (job, stop.clone()));
        let projection = Arc::clone(projection);
        match job {
            Job::Fold => {
                let worker = Worker {
                    projection,
                    version,
                    history: self.history,
                    pool: self.pool.clone(),
                    log: self.log.clone(),
                    identity: self.identity,
                    shared: self.shared.clone(),
                    shutdown: stop,
                };
                crew.tasks.spawn(async move { (version, worker.run().await) });
            }
            Job::Build => {
                let builder = Builder {
                    projection,
                    version,
                    pool: self.pool.clone(),
                    store: self.log.store.clone(),
                    decoder: Arc::clone(&self.log.decoder),
                    identity: self.identity,
                    memory: self.build_memory,
                    has_history: self.history.is_kept(),
                    stop,
                };
                crew.tasks.spawn(async move { (version, builder.run().await) });
            }
            Job::Drop => {
                let pool = self.pool.clone();
                crew.tasks.spawn(async move {
                    let dropping = dropping::carry_out(&pool, projection.name, version, projection.tables());
                    let dropped = stop.run_until_cancelled(dropping).await.unwrap_or(Ok(()));
                    if let Err(error) = dropped {
                        tracing::warn!(projection = projection.name, version, %error, "it is not dropped yet");
                    }
                    (version, Ok(()))
                });
            }
        }
    }

    fn newest(&self) -> &Arc<Projection<E>> {
        // Never empty; the engine makes no supervisor without a fold.
        &self.folds[self.folds.len() - 1]
    }

    fn fold(&self, fold: i32) -> Option<&Arc<Projection<E>>> {
        self.folds.iter().find(|projection| projection.fold == fold)
    }
}
