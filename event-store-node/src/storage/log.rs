//! Reading the log by position, forwards and backwards, from any thread. Only what was synced is ever read here.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;
use uuid::Uuid;

use super::StorageError;
use super::disk::Disk;
use super::packed::PackedReader;
use super::record::{self, FOOT_BYTES, HEAD_BYTES, NotARecord, Record};
use super::segment::{self, Segment, SegmentFile};

/// Looking for a boundary from the beginning of a segment takes at least this much at a time.
const SEARCH_BLOCK_BYTES: u64 = 256 * 1024;
/// Open files of segments that are kept; when more are needed all are closed first.
const MAX_OPEN_FILES: usize = 128;

/// The segments of a log and how far they are committed.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    pub(crate) store: Uuid,
    segments: RwLock<Vec<Segment>>,
    open_files: Mutex<HashMap<u64, Arc<SegmentFile>>>,
    committed: AtomicU64,
}

impl Log {
    /// A log over segments in order; nothing is readable before [`Log::commit`].
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: PathBuf, store: Uuid, segments: Vec<Segment>) -> Self {
        Self {
            disk,
            dir,
            store,
            segments: RwLock::new(segments),
            open_files: Mutex::default(),
            committed: AtomicU64::new(0),
        }
    }

    /// Where the last synced record ends.
    pub(crate) fn committed(&self) -> u64 {
        self.committed.load(Ordering::Acquire)
    }

    /// Makes everything before `end` readable.
    pub(crate) fn commit(&self, end: u64) {
        self.committed.store(end, Ordering::Release);
    }

    /// Says where the last record of a segment ends.
    pub(crate) fn end_segment(&self, base: u64, end: u64) {
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(sealed) = segments.iter_mut().find(|segment| segment.base == base) {
            sealed.end = Some(end);
        }
    }

    /// Adds the segment that is written to from now on.
    pub(crate) fn add_segment(&self, segment: Segment) {
        self.segments.write().unwrap_or_else(PoisonError::into_inner).push(segment);
    }

    /// Leaves out the segments after one, which hold nothing yet.
    pub(crate) fn forget_after(&self, base: u64) {
        self.segments.write().unwrap_or_else(PoisonError::into_inner).retain(|segment| segment.base <= base);
    }

    /// The segments, in order.
    pub(crate) fn segments(&self) -> Vec<Segment> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The first byte after the header of the first segment.
    pub(crate) fn first(&self) -> u64 {
        self.at(0).map_or(0, |segment| segment.first())
    }

    /// The segment of a position.
    fn at(&self, position: u64) -> Option<Segment> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        let after = segments.partition_point(|segment| segment.base <= position);
        segments[..after].last().copied().filter(|segment| segment.covers(position))
    }

    /// Where readable records of a segment end.
    fn readable_end(&self, segment: &Segment) -> u64 {
        segment.end.unwrap_or_else(|| self.committed().min(segment.limit()))
    }

    /// The open file of a segment.
    pub(crate) fn open(&self, segment: &Segment) -> Result<Arc<SegmentFile>, StorageError> {
        let mut open = self.open_files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.get(&segment.base) {
            return Ok(Arc::clone(file));
        }
        let (_, file) = segment::open(&*self.disk, &segment.path(&self.dir), self.store, segment.base)?;
        let file = Arc::new(file);
        if open.len() >= MAX_OPEN_FILES {
            open.clear();
        }
        open.insert(segment.base, Arc::clone(&file));
        Ok(file)
    }

    /// Lets who opens a segment from now on see the file that has taken the place of the one before. Who has that open
    /// reads on in it.
    pub(super) fn replace(&self, segment: &Segment, file: SegmentFile) {
        let mut open = self.open_files.lock().unwrap_or_else(PoisonError::into_inner);
        open.insert(segment.base, Arc::new(file));
    }
}

/// Reads records one after the other through a block of bytes, so that neighbours cost one read of the disk.
#[derive(Debug)]
pub(crate) struct LogReader<'a> {
    log: &'a Log,
    block_bytes: u64,
    block: Bytes,
    block_start: u64,
    /// The segment that was read last.
    opened: Option<(u64, Arc<SegmentFile>)>,
    packed: PackedReader,
}

impl<'a> LogReader<'a> {
    /// A reader that takes `block_bytes` from the disk at a time.
    pub(crate) fn new(log: &'a Log, block_bytes: u64) -> Self {
        let (opened, packed) = (None, PackedReader::default());
        Self { log, block_bytes, block: Bytes::new(), block_start: 0, opened, packed }
    }

    fn open(&mut self, segment: &Segment) -> Result<Arc<SegmentFile>, StorageError> {
        if let Some((base, file)) = &self.opened
            && *base == segment.base
        {
            return Ok(Arc::clone(file));
        }
        let file = self.log.open(segment)?;
        self.opened = Some((segment.base, Arc::clone(&file)));
        Ok(file)
    }

    /// The record at a position that the index or another record names; `None` when a scavenge took it away.
    pub(crate) fn record(&mut self, position: u64) -> Result<Option<Record>, StorageError> {
        let Some(segment) = self.log.at(position) else {
            return Err(StorageError::DamagedRecord { position });
        };
        let file = self.open(&segment)?;
        match &file.packed {
            Some(packed) => self.packed.at(&file, packed, position),
            None => self.plain_record(&segment, position).map(Some),
        }
    }

