//! The storage as the rest of the node sees it.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

use contract::LogPosition;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use super::append::{AppendOutcome, AppendRequest, DeleteRequest};
use super::disk::Disk;
use super::error::{AppendError, StorageError};
use super::flush;
use super::plan::Change;
use super::record;
use super::recovery::{self, Dropped};
use super::segment::SEGMENT_HEADER_BYTES;
use super::writer::{Job, Shared, Waiting};
use crate::metrics;

/// Bytes of events that may wait to be written; who comes later waits for room.
const MAX_QUEUED_BYTES: usize = 64 * 1024 * 1024;
/// Appends that may wait to be written.
const MAX_QUEUED_APPENDS: usize = 16_384;
/// How long an append waits for room before it is refused.
const BUSY_AFTER: Duration = Duration::from_secs(5);

/// How the storage is set up.
#[derive(Debug, Clone)]
pub struct StorageConfig {
    /// Where the data lies; created when missing.
    pub data_dir: PathBuf,
    /// The size of a segment file, in bytes. One or two stand there from the start.
    pub segment_bytes: u64,
    /// The largest append: data, metadata and types of its events, in bytes.
    pub max_append_bytes: u64,
}

impl StorageConfig {
    /// 64 MiB a segment.
    pub const DEFAULT_SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
    /// 1 MiB an append.
    pub const DEFAULT_MAX_APPEND_BYTES: u64 = 1024 * 1024;

    /// The usual settings for a data directory.
    #[must_use]
    pub fn new(data_dir: PathBuf) -> Self {
        Self {
            data_dir,
            segment_bytes: Self::DEFAULT_SEGMENT_BYTES,
            max_append_bytes: Self::DEFAULT_MAX_APPEND_BYTES,
        }
    }

    pub(crate) fn check(&self) -> Result<(), StorageError> {
        let smallest = SEGMENT_HEADER_BYTES + 2 * self.max_append_bytes;
        if self.segment_bytes < smallest || self.max_append_bytes > record::MAX_BODY_BYTES / 2 {
            return Err(StorageError::Config(format!(
                "a segment of {} bytes is too small for appends of {} bytes; it takes {smallest}, and an append at most {}",
                self.segment_bytes,
                self.max_append_bytes,
                record::MAX_BODY_BYTES / 2,
            )));
        }
        Ok(())
    }
}

/// A place between two events, or before the first or after the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Boundary(pub(crate) u64);

impl Boundary {
    /// Before the first event.
    pub const START: Boundary = Boundary(0);
}

/// How far the log reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// After the last event that is on disk.
    pub end: Boundary,
    /// The position of that event.
    pub last: LogPosition,
}

/// The log. Cheap to clone; the last clone to go, or [`Storage::close`], ends it.
#[derive(Debug, Clone)]
pub struct Storage(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shared: Shared,
    config: StorageConfig,
    queue: mpsc::Sender<Job>,
    room: Arc<Semaphore>,
    head: watch::Receiver<Head>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// Held by who scavenges.
    scavenging: Mutex<()>,
    closing: AtomicBool,
}

impl Storage {
    /// Opens the log in a data directory, or begins one. Blocks until everything written after the index's last
    /// flush was read. The second value says what an interrupted write left behind and was taken away.
    ///
    /// # Errors
    /// When the directory is in use or foreign, when the log is damaged, or when the machine refuses.
    pub fn open(disk: Arc<dyn Disk>, config: StorageConfig) -> Result<(Self, Option<Dropped>), StorageError> {
        Self::open_flushing_each(disk, config, flush::FLUSH_EVENTS)
    }

    /// The same with another number of events after which the index is flushed, for tests of what happens meanwhile.
    ///
    /// # Errors
    /// As [`Storage::open`].
    pub fn open_flushing_each(
        disk: Arc<dyn Disk>,
        config: StorageConfig,
        flush_events: usize,
    ) -> Result<(Self, Option<Dropped>), StorageError> {
        config.check()?;
        let (queue, jobs) = mpsc::channel(MAX_QUEUED_APPENDS);
        let (writer, head, dropped) = recovery::open(disk, &config, flush_events.max(1))?;
        let shared = writer.shared.clone();
        let thread = std::thread::Builder::new()
            .name("log-writer".to_owned())
            .spawn(move || writer.run(jobs))
            .map_err(|error| StorageError::Config(format!("cannot start a thread: {error}")))?;
        let room = Arc::new(Semaphore::new(MAX_QUEUED_BYTES));
        let writer = Mutex::new(Some(thread));
        let (scavenging, closing) = (Mutex::default(), AtomicBool::new(false));
        let inner = Inner { shared, config, queue, room, head, writer, scavenging, closing };
        Ok((Self(Arc::new(inner)), dropped))
    }

