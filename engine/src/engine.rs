//! The engine of a process: one live tail, one worker a projection.

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
use crate::projection::Projection;
use crate::source::feed::Log;
use crate::source::tail::{SUBSCRIPTION_MESSAGES, Tail};
use crate::source::{Head, prefixes};
use crate::worker::Worker;
use crate::write::sql::TableSql;

/// How long to wait before asking again for a log that is not there.
const LOG_PAUSE: Duration = Duration::from_secs(1);

/// Folds projections until it is told to stop. Several processes may run the same projections: one worker of each is
/// active, the others stand by.
pub struct Engine<E> {
    projections: Vec<(Arc<Projection<E>>, watch::Sender<bool>)>,
    store: EventStore,
    pool: Pool,
    decoder: Arc<dyn Decoder<E>>,
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
    /// An engine that does nothing yet. The connections of the pool must have the schema of the tables first in
    /// their search path, and both [`crate::migrate`] and the read model's migrations must have run before
    /// [`Engine::run`].
    ///
    /// # Errors
    /// [`EngineError::Misdeclared`].
    pub fn new(
        projections: Vec<Projection<E>>,
        store: EventStore,
        pool: Pool,
        decoder: Arc<dyn Decoder<E>>,
    ) -> Result<Self, EngineError> {
        for (index, projection) in projections.iter().enumerate() {
            let name = projection.name;
            let twice = projections[..index].iter().any(|other| other.name == name);
            let flaw = if twice { Some("there are two of this name".to_owned()) } else { projection.flaw() };
            if let Some(flaw) = flaw {
                return Err(EngineError::Misdeclared { projection: name, flaw });
            }
        }
        let projections = projections.into_iter().map(|p| (Arc::new(p), watch::Sender::new(false))).collect();
        Ok(Self { projections, store, pool, decoder })
    }

    /// One a projection; ask before [`Engine::run`].
    #[must_use]
    pub fn readiness(&self) -> Vec<Readiness> {
        let of = |(projection, reached): &(Arc<Projection<E>>, watch::Sender<bool>)| Readiness {
            projection: projection.name,
            reached: reached.subscribe(),
        };
        self.projections.iter().map(of).collect()
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
        let mut categories: Vec<&'static str> =
            self.projections.iter().flat_map(|(projection, _)| projection.categories).copied().collect();
        categories.sort_unstable();
        categories.dedup();
        let subscription = self.store.subscribe(target, prefixes(&categories), SUBSCRIPTION_MESSAGES);
        let (tail, task) = Tail::new(subscription, Arc::clone(&self.decoder), head.clone());
        let _tail_task = AbortOnDropHandle::new(tokio::spawn(task));
        let log = Log { store: self.store, decoder: self.decoder, tail, head };

        let workers_end = shutdown.child_token();
        let mut workers = JoinSet::new();
        for (projection, reached) in self.projections {
            let tables = projection.tables().map(|table| TableSql::new(table, projection.version)).collect();
            let worker = Worker {
                projection,
                tables,
                pool: self.pool.clone(),
                log: log.clone(),
                identity,
                target,
                reached,
                shutdown: workers_end.clone(),
            };
            workers.spawn(worker.run());
        }
        let mut first_error = Ok(());
        while let Some(ended) = workers.join_next().await {
            if let Err(error) = ended.map_err(EngineError::from).flatten() {
                workers_end.cancel();
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
