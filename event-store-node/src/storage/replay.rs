//! Reads the log from the index's checkpoint to its end, which it finds.

use bytes::Bytes;
use contract::LogPosition;
use tracing::warn;

use super::StorageError;
use super::StreamKey;
use super::disk::DiskFile;
use super::flush;
use super::index::Index;
use super::log::Log;
use super::record::{self, NotARecord, Record};
use super::recovery::Dropped;
use super::segment::Segment;
use super::tail::Tail;

/// The log is read in pieces of this size, and in longer ones where a record needs it.
const BLOCK_BYTES: u64 = 1024 * 1024;
static ZEROS: [u8; BLOCK_BYTES as usize] = [0; BLOCK_BYTES as usize];

/// What opening found.
#[derive(Debug)]
pub(crate) struct Replayed {
    /// Where the next record goes.
    pub log_end: u64,
    /// What the index does not hold yet.
    pub tail: Tail,
    /// The segment that is written to.
    pub active: Segment,
    /// An empty segment after it.
    pub prepared: Option<Segment>,
    /// What was taken away.
    pub dropped: Option<Dropped>,
    /// Everything before this is in the index.
    pub flushed_end: u64,
}

/// Reads the log from `checkpoint` on into the tail, flushing it when it grows, and clears an interrupted write.
pub(crate) fn replay(
    log: &Log,
    index: &Index,
    checkpoint: u64,
    flush_events: usize,
) -> Result<Replayed, StorageError> {
    let segments = log.segments();
    let total = segments.last().map_or(0, Segment::limit);
    if checkpoint > total {
        return Err(StorageError::LogTooShort { end: total, expected: checkpoint });
    }
    let mut tail = Tail::default();
    let mut flushed_end = checkpoint;
    let first = segments.iter().position(|segment| checkpoint < segment.limit() && segment.end.is_none());
    let first = first.ok_or(StorageError::LogTooShort { end: total, expected: checkpoint })?;
    for (at, segment) in segments.iter().enumerate().skip(first) {
        let file = log.open(segment)?;
        let start = checkpoint.max(segment.first());
        let end = file.records(log, segment, start, |record| {
            let key = StreamKey::new(log.store, &record.stream);
            tail.active.push(key, record.revision.0, record.position.0);
            tail.active.end = record.end;
            flush::while_replaying(index, &mut tail, &mut flushed_end, flush_events)
        })?;
        let next = segments.get(at + 1).copied();
        if file.packed.is_some() {
            if next.is_none() {
                return Err(StorageError::LogTooShort { end, expected: segment.limit() });
            }
            log.end_segment(segment.base, end);
            tail.active.end = end;
            tail.active.sealed.push((segment.base, end));
            continue;
        }
        let scan = SegmentScan { log, segment, file: &*file.file };
        if let Some(next) = next
            && log.open(&next)?.is_begun(log, &next)?
        {
            // The next segment was begun only after everything in this one was synced.
            if scan.first_byte_set(end)?.is_some() {
                return Err(StorageError::DamagedRecord { position: end });
            }
            log.end_segment(segment.base, end);
            tail.active.sealed.push((segment.base, end));
            continue;
        }
        let dropped = scan.clear_interrupted_write(end)?;
        log.forget_after(segment.base);
        tail.active.end = end;
        if !tail.active.before_gaps.is_empty() {
            // Readers look for one row of positions in each generation.
            flush::now(index, &mut tail, &mut flushed_end)?;
        }
        return Ok(Replayed { log_end: end, tail, active: *segment, prepared: next, dropped, flushed_end });
    }
    Err(StorageError::LogTooShort { end: total, expected: checkpoint })
}

/// Reads one segment from its file, trusting nothing in it.
pub(crate) struct SegmentScan<'a> {
    pub log: &'a Log,
    pub segment: &'a Segment,
    pub file: &'a dyn DiskFile,
}

