//! Who folds a version of a projection: one worker stands by until it holds the lock, takes the version over, folds for
//! a term, and begins again when the term ends. After any error it forgets all it knows and reads the checkpoint.

mod batch;
mod batch_size;
mod dispatching;
mod outcome;
mod refusal;
mod retention;
mod retry;
mod switch;
mod term;
mod trace;

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use contract::status::Stage;
use contract::{LogIdentity, LogPosition};
use deadpool_postgres::Pool;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::error::EngineError;
use crate::metrics;
use crate::projection::Projection;
use crate::source::Wanted;
use crate::source::feed::{Feed, Log};
use crate::table::Table;
use crate::worker::term::Term;
use crate::write::checkpoint;
use crate::write::history::KeepHistory;
use crate::write::session::Session;
use crate::write::sql;

/// Pauses between tries, to get the lock or after an error: doubled each time from the first to the last. With the
/// last a worker that stands by takes over well within 5 seconds.
const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_LAST: Duration = Duration::from_secs(1);

/// A term that lasted this long was not a failure at its beginning: the next pause is short again.
const TERM_WELL_BEGUN: Duration = Duration::from_secs(10);

/// Why a term ended without an error.
pub(crate) enum TermEnd {
    /// The process is to end.
    Shutdown,
    /// Another worker took over.
    Superseded,
    /// The log needs a newer binary, and one has taken over.
    Retired,
    /// The version is not there any more, or about to go.
    Gone,
}

/// What the workers of a projection's versions share.
#[derive(Clone)]
pub(crate) struct Shared {
    /// The version that readers use, as far as this process knows; 0 is none.
    pub(crate) active: Arc<AtomicI32>,
    /// Whether the active version's checkpoint has reached the target.
    pub(crate) reached: watch::Sender<bool>,
    /// The head of the log when the process started.
    pub(crate) target: LogPosition,
}

pub(crate) struct Worker<E> {
    pub(crate) projection: Arc<Projection<E>>,
    pub(crate) version: i32,
    pub(crate) history: KeepHistory,
    pub(crate) pool: Pool,
    pub(crate) log: Log<E>,
    pub(crate) identity: LogIdentity,
    pub(crate) shared: Shared,
    pub(crate) shutdown: CancellationToken,
}

impl<E: Send + Sync + 'static> Worker<E> {
    /// Works until the shutdown, or until the version is gone.
    ///
    /// # Errors
    /// Only refusals: errors that trying again cannot mend.
    pub(crate) async fn run(self) -> Result<(), EngineError> {
        let name = self.projection.name;
        let mut pause = PAUSE_FIRST;
        loop {
            let begun = tokio::time::Instant::now();
            let ended = tokio::select! {
                // A term ends by itself on shutdown; this is for one that has not begun.
                ended = self.term() => ended,
                () = self.shutdown_overdue() => return Ok(()),
            };
            if self.is_active() {
                metrics::record_no_worker(name);
            }
            match ended {
                Ok(TermEnd::Gone) => return Ok(()),
                Ok(TermEnd::Shutdown) => return Ok(()),
                Ok(TermEnd::Superseded) => {
                    self.record_elsewhere();
                    tracing::info!(projection = name, "another worker has taken over");
                }
                Ok(TermEnd::Retired) => {
                    self.record_elsewhere();
                    tracing::info!(projection = name, "a newer binary has taken over");
                    self.shutdown.cancelled().await;
                    return Ok(());
                }
                Err(error) if error.is_refusal() => return Err(error),
                Err(error) => tracing::warn!(projection = name, %error, "the worker begins again"),
            }
            if begun.elapsed() >= TERM_WELL_BEGUN {
                pause = PAUSE_FIRST;
            }
            tokio::select! {
                () = sleep(pause) => pause = (pause * 2).min(PAUSE_LAST),
                () = self.shutdown.cancelled() => return Ok(()),
            }
        }
    }

    /// Takes back what this process has measured of a projection that another one folds now.
    fn record_elsewhere(&self) {
        if self.is_active() {
            metrics::record_elsewhere(self.projection.name);
        }
    }

    /// Some time after the shutdown, when a statement or a connection attempt hangs.
    async fn shutdown_overdue(&self) {
        const GRACE: Duration = Duration::from_secs(5);
        self.shutdown.cancelled().await;
        sleep(GRACE).await;
    }

    /// Stands by, takes over and folds.
    async fn term(&self) -> Result<TermEnd, EngineError> {
        let mut session = Session::open(&self.pool).await?;
        if !self.stand_by(&session).await? {
            return Ok(TermEnd::Shutdown);
        }
        let (projection, version) = (&*self.projection, self.version);
        let standing = checkpoint::look(&session.client, projection, version, self.identity).await?;
        let Some(standing) = standing.filter(|standing| standing.stage != Stage::Dropping) else {
            return Ok(TermEnd::Gone);
        };
        // Read after the checkpoint, so that a log that grows is never behind it.
        let head = self.log.store.head().await?;
        self.log.head.saw(head);
        if standing.position > head {
            return Err(EngineError::HeadBehindCheckpoint {
                projection: projection.name,
                checkpoint: standing.position,
                head,
            });
        }
        let tables = sql::of_version(projection, version, self.history.is_kept());
        let taken = checkpoint::take_over(&mut session.client, projection, version, head, &tables).await?;
        let Some(taken) = taken else { return Ok(TermEnd::Gone) };
        tracing::info!(
            projection = projection.name,
            version,
            position = taken.position.0,
            head = head.0,
            "folding"
        );
        let feed = Feed::behind(taken.position, Wanted::of(projection), self.log.clone());
        Term::new(self, session, tables, taken, head, feed).run().await
    }

    /// Waits for the lock, or for the version to go; false on shutdown. Meanwhile another worker folds, and its
    /// checkpoint counts.
    async fn stand_by(&self, session: &Session) -> Result<bool, EngineError> {
        let (projection, version) = (&*self.projection, self.version);
        let mut pause = PAUSE_FIRST;
        loop {
            if self.shutdown.is_cancelled() {
                return Ok(false);
            }
            if session.try_lock(projection.name, version).await? {
                return Ok(true);
            }
            match checkpoint::look(&session.client, projection, version, self.identity).await? {
                Some(standing) => self.note_reached(standing.position),
                None => return Ok(true),
            }
            tokio::select! {
                () = sleep(pause) => pause = (pause * 2).min(PAUSE_LAST),
                () = self.shutdown.cancelled() => {}
            }
        }
    }

    /// The tables of its views, in their order.
    fn view_tables(&self) -> Vec<&'static Table> {
        self.projection.tables().collect()
    }

    /// Whether readers use the version.
    fn is_active(&self) -> bool {
        self.shared.active.load(Ordering::Relaxed) == self.version
    }

    /// Tells who waits once the checkpoint of the active version is where the log ended at start.
    fn note_reached(&self, position: LogPosition) {
        if position >= self.shared.target && self.is_active() {
            self.shared.reached.send_if_modified(|reached| !std::mem::replace(reached, true));
        }
    }
}
