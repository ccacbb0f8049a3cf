//! What the log counts while it is open, and what it takes on disk.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use contract::LogPosition;

use super::disk::Disk;
use super::recovery::INDEX_FILE;
use super::segment::SUFFIX;
use super::{Storage, StorageError};

/// Counted by the writer.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    appends: AtomicU64,
    events: AtomicU64,
    bytes: AtomicU64,
    syncs: AtomicU64,
    sync_nanos: AtomicU64,
    failed: AtomicBool,
}

impl Counts {
    /// A group was written and synced.
    pub(crate) fn group_written(&self, appends: usize, events: usize, bytes: usize, sync: Duration) {
        let nanos = u64::try_from(sync.as_nanos()).unwrap_or(u64::MAX);
        for (count, more) in [
            (&self.appends, appends as u64),
            (&self.events, events as u64),
            (&self.bytes, bytes as u64),
            (&self.syncs, 1),
            (&self.sync_nanos, nanos),
        ] {
            count.fetch_add(more, Ordering::Relaxed);
        }
    }

    /// Nothing is written any more.
    pub(crate) fn writer_failed(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }
}

/// How a log stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statistics {
    /// Of the newest event.
    pub position: LogPosition,
    /// Whether no append is taken any more after a failure.
    pub has_failed: bool,
    /// Appends since the log was opened.
    pub appends: u64,
    /// Their events.
    pub events: u64,
    /// What they took in the log.
    pub bytes: u64,
    /// Syncs, each for a group of appends.
    pub syncs: u64,
    /// How long those took in all.
    pub sync_time: Duration,
    /// Segment files, the one that is kept ready among them.
    pub segments: usize,
    /// What those take on disk.
    pub log_bytes: u64,
    /// What the index takes on disk.
    pub index_bytes: u64,
}

impl Storage {
    /// How the log stands now. Blocks on the disk.
    ///
    /// # Errors
    /// The folder does not list.
    pub fn statistics(&self) -> Result<Statistics, StorageError> {
        let shared = self.shared();
        let (disk, dir) = (&*shared.log.disk, &shared.log.dir);
        let names = disk.list(dir).map_err(|error| StorageError::io("list", dir, error))?;
        let mut log_bytes = 0;
        let mut segments = 0;
        for name in names.iter().filter(|name| name.ends_with(SUFFIX)) {
            log_bytes += size(disk, &dir.join(name))?;
            segments += 1;
        }
        let index = dir.with_file_name(INDEX_FILE);
        let (counts, get) = (&shared.counts, |count: &AtomicU64| count.load(Ordering::Relaxed));
        Ok(Statistics {
            position: self.head().borrow().last,
            has_failed: counts.failed.load(Ordering::Relaxed),
            appends: get(&counts.appends),
            events: get(&counts.events),
            bytes: get(&counts.bytes),
            syncs: get(&counts.syncs),
            sync_time: Duration::from_nanos(get(&counts.sync_nanos)),
            segments,
            log_bytes,
            index_bytes: size(disk, &index)?,
        })
    }
}

fn size(disk: &dyn Disk, path: &Path) -> Result<u64, StorageError> {
    match disk.open(path).and_then(|file| file.size()) {
        Ok(size) => Ok(size),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(StorageError::io("open", path, error)),
    }
}