    /// Queues an append, waiting for room. Appends are carried out in the order in which they were queued.
    ///
    /// # Errors
    /// When it is too large, when there is no room for long, or when the log takes no appends any more.
    pub async fn enqueue(&self, request: AppendRequest) -> Result<Pending, AppendError> {
        let bytes = record::encoded_bound(&request.stream, &request.events);
        let limit = self.0.config.max_append_bytes;
        let payload: u64 = request.events.iter().map(super::ProposedEvent::payload_bytes).sum();
        let fits_a_segment = bytes <= self.0.config.segment_bytes - SEGMENT_HEADER_BYTES;
        if payload > limit || !fits_a_segment {
            return Err(AppendError::TooLarge { limit });
        }
        metrics::append_taken(request.events.len());
        self.submit(Change::Append(request), bytes).await
    }

    /// Deletes a stream. Success means that it is on disk.
    ///
    /// # Errors
    /// As [`Storage::append`].
    pub async fn delete(&self, request: DeleteRequest) -> Result<AppendOutcome, AppendError> {
        let bytes = request.stream.as_str().len() as u64;
        self.submit(Change::Delete(request), bytes).await?.await
    }

    async fn submit(&self, change: Change, bytes: u64) -> Result<Pending, AppendError> {
        let share = u32::try_from(bytes.min(MAX_QUEUED_BYTES as u64)).unwrap_or(u32::MAX);
        let closed = || AppendError::Stopped("the node is stopping".to_owned());
        let (reply, receiver) = oneshot::channel();
        let queued = async {
            let permit = Arc::clone(&self.0.room).acquire_many_owned(share).await.map_err(|_| closed())?;
            self.0
                .queue
                .send(Job::Change(Waiting { change, reply, _permit: permit }))
                .await
                .map_err(|_| closed())
        };
        tokio::time::timeout(BUSY_AFTER, queued).await.map_err(|_| AppendError::Busy)??;
        Ok(Pending(receiver))
    }

    /// Appends events. Success means that they are on disk.
    ///
    /// # Errors
    /// As [`Storage::enqueue`]; with [`AppendError::Stopped`] it is not known whether they are in the log.
    pub async fn append(&self, request: AppendRequest) -> Result<AppendOutcome, AppendError> {
        self.enqueue(request).await?.await
    }

    /// How far the log reaches, as it grows.
    #[must_use]
    pub fn head(&self) -> watch::Receiver<Head> {
        self.0.head.clone()
    }

    /// The largest append, in bytes.
    #[must_use]
    pub fn max_append_bytes(&self) -> u64 {
        self.0.config.max_append_bytes
    }

    /// Answers what is queued, flushes the index, and frees the data directory. Blocks until that is done; no stream
    /// can be read after that.
    pub fn close(&self) {
        self.0.closing.store(true, Ordering::Relaxed);
        // A scavenge writes to the data directory; it ends soon after that.
        let _scavenged = self.0.scavenging.lock().unwrap_or_else(PoisonError::into_inner);
        let thread = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        let mut close = Some(Job::Close);
        // A full queue empties as long as the writer lives.
        while let Some(job) = close.take() {
            match self.0.queue.try_send(job) {
                Err(mpsc::error::TrySendError::Full(job)) => {
                    close = Some(job);
                    std::thread::sleep(Duration::from_millis(1));
                }
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
            }
        }
        let _ = thread.join();
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0.shared
    }

    pub(super) fn data_dir(&self) -> &Path {
        &self.0.config.data_dir
    }

    /// Whether the log is about to be closed.
    pub(super) fn is_closing(&self) -> bool {
        self.0.closing.load(Ordering::Relaxed)
    }

    /// Keeps every other scavenge, and the end of the log, waiting; `None` when there is one under way.
    pub(super) fn begin_scavenge(&self) -> Option<MutexGuard<'_, ()>> {
        match self.0.scavenging.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// An append on its way to the disk.
#[derive(Debug)]
pub struct Pending(oneshot::Receiver<Result<AppendOutcome, AppendError>>);

impl Future for Pending {
    type Output = Result<AppendOutcome, AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|answer| {
            answer.unwrap_or_else(|_| Err(AppendError::Stopped("the writer is gone".to_owned())))
        })
    }
}
