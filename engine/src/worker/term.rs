//! One worker's time as the one that folds: take what the feed gives, carry it out batch by batch, say where it stands.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use contract::LogPosition;
use contract::status::{Stage, State};
use jiff::Timestamp;
use tokio::time::{Instant, sleep_until};

use super::batch_size::{BATCH_EVENTS_MAX, BatchSize};
use super::dispatching::Dispatching;
use super::outcome::Outcome;
use super::{TermEnd, Worker};
use crate::checksum::Checksums;
use crate::error::EngineError;
use crate::metrics;
use crate::parked::{Parked, Place};
use crate::source::Item;
use crate::source::feed::{Fed, Feed};
use crate::write::checkpoint::{Checkpoint, Fence};
use crate::write::commit::{Holder, Status, WriteError, Written, write_status};
use crate::write::session::Session;
use crate::write::sql::TableSql;

/// The row says at least this often that somebody is at it.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(2);

/// The same while the version is to become the active one: as often it tries.
pub(super) const SWITCH_PAUSE: Duration = Duration::from_millis(20);

/// How often at most the checkpoint moves past our own events that this projection does not fold. A query that waits
/// for such a position waits this long at most.
const MOVE_PASSED: Duration = Duration::from_millis(5);

/// How often at most it moves past events that nobody asks for.
const MOVE_IDLE: Duration = Duration::from_secs(1);

/// The most items taken from the feed ahead of the batch.
const BUFFER_ITEMS: usize = BATCH_EVENTS_MAX;

pub(crate) struct Term<'w, E> {
    pub(super) worker: &'w Worker<E>,
    pub(super) session: Session,
    pub(super) tables: Vec<TableSql>,
    pub(super) fence: Fence,
    pub(super) position: LogPosition,
    pub(super) checksums: Vec<Checksums>,
    pub(super) stage: Stage,
    /// Whether a version that is to take this one's place is behind it.
    pub(super) is_awaited: bool,
    pub(super) parked: Arc<Parked>,
    /// What was put aside while the version was built.
    pub(super) held: Vec<Place>,
    pub(super) feed: Feed<E>,
    pub(super) buffer: VecDeque<Item<E>>,
    pub(super) size: BatchSize,
    /// Batches of the term before it was live.
    pub(super) caught_up: u64,
    /// Why the feed gives nothing for now.
    waiting: Option<String>,
    /// Recorded time of the last event folded.
    pub(super) folded_to: Option<Timestamp>,
    /// When the latest of all that is folded was recorded, if what rows were is kept.
    pub(super) recorded_to: Option<Timestamp>,
    /// When what is too old of it goes next.
    pub(super) forget_at: Instant,
    written_at: Instant,
    /// The row does not say what it should.
    stale: bool,
    /// Of a saga's projection, until the term ends.
    pub(super) dispatching: Option<Dispatching>,
}

