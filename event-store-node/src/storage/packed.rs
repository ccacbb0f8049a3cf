//! Segments from which a scavenge took records away (FORMAT.md, "Packed segment"). What is left lies next to each other,
//! every record as it was and at the position it had; a map says where in the file to look for a position.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use uuid::Uuid;

use super::StorageError;
use super::disk::{Disk, DiskFile};
use super::record::{self, Record, put_varint, take_varint};
use super::segment::{SEGMENT_HEADER_BYTES, Segment, SegmentFile};

pub(super) const MAGIC: [u8; 8] = *b"HWEVPCK1";
/// Magic, base, size and log as in every segment; end, records, groups, offset and checksum of the map; checksum.
pub(super) const HEADER_BYTES: usize = 40 + 8 + 8 + 8 + 8 + 4 + 4;
/// A group is full when it has this many bytes: what is read to find one record.
const GROUP_BYTES: u64 = 16 * 1024;
/// Position of the first record, length in bytes.
const MAP_ENTRY_BYTES: usize = 8 + 4;
/// The file is written in pieces of this size, each synced, so that a lot of it never stands before a writer's sync.
const WRITE_BYTES: usize = 4 * 1024 * 1024;

/// Where the records of a packed segment lie.
#[derive(Debug)]
pub(crate) struct Packed {
    path: PathBuf,
    /// Where the last record ended before the segment was packed.
    pub end: u64,
    /// How many are left.
    pub count: u64,
    groups: Vec<Group>,
}

/// Records that are read together.
#[derive(Debug, Clone, Copy)]
struct Group {
    /// The position of the first of them.
    first: u64,
    /// Where it lies in the file.
    offset: u64,
    length: u32,
}

impl Packed {
    /// Reads the map of a file that begins with `header`.
    pub(super) fn read(
        file: &dyn DiskFile,
        path: &Path,
        header: &[u8; HEADER_BYTES],
        base: u64,
    ) -> Result<Self, StorageError> {
        let damaged = |what| StorageError::DamagedSegment { path: path.to_owned(), what };
        let failed = |error| StorageError::io("read the map of", path, error);
        let (fields, checksum) = header.split_at(HEADER_BYTES - 4);
        if crc32fast::hash(fields).to_le_bytes() != checksum {
            return Err(damaged("its header is damaged"));
        }
        let mut fields = &fields[8..];
        let (its_base, size) = (fields.get_u64_le(), fields.get_u64_le());
        fields.advance(16);
        let (end, count) = (fields.get_u64_le(), fields.get_u64_le());
        let (groups, map_at) = (fields.get_u64_le(), fields.get_u64_le());
        let limit = base.checked_add(size).ok_or_else(|| damaged("its header is damaged"))?;
        if its_base != base
            || size < SEGMENT_HEADER_BYTES
            || !(base + SEGMENT_HEADER_BYTES..=limit).contains(&end)
        {
            return Err(damaged("its header is damaged"));
        }
        let map_bytes = file.size().map_err(failed)?.checked_sub(map_at);
        let expected = groups.checked_mul(MAP_ENTRY_BYTES as u64);
        let map_bytes = map_bytes
            .filter(|bytes| Some(*bytes) == expected)
            .ok_or_else(|| damaged("it is not as long as its header says"))?;
        let mut map = vec![0; map_bytes as usize];
        let read = file.read_at(&mut map, map_at).map_err(failed)?;
        if read < map.len() || crc32fast::hash(&map) != fields.get_u32_le() {
            return Err(damaged("its map is damaged"));
        }
        let mut offset = SEGMENT_HEADER_BYTES;
        let groups = map.chunks_exact(MAP_ENTRY_BYTES).map(|mut entry| {
            let group = Group { first: entry.get_u64_le(), offset, length: entry.get_u32_le() };
            offset += u64::from(group.length);
            group
        });
        let groups: Vec<_> = groups.collect();
        let is_sorted = groups.is_sorted_by(|one, next| one.first < next.first);
        let is_inside = groups.iter().all(|group| (base..end).contains(&group.first) && group.length > 0);
        if !is_sorted || !is_inside || offset != map_at {
            return Err(damaged("its map makes no sense"));
        }
        Ok(Self { path: path.to_owned(), end, count, groups })
    }

