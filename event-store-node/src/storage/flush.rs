//! Moves the tail of the index to disk behind the writer's back, one generation at a time.

use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;

use tracing::error;

use super::StorageError;
use super::index::Index;
use super::tail::{Generation, Tail};

/// A generation is usually flushed when it has this many events …
pub(crate) const FLUSH_EVENTS: usize = 131_072;
/// … or covers this much of the log, which is what the next opening has to read again.
const FLUSH_LOG_BYTES: u64 = 64 * 1024 * 1024;
/// The writer waits for the flush under way when the next generation is this many times due.
const WAIT_AT: u64 = 2;

fn times_due(generation: &Generation, flushed_end: u64, flush_events: usize) -> u64 {
    let by_bytes = generation.end.saturating_sub(flushed_end) / FLUSH_LOG_BYTES;
    by_bytes.max((generation.events / flush_events) as u64)
}

/// Flushes while the log is read at opening, before there is a thread for it.
pub(crate) fn while_replaying(
    index: &Index,
    tail: &mut Tail,
    flushed_end: &mut u64,
    flush_events: usize,
) -> Result<(), StorageError> {
    if times_due(&tail.active, *flushed_end, flush_events) > 0 {
        now(index, tail, flushed_end)?;
    }
    Ok(())
}

/// Flushes the active generation, before there is a thread for it.
pub(crate) fn now(index: &Index, tail: &mut Tail, flushed_end: &mut u64) -> Result<(), StorageError> {
    index.flush(&tail.active)?;
    *flushed_end = tail.active.end;
    tail.active = Generation { end: tail.active.end, ..Generation::default() };
    Ok(())
}

/// The thread that flushes.
#[derive(Debug)]
pub(crate) struct Flusher {
    index: Arc<Index>,
    jobs: SyncSender<Arc<Generation>>,
    done: Receiver<Result<(), StorageError>>,
    thread: JoinHandle<()>,
    in_flight: bool,
    /// Where the generation before the active one ends.
    flushed_end: u64,
    flush_events: usize,
}

impl Flusher {
    /// Starts the thread; everything before `flushed_end` is in the index.
    pub(crate) fn start(
        index: Arc<Index>,
        tail: Arc<RwLock<Tail>>,
        flushed_end: u64,
        flush_events: usize,
    ) -> Result<Self, StorageError> {
        let (jobs, to_do) = sync_channel::<Arc<Generation>>(1);
        let (finished, done) = sync_channel(1);
        let work_index = Arc::clone(&index);
        let work = move || {
            for generation in to_do {
                let flushed = work_index.flush(&generation);
                if flushed.is_ok() {
                    tail.write().unwrap_or_else(PoisonError::into_inner).end_flush();
                }
                if finished.send(flushed).is_err() {
                    break;
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("log-index".to_owned())
            .spawn(work)
            .map_err(|error| StorageError::Config(format!("cannot start a thread: {error}")))?;
        Ok(Self { index, jobs, done, thread, in_flight: false, flushed_end, flush_events })
    }

    /// Hands the active generation over when it is large enough. Waits for the one before only when memory would
    /// grow past its bound.
    pub(crate) fn flush_when_due(&mut self, tail: &RwLock<Tail>) -> Result<(), StorageError> {
        let times = {
            let tail = tail.read().unwrap_or_else(PoisonError::into_inner);
            times_due(&tail.active, self.flushed_end, self.flush_events)
        };
        if times == 0 {
            return Ok(());
        }
        if self.in_flight {
            let finished = match self.done.try_recv() {
                Err(TryRecvError::Empty) if times < WAIT_AT => return Ok(()),
                Err(TryRecvError::Empty) => self.done.recv().ok(),
                other => other.ok(),
            };
            self.in_flight = false;
            finished.unwrap_or_else(|| Err(StorageError::Index("its thread has ended".to_owned())))?;
        }
        let generation = tail.write().unwrap_or_else(PoisonError::into_inner).start_flush();
        self.flushed_end = generation.end;
        self.in_flight = self.jobs.send(generation).is_ok();
        Ok(())
    }

    /// Ends without flushing what is left; nothing is written after that.
    pub(crate) fn give_up(self) {
        drop(self.jobs);
        let _ = self.thread.join();
    }

    /// Flushes what is left, so that the next opening finds nothing to do.
    pub(crate) fn finish(self, tail: &RwLock<Tail>) {
        let Self { index, jobs, thread, .. } = self;
        drop(jobs);
        let _ = thread.join();
        let mut tail = tail.write().unwrap_or_else(PoisonError::into_inner);
        if tail.flushing.is_some() || (tail.active.events == 0 && tail.active.sealed.is_empty()) {
            return;
        }
        match index.flush(&tail.active) {
            Ok(()) => tail.active = Generation { end: tail.active.end, ..Generation::default() },
            Err(error) => error!(%error, "the index was not flushed; the next opening reads the log instead"),
        }
    }
}