impl SegmentScan<'_> {
    /// Shows the records of every whole append from a boundary on; gives where the last of them ends.
    pub(crate) fn appends(
        &self,
        from: u64,
        mut visit: impl FnMut(&Record) -> Result<(), StorageError>,
    ) -> Result<u64, StorageError> {
        let mut end = from;
        let mut at = from;
        let mut unfinished = Vec::new();
        let mut block = Block::default();
        while let Some(record) = self.record(&mut block, at)? {
            at = record.end;
            let more = record.more;
            unfinished.push(record);
            if !more {
                unfinished.drain(..).try_for_each(|record| visit(&record))?;
                end = at;
            }
        }
        Ok(end)
    }

    /// The record at a place, if there is a sound one.
    fn record(&self, block: &mut Block, at: u64) -> Result<Option<Record>, StorageError> {
        let mut wanted = record::HEAD_BYTES;
        loop {
            if at + wanted > self.segment.limit() {
                return Ok(None);
            }
            if !block.holds(at, wanted) {
                let length = wanted.max(BLOCK_BYTES).min(self.segment.limit() - at);
                *block = self.block(at, length)?;
            }
            match record::decode(&block.bytes.slice((at - block.start) as usize..), at) {
                Ok(record) => return Ok(Some(record)),
                Err(NotARecord::Short(total)) if total > wanted => wanted = total,
                Err(_) => return Ok(None),
            }
        }
    }

    /// The first byte from a place on that is not zero.
    pub(crate) fn first_byte_set(&self, from: u64) -> Result<Option<u64>, StorageError> {
        let mut at = from;
        while at < self.segment.limit() {
            let block = self.block(at, BLOCK_BYTES.min(self.segment.limit() - at))?;
            if *block.bytes != ZEROS[..block.bytes.len()] {
                let offset = block.bytes.iter().position(|byte| *byte != 0);
                return Ok(offset.map(|offset| at + offset as u64));
            }
            at += block.bytes.len() as u64;
        }
        Ok(None)
    }

    /// Makes sure that nothing lies after the log's end, and that all before it is durable.
    fn clear_interrupted_write(&self, end: u64) -> Result<Option<Dropped>, StorageError> {
        let path = self.segment.path(&self.log.dir);
        let sync = || self.file.sync().map_err(|error| StorageError::io("sync", &path, error));
        let mut last_set = None;
        let mut at = end;
        while let Some(set) = self.first_byte_set(at)? {
            let block = self.block(set, BLOCK_BYTES.min(self.segment.limit() - set))?;
            self.refuse_later_writes(&block, end)?;
            let offset = block.bytes.iter().rposition(|byte| *byte != 0).unwrap_or_default();
            last_set = Some(set + offset as u64);
            at = set + block.bytes.len() as u64;
        }
        let Some(last_set) = last_set else {
            sync()?;
            return Ok(None);
        };
        let mut at = end;
        while at <= last_set {
            let length = (last_set + 1 - at).min(BLOCK_BYTES);
            self.file
                .write_at(&ZEROS[..length as usize], at - self.segment.base)
                .map_err(|error| StorageError::io("clear", &path, error))?;
            at += length;
        }
        sync()?;
        let dropped = Dropped { at: LogPosition(end), bytes: last_set + 1 - end };
        warn!(
            position = end,
            bytes = dropped.bytes,
            "an interrupted write was taken away; nothing in it was acknowledged"
        );
        Ok(Some(dropped))
    }

    /// A sound record after the end that came with a later write shows that something synced was damaged.
    fn refuse_later_writes(&self, block: &Block, end: u64) -> Result<(), StorageError> {
        let mut long = Block::default();
        for offset in 0..block.bytes.len() {
            let at = block.start + offset as u64;
            if !self.may_begin_a_record(&block.bytes[offset..], at)? {
                continue;
            }
            if self.record(&mut long, at)?.is_some_and(|record| record.batch_start > end) {
                return Err(StorageError::DamagedRecord { position: end });
            }
        }
        Ok(())
    }

    /// Where sound records end that follow one another from a place on, whole append or not.
    pub(crate) fn sound_until(&self, from: u64) -> Result<u64, StorageError> {
        let mut block = Block::default();
        let mut at = from;
        while let Some(record) = self.record(&mut block, at)? {
            at = record.end;
        }
        Ok(at)
    }

    /// Whether anything after the log's end was written later than what is missing there.
    pub(crate) fn holds_later_write(&self, end: u64) -> Result<bool, StorageError> {
        let mut at = end;
        while let Some(record) = self.next_sound(at)? {
            if record.batch_start > end {
                return Ok(true);
            }
            at = record.end;
        }
        Ok(false)
    }

    /// The last byte that is not zero, at or after one that is not.
    pub(crate) fn last_byte_set(&self, set: u64) -> Result<u64, StorageError> {
        let (mut last, mut at) = (set, set);
        while let Some(set) = self.first_byte_set(at)? {
            let block = self.block(set, BLOCK_BYTES.min(self.segment.limit() - set))?;
            last = set + block.bytes.iter().rposition(|byte| *byte != 0).unwrap_or_default() as u64;
            at = set + block.bytes.len() as u64;
        }
        Ok(last)
    }

    /// The first sound record at or after a place, whatever lies before it.
    pub(crate) fn next_sound(&self, from: u64) -> Result<Option<Record>, StorageError> {
        let mut long = Block::default();
        let mut at = from;
        while let Some(set) = self.first_byte_set(at)? {
            // The first bytes of a length may be zero.
            let start = set.saturating_sub(record::FOOT_BYTES - 1).max(at);
            let block = self.block(start, BLOCK_BYTES.min(self.segment.limit() - start))?;
            for offset in 0..block.bytes.len() {
                let at = block.start + offset as u64;
                if self.may_begin_a_record(&block.bytes[offset..], at)?
                    && let Some(record) = self.record(&mut long, at)?
                {
                    return Ok(Some(record));
                }
            }
            let end = start + block.bytes.len() as u64;
            // A record may begin in the last bytes of a block, too few to tell.
            at = if end == self.segment.limit() { end } else { end - (record::FOOT_BYTES - 1) };
        }
        Ok(None)
    }

    /// Whether the length before and the one after agree; cheap enough to ask of every byte.
    fn may_begin_a_record(&self, bytes: &[u8], at: u64) -> Result<bool, StorageError> {
        let Ok(size) = record::claimed_size(bytes) else { return Ok(false) };
        if at + size > self.segment.limit() {
            return Ok(false);
        }
        let foot_at = size - record::FOOT_BYTES;
        let foot = match bytes.get(foot_at as usize..size as usize) {
            Some(foot) => Bytes::copy_from_slice(foot),
            None => self.block(at + foot_at, record::FOOT_BYTES)?.bytes,
        };
        Ok(*foot == bytes[..record::FOOT_BYTES as usize])
    }

    fn block(&self, start: u64, length: u64) -> Result<Block, StorageError> {
        let mut bytes = vec![0; length as usize];
        let read = self
            .file
            .read_at(&mut bytes, start - self.segment.base)
            .map_err(|error| StorageError::io("read", &self.segment.path(&self.log.dir), error))?;
        if read < bytes.len() {
            return Err(StorageError::DamagedRecord { position: start + read as u64 });
        }
        Ok(Block { start, bytes: bytes.into() })
    }
}

/// Bytes of a segment.
#[derive(Debug, Default)]
struct Block {
    start: u64,
    bytes: Bytes,
}

impl Block {
    fn holds(&self, at: u64, length: u64) -> bool {
        self.start <= at && at + length <= self.start + self.bytes.len() as u64
    }
}