impl<'w, E: Send + Sync + 'static> Term<'w, E> {
    /// A term that begins where it was taken over, while the log ends at `head`.
    pub(crate) fn new(
        worker: &'w Worker<E>,
        session: Session,
        tables: Vec<TableSql>,
        taken: Checkpoint,
        head: LogPosition,
        feed: Feed<E>,
    ) -> Self {
        worker.note_reached(taken.position);
        let mut dispatching = Dispatching::new(worker, head);
        if let Some(dispatching) = &mut dispatching {
            dispatching.reached(taken.position);
        }
        Self {
            worker,
            session,
            tables,
            fence: taken.fence,
            position: taken.position,
            checksums: taken.checksums,
            stage: taken.stage,
            is_awaited: false,
            parked: Arc::new(taken.parked),
            held: taken.held,
            feed,
            buffer: VecDeque::new(),
            size: BatchSize::new(),
            caught_up: 0,
            waiting: None,
            folded_to: None,
            recorded_to: taken.recorded_to,
            forget_at: Instant::now(),
            written_at: Instant::now(),
            stale: true,
            dispatching,
        }
    }

    pub(crate) async fn run(mut self) -> Result<TermEnd, EngineError> {
        let ended = self.work().await;
        self.end_dispatching().await;
        ended
    }

    async fn work(&mut self) -> Result<TermEnd, EngineError> {
        match self.fold_held().await? {
            Outcome::Written | Outcome::Halved => {}
            Outcome::Superseded => return Ok(TermEnd::Superseded),
            Outcome::Stop(stop) => return self.halt(stop).await,
        }
        loop {
            while self.buffer.len() < BUFFER_ITEMS
                && let Some(fed) = self.feed.try_next()
            {
                self.take(fed);
            }
            if self.worker.shutdown.is_cancelled() {
                return Ok(self.stopped().await);
            }
            if let Some(dispatching) = &self.dispatching {
                dispatching.read_page(&self.session.client).await?;
            }
            if self.stage == Stage::Switching {
                self.try_switch().await?;
            }
            if self.is_awaited {
                self.give_way().await?;
            }
            self.forget_history().await?;
            let now = Instant::now();
            let pause = if self.stage == Stage::Switching { SWITCH_PAUSE } else { HEARTBEAT };
            let beat = if self.stale { now } else { self.written_at + pause };
            match self.due() {
                Some(due) if due <= now => match self.carry_out().await? {
                    Outcome::Written | Outcome::Halved => {}
                    Outcome::Superseded => return Ok(TermEnd::Superseded),
                    Outcome::Stop(stop) => return self.halt(stop).await,
                },
                _ if beat <= now => {
                    if !self.say(&self.status(self.state(), 0)).await? {
                        return Ok(TermEnd::Superseded);
                    }
                }
                due => {
                    let wake = due.map_or(beat, |due| due.min(beat));
                    tokio::select! {
                        () = self.worker.shutdown.cancelled() => {}
                        () = sleep_until(wake) => {}
                        wanted = Dispatching::wants_page(self.dispatching.as_mut()) => wanted?,
                        fed = self.feed.next(), if self.buffer.len() < BUFFER_ITEMS => self.take(fed),
                    }
                }
            }
        }
    }

    fn take(&mut self, fed: Fed<E>) {
        match fed {
            Fed::Item(item) => {
                self.stale |= self.waiting.take().is_some();
                self.buffer.push_back(item);
            }
            Fed::Waiting(reason) => {
                tracing::warn!(projection = self.worker.projection.name, reason, "waiting to go on");
                self.stale |= self.waiting.replace(reason).is_none();
            }
            Fed::Changed => self.stale = true,
        }
    }

    /// When what is buffered is to be carried out.
    fn due(&self) -> Option<Instant> {
        let kind = |item: &Item<E>| match item {
            Item::Event(_) | Item::Undecodable(_) | Item::Decision(_) => Duration::ZERO,
            Item::Passed(_) => MOVE_PASSED,
            Item::Considered(_) => MOVE_IDLE,
        };
        self.buffer.iter().map(kind).min().map(|pause| self.written_at + pause)
    }

    pub(super) fn state(&self) -> State {
        if self.feed.is_live() { State::Live } else { State::CatchingUp }
    }

    /// What the row is to say once the first `carried_out` items of the buffer are.
    pub(super) fn status(&self, state: State, carried_out: usize) -> Status {
        let pending = || self.buffer.iter().skip(carried_out);
        let events = pending().filter(|item| item.pending_since().is_some()).count();
        // What waits in the tail's queue counts only behind something that waits here: else it has just come.
        let waiting = |queued: usize| if events == 0 { 0 } else { events + queued };
        let lag_events =
            self.feed.waiting_live().map(|queued| i64::try_from(waiting(queued)).unwrap_or(i64::MAX));
        // Behind, and the next event is not here yet: it is not older than the last one folded.
        let unknown = if self.feed.is_live() { None } else { self.folded_to };
        Status {
            state,
            position: self.position,
            head: self.worker.log.head.get(),
            lag_events,
            pending_since: pending().find_map(Item::pending_since).or(unknown),
            reason: self.waiting.clone(),
            failed_position: None,
            parked: self.parked.len(),
        }
    }

    /// Writes a heartbeat; false when another worker has taken over.
    pub(super) async fn say(&mut self, status: &Status) -> Result<bool, EngineError> {
        match write_status(&self.session.client, &self.holder(), status).await {
            Ok(written) => {
                self.stands(&written);
                self.note_written(status);
                Ok(true)
            }
            Err(WriteError::Superseded) => Ok(false),
            Err(WriteError::Postgres(error)) => Err(error.into()),
        }
    }

    /// Takes over what the row says after a write.
    pub(super) fn stands(&mut self, written: &Written) {
        (self.fence, self.stage, self.is_awaited) = (written.fence, written.stage, written.is_awaited);
    }

    pub(super) fn note_written(&mut self, status: &Status) {
        self.written_at = Instant::now();
        self.stale = false;
        if self.worker.is_active() {
            metrics::record_status(self.worker.projection.name, status, self.parked.oldest());
        }
    }

    pub(super) fn holder(&self) -> Holder {
        let (projection, version) = (self.worker.projection.name, self.worker.version);
        Holder { projection, version, fence: self.fence }
    }

    /// Forgets what will not be folded in this term.
    pub(super) fn forget_buffered(&mut self) {
        self.buffer = VecDeque::new();
    }

    /// Says goodbye. The row is stale in a moment anyhow, so an error is none.
    async fn stopped(&mut self) -> TermEnd {
        self.end_dispatching().await;
        let status = self.status(State::Stopped, 0);
        if let Err(error) = self.say(&status).await {
            tracing::debug!(%error, "the row could not be told of the shutdown");
        }
        TermEnd::Shutdown
    }

    pub(super) async fn end_dispatching(&mut self) {
        if let Some(dispatching) = self.dispatching.take() {
            dispatching.end().await;
        }
    }
}
