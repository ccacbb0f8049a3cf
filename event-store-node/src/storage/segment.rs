//! Segment files: where the log's bytes lie. A segment covers the positions from its base on, one file byte each; its
//! name is its base. It is written full of zeros before its first record, so that a record's sync changes no size.
//! A scavenge puts a packed file in its place, in which the positions are no offsets any more.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;

use super::StorageError;
use super::disk::{Disk, DiskFile};
use super::log::Log;
use super::packed::{self, Packed};
use super::record::Record;
use super::replay::SegmentScan;

/// What a segment keeps for its header; the first record comes after it, so no position is 0.
pub(crate) const SEGMENT_HEADER_BYTES: u64 = 4096;
/// Zeros are written in pieces of this size, each synced, so that a lot of them never stands before a writer's sync.
const FILL_BYTES: usize = 8 * 1024 * 1024;
const MAGIC: [u8; 8] = *b"HWEVLOG1";
const HEADER_FIELD_BYTES: usize = 8 + 8 + 8 + 16;
pub(super) const SUFFIX: &str = ".log";
pub(super) const UNFINISHED_SUFFIX: &str = ".new";

/// One segment of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The position of its first byte.
    pub base: u64,
    /// How many positions it covers, its header among them.
    pub size: u64,
    /// Where its last record ends, once no more are written to it.
    pub end: Option<u64>,
}

impl Segment {
    /// The position of its first record.
    pub(crate) fn first(&self) -> u64 {
        self.base + SEGMENT_HEADER_BYTES
    }

    /// The base of the segment after it.
    pub(crate) fn limit(&self) -> u64 {
        self.base + self.size
    }

    /// Whether a position lies in it.
    pub(crate) fn covers(&self, position: u64) -> bool {
        (self.base..self.limit()).contains(&position)
    }

    /// Its file.
    pub(crate) fn path(&self, dir: &Path) -> PathBuf {
        dir.join(format!("{:016x}{SUFFIX}", self.base))
    }

    /// Its file while it is being made.
    pub(super) fn unfinished_path(&self, dir: &Path) -> PathBuf {
        dir.join(format!("{:016x}{UNFINISHED_SUFFIX}", self.base))
    }
}

/// Writes a new segment of zeros, followed by its first record when there is one, and makes it durable under its name.
pub(crate) fn create(
    disk: &dyn Disk,
    dir: &Path,
    store: Uuid,
    segment: Segment,
    first_record: &[u8],
) -> Result<Arc<dyn DiskFile>, StorageError> {
    let path = segment.path(dir);
    let failed = |error| StorageError::io("create the segment", &path, error);
    let unfinished = segment.unfinished_path(dir);
    let file = disk.create(&unfinished).map_err(failed)?;
    let zeros = vec![0; FILL_BYTES.min(segment.size as usize)];
    let mut at = 0;
    while at < segment.size {
        let length = (segment.size - at).min(FILL_BYTES as u64);
        file.write_at(&zeros[..length as usize], at).and_then(|()| file.sync()).map_err(failed)?;
        at += length;
    }
    let write = || {
        file.write_at(first_record, SEGMENT_HEADER_BYTES)?;
        file.write_at(&header(store, segment), 0)?;
        file.sync()?;
        disk.rename(&unfinished, &path)?;
        disk.sync_dir(dir)
    };
    write().map_err(failed)?;
    Ok(file)
}

/// Removes unfinished segments from a folder, and finds the others.
pub(crate) fn discover(disk: &dyn Disk, dir: &Path, store: Uuid) -> Result<Vec<Segment>, StorageError> {
    let names = disk.list(dir).map_err(|error| StorageError::io("list", dir, error))?;
    for name in names.iter().filter(|name| name.ends_with(UNFINISHED_SUFFIX)) {
        let path = dir.join(name);
        disk.remove(&path).map_err(|error| StorageError::io("remove", &path, error))?;
    }
    present(disk, dir, store)
}

