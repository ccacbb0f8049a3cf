//! The engine of a process: one live tail, and one worker for each version of each projection.

use std::sync::Arc;
use std::time::Duration;

use contract::{LogIdentity, LogPosition};
use deadpool_postgres::Pool;
use event_store::{EventStore, ReadError};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::error::EngineError;
use crate::event::Decoder;
use crate::parked::decision;
use crate::projection::Projection;
use crate::source::feed::Log;
use crate::source::tail::{SUBSCRIPTION_MESSAGES, Tail};
use crate::source::{Head, prefixes};
use crate::versions::supervisor::Supervisor;
use crate::worker::Shared;
use crate::write::history::KeepHistory;

/// How long to wait before asking again for a log that is not there.
const LOG_PAUSE: Duration = Duration::from_secs(1);

/// Folds projections until it is told to stop. Several processes may run the same projections: one worker of each
/// version is active, the others stand by.
pub struct Engine<E> {
    projections: Vec<Folds<E>>,
    store: EventStore,
    pool: Pool,
    decoder: Arc<dyn Decoder<E>>,
    build_memory: usize,
    history: KeepHistory,
}

/// What rows may take in memory while a version is built, bytes, about, unless it is said otherwise.
const BUILD_MEMORY: usize = 128 * 1024 * 1024;

/// A projection with all its folds that this binary has, ascending.
struct Folds<E> {
    folds: Vec<Arc<Projection<E>>>,
    reached: watch::Sender<bool>,
}

/// Whether a projection has reached the head that the log had when the engine started, here or in another process.
#[derive(Debug, Clone)]
pub struct Readiness {
    projection: &'static str,
    reached: watch::Receiver<bool>,
}

impl Readiness {
    /// Which projection.
    #[must_use]
    pub fn projection(&self) -> &'static str {
        self.projection
    }

    /// Whether it is there.
    #[must_use]
    pub fn is_reached(&self) -> bool {
        *self.reached.borrow()
    }

    /// Waits until it is there; false when the engine ended before.
    pub async fn reached(&mut self) -> bool {
        self.reached.wait_for(|reached| *reached).await.is_ok()
    }
}

impl<E: Send + Sync + 'static> Engine<E> {
    /// An engine that does nothing yet. A projection may be there several times with different folds: the newest is
    /// what is to be, and versions of the others are folded for as long as they are there. The connections of the pool must
    /// have the schema of the tables first in their search path, and both [`crate::migrate`] and the read model's
    /// migrations must have run before [`Engine::run`].
    ///
    /// # Errors
    /// [`EngineError::Misdeclared`].
    pub fn new(
        projections: Vec<Projection<E>>,
        store: EventStore,
        pool: Pool,
        decoder: Arc<dyn Decoder<E>>,
    ) -> Result<Self, EngineError> {
        let mut of_name: Vec<Folds<E>> = Vec::new();
        for projection in projections {
            if let Some(flaw) = projection.flaw() {
                return Err(EngineError::Misdeclared { projection: projection.name, flaw });
            }
            let name = projection.name;
            let at = of_name.iter().position(|of| of.folds.iter().any(|other| other.name == name));
            let at = at.unwrap_or_else(|| {
                of_name.push(Folds { folds: Vec::new(), reached: watch::Sender::new(false) });
                of_name.len() - 1
            });
            let of = &mut of_name[at];
            if of.folds.iter().any(|other| other.fold == projection.fold) {
                let flaw = format!("there are two of this name with fold {}", projection.fold);
                return Err(EngineError::Misdeclared { projection: name, flaw });
            }
            of.folds.push(Arc::new(projection));
            of.folds.sort_by_key(|projection| projection.fold);
        }
        Ok(Self {
            projections: of_name,
            store,
            pool,
            decoder,
            build_memory: BUILD_MEMORY,
            history: KeepHistory::Everything,
        })
    }

    /// With so many bytes for the rows that a build holds in memory; what has no room goes to its table and is read back
    /// when it is needed again. A row counts what the events brought that changed it, so this is a rough measure.
    #[must_use]
    pub fn with_build_memory(mut self, bytes: usize) -> Self {
        self.build_memory = bytes;
        self
    }

    /// With what is kept of how rows were; everything, unless it is said otherwise.
    #[must_use]
    pub fn with_history(mut self, history: KeepHistory) -> Self {
        self.history = history;
        self
    }

    /// One a projection; ask before [`Engine::run`].
    #[must_use]
    pub fn readiness(&self) -> Vec<Readiness> {
        let of = |of: &Folds<E>| {
            let reached = of.reached.subscribe();
            of.folds.first().map(|projection| Readiness { projection: projection.name, reached })
        };
        self.projections.iter().filter_map(of).collect()
    }

    /// Folds until the token is cancelled; the batches in work are finished first. A projection that fails stands
    /// still while the others go on. Losing the log or Postgres is waited out.
    ///
    /// # Errors
    /// The log or the version does not fit the stored views, which a person has to mend; or a worker panicked.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), EngineError> {
        let Some((identity, target)) = self.wait_for_log(&shutdown).await else { return Ok(()) };
        let head = Head::default();
        head.saw(target);
        let mut categories: Vec<&'static str> = self
            .projections
            .iter()
            .flat_map(|of| &of.folds)
            .flat_map(|fold| fold.categories)
            .copied()
            .collect();
        categories.sort_unstable();
        categories.dedup();
        let mut names = prefixes(&categories);
        names.push(decision::PREFIX.to_owned());
        let subscription = self.store.subscribe(target, names, SUBSCRIPTION_MESSAGES);
        let (tail, task) = Tail::new(subscription, Arc::clone(&self.decoder), head.clone());
        let _tail_task = AbortOnDropHandle::new(tokio::spawn(task));
        let log = Log { store: self.store, decoder: self.decoder, tail, head };

        let all_end = shutdown.child_token();
        let mut supervisors = JoinSet::new();
        for Folds { folds, reached } in self.projections {
            let Some(name) = folds.first().map(|projection| projection.name) else { continue };
            let supervisor = Supervisor {
                name,
                folds,
                pool: self.pool.clone(),
                log: log.clone(),
                identity,
                build_memory: self.build_memory,
                history: self.history,
                shared: Shared { active: Arc::default(), reached, target },
                shutdown: all_end.clone(),
            };
            supervisors.spawn(supervisor.run());
        }
        let mut first_error = Ok(());
        while let Some(ended) = supervisors.join_next().await {
            if let Err(error) = ended.map_err(EngineError::from).flatten() {
                all_end.cancel();
                first_error = first_error.and(Err(error));
            }
        }
        first_error
    }

    /// Identity and head of the log, as soon as it is there; `None` on shutdown.
    async fn wait_for_log(&self, shutdown: &CancellationToken) -> Option<(LogIdentity, LogPosition)> {
        loop {
            let asked =
                async { Ok::<_, ReadError>((self.store.identity().await?, self.store.head().await?)) };
            tokio::select! {
                answer = asked => match answer {
                    Ok(log) => return Some(log),
                    Err(error) => tracing::warn!(%error, "waiting for the log"),
                },
                () = shutdown.cancelled() => return None,
            }
            tokio::select! {
                () = tokio::time::sleep(LOG_PAUSE) => {}
                () = shutdown.cancelled() => return None,
            }
        }
    }
}