    /// Shows the records from a position on.
    pub(super) fn records(
        &self,
        file: &dyn DiskFile,
        from: u64,
        mut visit: impl FnMut(&Record) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        for group in self.group_of(from).unwrap_or_default()..self.groups.len() {
            let records = self.group(file, group)?;
            records.iter().filter(|record| record.position.0 >= from).try_for_each(&mut visit)?;
        }
        Ok(())
    }

    /// The group in which a position would be: the last one that begins at or before it.
    fn group_of(&self, position: u64) -> Option<usize> {
        self.groups.partition_point(|group| group.first <= position).checked_sub(1)
    }

    fn group(&self, file: &dyn DiskFile, index: usize) -> Result<Vec<Record>, StorageError> {
        let group = self.groups[index];
        let mut bytes = vec![0; group.length as usize];
        let read = file
            .read_at(&mut bytes, group.offset)
            .map_err(|error| StorageError::io("read", &self.path, error))?;
        if read < bytes.len() {
            return Err(StorageError::DamagedRecord { position: group.first });
        }
        let mut bytes = Bytes::from(bytes);
        let mut records = Vec::new();
        let mut at = group.first;
        while !bytes.is_empty() {
            let damaged = || StorageError::DamagedRecord { position: at };
            let gap = take_varint(&mut bytes).ok_or_else(damaged)?;
            let position = at.checked_add(gap).filter(|position| *position < self.end).ok_or_else(damaged)?;
            let record =
                record::decode(&bytes, position).map_err(|_| StorageError::DamagedRecord { position })?;
            bytes.advance((record.end - position) as usize);
            at = record.end;
            records.push(record);
        }
        Ok(records)
    }
}

/// Looks for records in packed segments, and keeps the group it read last: neighbours cost one read of the disk.
#[derive(Debug, Default)]
pub(super) struct PackedReader {
    held: Option<(Arc<SegmentFile>, usize, Vec<Record>)>,
}

impl PackedReader {
    /// The record at a position, unless it was taken away.
    pub(super) fn at(
        &mut self,
        file: &Arc<SegmentFile>,
        packed: &Packed,
        position: u64,
    ) -> Result<Option<Record>, StorageError> {
        Ok(self.next(file, packed, position)?.filter(|record| record.position.0 == position))
    }

    /// The first record at or after a position.
    pub(super) fn next(
        &mut self,
        file: &Arc<SegmentFile>,
        packed: &Packed,
        position: u64,
    ) -> Result<Option<Record>, StorageError> {
        let group = packed.group_of(position).unwrap_or_default();
        for group in (group..packed.groups.len()).take(2) {
            let records = self.group(file, packed, group)?;
            let at = records.partition_point(|record| record.position.0 < position);
            if let Some(record) = records.get(at) {
                return Ok(Some(record.clone()));
            }
        }
        Ok(None)
    }

    /// The last record before a position.
    pub(super) fn previous(
        &mut self,
        file: &Arc<SegmentFile>,
        packed: &Packed,
        position: u64,
    ) -> Result<Option<Record>, StorageError> {
        let Some(group) = position.checked_sub(1).and_then(|before| packed.group_of(before)) else {
            return Ok(None);
        };
        let records = self.group(file, packed, group)?;
        let after = records.partition_point(|record| record.position.0 < position);
        Ok(records[..after].last().cloned())
    }

    fn group(
        &mut self,
        file: &Arc<SegmentFile>,
        packed: &Packed,
        group: usize,
    ) -> Result<&[Record], StorageError> {
        let held = self.held.take().filter(|(held, index, _)| Arc::ptr_eq(held, file) && *index == group);
        let held = match held {
            Some(held) => held,
            None => (Arc::clone(file), group, packed.group(&*file.file, group)?),
        };
        Ok(&self.held.insert(held).2)
    }
}