/// The finished segments in a folder, in order; none is missing between them.
pub(super) fn present(disk: &dyn Disk, dir: &Path, store: Uuid) -> Result<Vec<Segment>, StorageError> {
    let names = disk.list(dir).map_err(|error| StorageError::io("list", dir, error))?;
    let mut segments = Vec::new();
    for name in names.iter().filter(|name| !name.ends_with(UNFINISHED_SUFFIX)) {
        let path = dir.join(name);
        if let Some(base) = name.strip_suffix(SUFFIX) {
            let base = u64::from_str_radix(base, 16).map_err(|_| StorageError::ForeignFile(path.clone()))?;
            segments.push(read_header(disk, &path, store, base)?);
        } else {
            return Err(StorageError::ForeignFile(path));
        }
    }
    segments.sort_by_key(|segment| segment.base);
    let mut expected_base = 0;
    for segment in &segments {
        if segment.base != expected_base {
            return Err(StorageError::MissingSegment { position: expected_base });
        }
        expected_base = segment.limit();
    }
    Ok(segments)
}

/// A segment's file, open, and how its records lie in it.
#[derive(Debug)]
pub(crate) struct SegmentFile {
    pub file: Arc<dyn DiskFile>,
    /// `None` while every position is an offset in the file.
    pub packed: Option<Packed>,
}

impl SegmentFile {
    /// Shows the records from a boundary on, those of an unfinished append left out; gives where the last one ends, or
    /// ended before it was taken away.
    pub(super) fn records(
        &self,
        log: &Log,
        segment: &Segment,
        from: u64,
        visit: impl FnMut(&Record) -> Result<(), StorageError>,
    ) -> Result<u64, StorageError> {
        match &self.packed {
            Some(packed) => packed.records(&*self.file, from, visit).map(|()| packed.end),
            None => SegmentScan { log, segment, file: &*self.file }.appends(from, visit),
        }
    }

    /// Whether anything was ever written to it. What is packed was full.
    pub(super) fn is_begun(&self, log: &Log, segment: &Segment) -> Result<bool, StorageError> {
        if self.packed.is_some() {
            return Ok(true);
        }
        let scan = SegmentScan { log, segment, file: &*self.file };
        Ok(scan.first_byte_set(segment.first())?.is_some())
    }
}

/// What the header of a segment's file says, if it is one of this log.
pub(super) fn read_header(
    disk: &dyn Disk,
    path: &Path,
    store: Uuid,
    base: u64,
) -> Result<Segment, StorageError> {
    open(disk, path, store, base).map(|(segment, _)| segment)
}

/// Opens a segment's file, if it is one of this log.
pub(super) fn open(
    disk: &dyn Disk,
    path: &Path,
    store: Uuid,
    base: u64,
) -> Result<(Segment, SegmentFile), StorageError> {
    let failed = |error| StorageError::io("read the header of", path, error);
    let damaged = |what| StorageError::DamagedSegment { path: path.to_owned(), what };
    let file = disk.open(path).map_err(failed)?;
    let mut bytes = [0; packed::HEADER_BYTES];
    let read = file.read_at(&mut bytes, 0).map_err(failed)?;
    if read < bytes.len() || !(bytes.starts_with(&MAGIC) || bytes.starts_with(&packed::MAGIC)) {
        return Err(damaged("it does not begin like a segment"));
    }
    if bytes[24..40] != *store.as_bytes() {
        return Err(damaged("it belongs to another log"));
    }
    let size = u64::from_le_bytes(bytes[16..24].try_into().expect("eight bytes"));
    let segment = Segment { base, size, end: None };
    let packed = if bytes.starts_with(&MAGIC) {
        if bytes[..HEADER_FIELD_BYTES + 4] != header(store, segment) || size < SEGMENT_HEADER_BYTES {
            return Err(damaged("its header is damaged"));
        }
        if file.size().map_err(failed)? != size {
            return Err(damaged("it is not as long as its header says"));
        }
        None
    } else {
        Some(Packed::read(&*file, path, &bytes, base)?)
    };
    Ok((segment, SegmentFile { file, packed }))
}

fn header(store: Uuid, segment: Segment) -> [u8; HEADER_FIELD_BYTES + 4] {
    let mut bytes = [0; HEADER_FIELD_BYTES + 4];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..16].copy_from_slice(&segment.base.to_le_bytes());
    bytes[16..24].copy_from_slice(&segment.size.to_le_bytes());
    bytes[24..40].copy_from_slice(store.as_bytes());
    let checksum = crc32fast::hash(&bytes[..HEADER_FIELD_BYTES]);
    bytes[HEADER_FIELD_BYTES..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}
