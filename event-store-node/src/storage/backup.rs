//! A copy of the log while it is in use. Files of segments that are full never change, though a scavenge may put another
//! one in their place, and the one that is written to only grows: so its end is found first, and nothing after that is
//! copied. Everything that was acknowledged before lies before it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use contract::LogPosition;
use uuid::Uuid;

use super::StorageError;
use super::disk::{Disk, FileSystem};
use super::log::Log;
use super::recovery::{self, LOCK_FILE, LOG_DIR, MARKER_FILE};
use super::replay::SegmentScan;
use super::segment::{self, Segment};

/// How much is copied at once.
const BLOCK_BYTES: u64 = 1024 * 1024;
/// A copy under way has this behind its name, and no marker: nothing opens it as a log.
const UNFINISHED_SUFFIX: &str = ".unfinished";

/// What was copied.
#[derive(Debug)]
pub struct BackedUp {
    /// The log's own id; the copy has the same.
    pub log: Uuid,
    /// Segment files.
    pub segments: usize,
    /// How many events.
    pub events: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Where the newest of them lies.
    pub last: LogPosition,
}

/// Copies the log in a node's folder, in use or not, to a folder that does not exist yet: every event that was
/// acknowledged before, each read and found sound. The index is not copied; the first start builds it. `progress` is
/// told how many bytes of how many are done.
///
/// # Errors
/// When the target exists, when there is no log, when anything in it does not read back, or when the machine refuses;
/// nothing is left of the copy then.
pub fn backup(
    dir: &Path,
    target: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<BackedUp, StorageError> {
    let disk: Arc<dyn Disk> = Arc::new(FileSystem);
    if !dir.join(MARKER_FILE).exists() {
        return Err(StorageError::NoLog(dir.to_owned()));
    }
    let store = recovery::read_marker(&*disk, dir)?.log;
    let unfinished = unfinished(dir, target)?;
    let made =
        fs::create_dir_all(&unfinished).map_err(|error| StorageError::io("create", &unfinished, error));
    // Whoever holds this is at it; what a killed copy left is nobody's.
    let lock = made.and_then(|()| {
        disk.lock(&unfinished.join(LOCK_FILE)).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => StorageError::InUse(unfinished.clone()),
            _ => StorageError::io("lock", &unfinished, error),
        })
    })?;
    let copied = copy(&disk, dir, &unfinished, store, progress).and_then(|copied| {
        finish(dir, &unfinished, target)?;
        Ok(copied)
    });
    if copied.is_err() {
        let _ = fs::remove_dir_all(&unfinished);
    }
    drop(lock);
    copied
}

/// Where the copy lies until it is whole.
fn unfinished(dir: &Path, target: &Path) -> Result<PathBuf, StorageError> {
    if fs::symlink_metadata(target).is_ok() {
        return Err(StorageError::TargetExists(target.to_owned()));
    }
    let name = target.file_name().ok_or_else(|| StorageError::TargetExists(target.to_owned()))?;
    let parent = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let whole = |path: &Path| fs::canonicalize(path).map_err(|error| StorageError::io("open", path, error));
    let parent = whole(parent)?;
    if parent.starts_with(whole(dir)?) {
        return Err(StorageError::TargetInside(target.to_owned()));
    }
    let mut name = name.to_owned();
    name.push(UNFINISHED_SUFFIX);
    Ok(parent.join(name))
}

fn copy(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    target: &Path,
    store: Uuid,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<BackedUp, StorageError> {
    let to = target.join(LOG_DIR);
    match fs::remove_dir_all(&to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(StorageError::io("remove", &to, error));
        }
        _ => fs::create_dir(&to).map_err(|error| StorageError::io("create", &to, error))?,
    }
    let segments = segment::present(&**disk, &dir.join(LOG_DIR), store)?;
    let log = Log::new(Arc::clone(disk), dir.join(LOG_DIR), store, segments.clone());
    let filled = filled(&log, &segments)?;
    let total = filled.iter().map(|segment| segment.size).sum();
    let mut copied =
        BackedUp { log: store, segments: filled.len(), events: 0, bytes: 0, last: LogPosition::START };
    let mut done = 0;
    for (at, segment) in filled.iter().enumerate() {
        let end = end(&log, segment, at + 1 == filled.len(), &mut copied)?;
        let mut tell = |bytes| progress(done + bytes, total);
        copy_segment(&log, segment, end, &to, &mut tell)?;
        done += segment.size;
    }
    File::open(&to).and_then(|dir| dir.sync_all()).map_err(|error| StorageError::io("sync", &to, error))?;
    Ok(copied)
}

/// The segments up to the last one that holds anything: all but that one are full.
fn filled<'a>(log: &Log, segments: &'a [Segment]) -> Result<&'a [Segment], StorageError> {
    for (at, segment) in segments.iter().enumerate().rev() {
        if log.open(segment)?.is_begun(log, segment)? {
            return Ok(&segments[..=at]);
        }
    }
    Err(StorageError::MissingSegment { position: 0 })
}

/// Where the last whole append of a segment ends.
fn end(log: &Log, segment: &Segment, is_last: bool, copied: &mut BackedUp) -> Result<u64, StorageError> {
    let file = log.open(segment)?;
    let end = file.records(log, segment, segment.first(), |record| {
        copied.events += 1;
        copied.bytes += record.end - record.position.0;
        copied.last = record.position;
        Ok(())
    })?;
    let scan = SegmentScan { log, segment, file: &*file.file };
    if !is_last && file.packed.is_none() && scan.first_byte_set(end)?.is_some() {
        return Err(StorageError::DamagedRecord { position: end });
    }
    Ok(end)
}

fn copy_segment(
    log: &Log,
    segment: &Segment,
    end: u64,
    to: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<(), StorageError> {
    let from = log.open(segment)?;
    let failed = |error| StorageError::io("read", &segment.path(&log.dir), error);
    // Of a packed file everything counts.
    let (size, filled) = match from.packed {
        Some(_) => from.file.size().map(|size| (size, size)).map_err(failed)?,
        None => (segment.size, end - segment.base),
    };
    let path = segment.path(to);
    let failed = |error| StorageError::io("write", &path, error);
    let mut file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(failed)?;
    let mut at = 0;
    while at < size {
        let mut block = vec![0; BLOCK_BYTES.min(size - at) as usize];
        let wanted = filled.saturating_sub(at).min(block.len() as u64) as usize;
        let read = from
            .file
            .read_at(&mut block[..wanted], at)
            .map_err(|error| StorageError::io("read", &segment.path(&log.dir), error))?;
        if read < wanted {
            return Err(StorageError::DamagedRecord { position: segment.base + at + read as u64 });
        }
        file.write_all(&block).map_err(failed)?;
        at += block.len() as u64;
        progress(at);
    }
    file.sync_all().map_err(failed)
}

/// Makes the copy a log, durably, and gives it its name.
fn finish(dir: &Path, unfinished: &Path, target: &Path) -> Result<(), StorageError> {
    let marker = unfinished.join(MARKER_FILE);
    let write = || {
        fs::copy(dir.join(MARKER_FILE), &marker)?;
        File::open(&marker)?.sync_all()?;
        File::open(unfinished)?.sync_all()?;
        // Somebody may have made it meanwhile; an empty folder would be replaced.
        if fs::symlink_metadata(target).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        fs::rename(unfinished, target)?;
        unfinished.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
    };
    write().map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => StorageError::TargetExists(target.to_owned()),
        _ => StorageError::io("finish", target, error),
    })
}