/// Writes a packed segment in the place of the one there is.
pub(super) struct PackedWriter<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    store: Uuid,
    /// Sealed.
    segment: Segment,
    end: u64,
    file: Arc<dyn DiskFile>,
    unfinished: PathBuf,
    /// What is not in the file yet, and where it goes.
    buffer: Vec<u8>,
    written: u64,
    map: Vec<u8>,
    /// Position of the first record of the group, and where in the file it begins.
    group: Option<(u64, u64)>,
    record_end: u64,
    count: u64,
}

impl<'a> PackedWriter<'a> {
    /// Begins the file beside the segment's own.
    pub(super) fn create(
        disk: &'a dyn Disk,
        dir: &'a Path,
        store: Uuid,
        segment: Segment,
        end: u64,
    ) -> Result<Self, StorageError> {
        let unfinished = segment.unfinished_path(dir);
        let file =
            disk.create(&unfinished).map_err(|error| StorageError::io("create", &unfinished, error))?;
        Ok(Self {
            disk,
            dir,
            store,
            segment,
            end,
            file,
            unfinished,
            buffer: Vec::new(),
            written: SEGMENT_HEADER_BYTES,
            map: Vec::new(),
            group: None,
            record_end: 0,
            count: 0,
        })
    }

    /// Keeps a record. They come in the order of the log.
    pub(super) fn push(&mut self, record: &Record) -> Result<(), StorageError> {
        let position = record.position.0;
        if self.group.is_none() {
            self.group = Some((position, self.here()));
            self.record_end = position;
        }
        put_varint(&mut self.buffer, position - self.record_end);
        let start = self.buffer.len() as u64;
        record::encode_again(&mut self.buffer, record);
        if self.buffer.len() as u64 - start != record.end - position {
            return Err(StorageError::DamagedRecord { position });
        }
        self.record_end = record.end;
        self.count += 1;
        self.end_group(GROUP_BYTES);
        if self.buffer.len() >= WRITE_BYTES {
            self.write()?;
        }
        Ok(())
    }

    fn here(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Ends the group if it has as many bytes.
    fn end_group(&mut self, least: u64) {
        let Some((first, offset)) = self.group else { return };
        let length = self.here() - offset;
        if length < least {
            return;
        }
        self.map.extend_from_slice(&first.to_le_bytes());
        self.map.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
        self.group = None;
    }

    fn write(&mut self) -> Result<(), StorageError> {
        self.file
            .write_at(&self.buffer, self.written)
            .and_then(|()| self.file.sync())
            .map_err(|error| StorageError::io("write", &self.unfinished, error))?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Makes the file durable under the segment's name; gives it as readers open it, and its size.
    pub(super) fn finish(mut self) -> Result<(SegmentFile, u64), StorageError> {
        self.end_group(0);
        let map_at = self.here();
        let map = std::mem::take(&mut self.map);
        self.buffer.extend_from_slice(&map);
        self.write()?;
        let header = self.header(&map, map_at);
        let path = self.segment.path(self.dir);
        // The whole of it: there may be nothing after it.
        let mut first = header.to_vec();
        first.resize(SEGMENT_HEADER_BYTES as usize, 0);
        let rename = || {
            self.file.write_at(&first, 0)?;
            self.file.sync()?;
            self.disk.rename(&self.unfinished, &path)?;
            self.disk.sync_dir(self.dir)
        };
        rename().map_err(|error| StorageError::io("finish", &path, error))?;
        let packed = Packed::read(&*self.file, &path, &header, self.segment.base)?;
        Ok((SegmentFile { file: Arc::clone(&self.file), packed: Some(packed) }, self.written))
    }

    fn header(&self, map: &[u8], map_at: u64) -> [u8; HEADER_BYTES] {
        let groups = (map.len() / MAP_ENTRY_BYTES) as u64;
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&self.segment.base.to_le_bytes());
        bytes.extend_from_slice(&self.segment.size.to_le_bytes());
        bytes.extend_from_slice(self.store.as_bytes());
        for number in [self.end, self.count, groups, map_at] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&crc32fast::hash(map).to_le_bytes());
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        let mut header = [0; HEADER_BYTES];
        header.copy_from_slice(&bytes);
        header
    }
}