    fn plain_record(&mut self, segment: &Segment, position: u64) -> Result<Record, StorageError> {
        match self.try_record(segment, position)? {
            Ok(record) => Ok(record),
            Err(_) => Err(StorageError::DamagedRecord { position }),
        }
    }

    /// The first record at or after a boundary between records, unless that is where the log ends.
    pub(crate) fn next(&mut self, boundary: u64) -> Result<Option<Record>, StorageError> {
        let mut at = boundary.max(self.log.first());
        loop {
            let Some(segment) = self.log.at(at) else { return Ok(None) };
            let start = at.max(segment.first());
            if start < self.log.readable_end(&segment) {
                let file = self.open(&segment)?;
                let found = match &file.packed {
                    Some(packed) => self.packed.next(&file, packed, start)?,
                    None => Some(self.plain_record(&segment, start)?),
                };
                if found.is_some() {
                    return Ok(found);
                }
            }
            if segment.end.is_none() || segment.limit() >= self.log.committed() {
                return Ok(None);
            }
            at = segment.limit();
        }
    }

    /// The last record that ends at or before a boundary between records, unless that is where the log begins.
    pub(crate) fn previous(&mut self, boundary: u64) -> Result<Option<Record>, StorageError> {
        let mut boundary = boundary.min(self.log.committed());
        loop {
            let Some(segment) = boundary.checked_sub(1).and_then(|last| self.log.at(last)) else {
                return Ok(None);
            };
            let end = boundary.min(self.log.readable_end(&segment));
            if end <= segment.first() {
                boundary = segment.base;
                continue;
            }
            let file = self.open(&segment)?;
            let found = match &file.packed {
                Some(packed) => self.packed.previous(&file, packed, end)?,
                None => Some(self.plain_record_before(&segment, end)?),
            };
            if found.is_some() {
                return Ok(found);
            }
            boundary = segment.base;
        }
    }

    fn plain_record_before(&mut self, segment: &Segment, end: u64) -> Result<Record, StorageError> {
        self.load_before(segment, end)?;
        let foot = (end - FOOT_BYTES - self.block_start) as usize;
        match record::claimed_size(&self.block[foot..]) {
            Ok(size) if size <= end - segment.first() => self.plain_record(segment, end - size),
            _ => Err(StorageError::DamagedRecord { position: end }),
        }
    }

    /// The first boundary at or after any position at all, which need not be that of a record.
    pub(crate) fn boundary(&mut self, position: u64) -> Result<u64, StorageError> {
        let position = position.max(self.log.first());
        let Some(segment) = self.log.at(position).filter(|_| position < self.log.committed()) else {
            return Ok(self.log.committed());
        };
        if position >= self.log.readable_end(&segment) || position <= segment.first() {
            return Ok(position.max(segment.first()));
        }
        let file = self.open(&segment)?;
        if let Some(packed) = &file.packed {
            let before = self.packed.previous(&file, packed, position)?;
            return Ok(before.map_or(position, |record| record.end.max(position)));
        }
        if self.try_record(&segment, position)?.is_ok() {
            return Ok(position);
        }
        self.block_bytes = self.block_bytes.max(SEARCH_BLOCK_BYTES);
        let mut at = segment.first();
        while at < position {
            at = self.plain_record(&segment, at)?.end;
        }
        Ok(at)
    }

    fn try_record(
        &mut self,
        segment: &Segment,
        position: u64,
    ) -> Result<Result<Record, NotARecord>, StorageError> {
        let readable = self.log.readable_end(segment).saturating_sub(position);
        let mut wanted = HEAD_BYTES;
        loop {
            if wanted > readable {
                return Ok(Err(NotARecord::Damaged));
            }
            if !self.holds(position, wanted) {
                let length = wanted.max(self.block_bytes).min(readable);
                self.load(segment, position, length)?;
            }
            let bytes = self.block.slice((position - self.block_start) as usize..);
            match record::decode(&bytes, position) {
                Err(NotARecord::Short(total)) if total > wanted => wanted = total,
                decoded => return Ok(decoded),
            }
        }
    }

    fn holds(&self, position: u64, length: u64) -> bool {
        let block_end = self.block_start + self.block.len() as u64;
        self.block_start <= position && position + length <= block_end
    }

    /// Loads a block that ends at `end`, unless the one at hand reaches there.
    fn load_before(&mut self, segment: &Segment, end: u64) -> Result<(), StorageError> {
        if self.holds(end - FOOT_BYTES, FOOT_BYTES) {
            return Ok(());
        }
        let start = end.saturating_sub(self.block_bytes).max(segment.first()).min(end - FOOT_BYTES);
        self.load(segment, start, end - start)
    }

    fn load(&mut self, segment: &Segment, start: u64, length: u64) -> Result<(), StorageError> {
        let mut buffer = vec![0; length as usize];
        let file = self.open(segment)?;
        let read = file
            .file
            .read_at(&mut buffer, start - segment.base)
            .map_err(|error| StorageError::io("read", &segment.path(&self.log.dir), error))?;
        buffer.truncate(read);
        self.block = buffer.into();
        self.block_start = start;
        if (read as u64) < length {
            return Err(StorageError::DamagedRecord { position: start + read as u64 });
        }
        Ok(())
    }
}
