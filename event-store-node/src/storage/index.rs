//! The index on disk: where the events of a stream lie. Everything in it is derived from the log and can be built
//! again; it is flushed behind the log and says how far it reaches.

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use redb::{
    Database, ReadTransaction, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition,
    WriteTransaction,
};
use uuid::Uuid;

use super::disk::{Disk, DiskFile};
use super::frozen::Frozen;
use super::index_chunks::{
    CHUNKS, Chunks, KEY_BYTES, LAST_REVISION, add_stream, decode_chunk, encode_chunk, failed, forget_rows,
    last_chunk, revision_of, row_key,
};
use super::index_rows::IndexRows;
use super::record::TOMBSTONE_REVISION;
use super::tail::Generation;
use super::{Direction, StorageError, StreamKey};

/// Memory for pages of the index.
const CACHE_BYTES: usize = 32 * 1024 * 1024;
/// The layout of the tables; another one is built again.
const VERSION: u64 = 2;

/// Base of a sealed segment to where its last record ends.
const SEGMENT_ENDS: TableDefinition<u64, u64> = TableDefinition::new("segment_ends");
const STATE: TableDefinition<&str, u64> = TableDefinition::new("state");
const VERSION_KEY: &str = "version";
const STORE_HIGH_KEY: &str = "store_high";
const STORE_LOW_KEY: &str = "store_low";
const CHECKPOINT_KEY: &str = "checkpoint";

/// The index on disk.
#[derive(Debug)]
pub(crate) struct Index {
    /// `None` once it is closed.
    database: RwLock<Option<Database>>,
    file: OpenFile,
    /// Whether revisions may be missing, since a scavenge took their events out of the log.
    has_gaps: AtomicBool,
}

/// `None` once nothing is done to it any more.
type OpenFile = Arc<RwLock<Option<Arc<dyn DiskFile>>>>;

/// Everything before this position is in the index, with the ends of the sealed segments up to there.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub position: u64,
    pub segment_ends: BTreeMap<u64, u64>,
}

impl Index {
    /// Opens the index of a log, or an empty one in its place when it is missing, damaged, of another version or of
    /// another log. The second value says why, unless it was simply opened or is new.
    pub(crate) fn open(
        disk: &dyn Disk,
        path: &Path,
        store: Uuid,
    ) -> Result<(Self, Option<String>), StorageError> {
        let reason = match disk.open(path) {
            Ok(file) => match guarded(|| Self::over(file).and_then(|index| index.checked(store))) {
                Ok(index) => return Ok((index, None)),
                Err(reason) => Some(reason.to_string()),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(StorageError::io("open", path, error)),
        };
        let file = disk.create(path).map_err(|error| StorageError::io("create", path, error))?;
        let index = Self::over(file)?;
        index.initialise(store)?;
        Ok((index, reason))
    }

    /// Opens the index of a log to be looked at, and changes nothing in it; `None` when it is missing.
    pub(super) fn frozen(disk: &dyn Disk, path: &Path, store: Uuid) -> Result<Option<Self>, StorageError> {
        match disk.open(path) {
            Ok(file) => {
                guarded(|| Self::over(Arc::new(Frozen::new(file))).and_then(|index| index.checked(store)))
                    .map(Some)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StorageError::io("open", path, error)),
        }
    }

    fn over(file: Arc<dyn DiskFile>) -> Result<Self, StorageError> {
        let file = Arc::new(RwLock::new(Some(file)));
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create_with_backend(IndexFile(Arc::clone(&file)))
            .map_err(failed)?;
        Ok(Self { database: RwLock::new(Some(database)), file, has_gaps: AtomicBool::new(false) })
    }

    /// Itself, if it is of this version and log and says how far it reaches.
    fn checked(self, store: Uuid) -> Result<Self, StorageError> {
        self.check(store)?;
        self.read_checkpoint()?;
        Ok(self)
    }

    fn check(&self, store: Uuid) -> Result<(), StorageError> {
        let read = self.read()?;
        let state = read.open_table(STATE).map_err(failed)?;
        let (high, low) = store.as_u64_pair();
        for (key, expected) in [(VERSION_KEY, VERSION), (STORE_HIGH_KEY, high), (STORE_LOW_KEY, low)] {
            let found = state.get(key).map_err(failed)?.map(|value| value.value());
            if found != Some(expected) {
                return Err(StorageError::Index(format!("{key} is {found:?}, not {expected}")));
            }
        }
        Ok(())
    }

    fn initialise(&self, store: Uuid) -> Result<(), StorageError> {
        let write = self.begin()?;
        {
            let mut state = write.open_table(STATE).map_err(failed)?;
            let (high, low) = store.as_u64_pair();
            for (key, value) in [(VERSION_KEY, VERSION), (STORE_HIGH_KEY, high), (STORE_LOW_KEY, low)] {
                state.insert(key, value).map_err(failed)?;
            }
            write.open_table(CHUNKS).map_err(failed)?;
            write.open_table(SEGMENT_ENDS).map_err(failed)?;
        }
        write.commit().map_err(failed)
    }

    /// A transaction after which the next opening needs no repair, whatever ends the process.
    fn begin(&self) -> Result<WriteTransaction, StorageError> {
        let open = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let mut write = open.as_ref().ok_or(StorageError::Closed)?.begin_write().map_err(failed)?;
        write.set_quick_repair(true);
        Ok(write)
    }

    fn read(&self) -> Result<ReadTransaction, StorageError> {
        let open = self.database.read().unwrap_or_else(PoisonError::into_inner);
        open.as_ref().ok_or(StorageError::Closed)?.begin_read().map_err(failed)
    }

    /// Lets go of the file, so that who still holds the index does nothing to it once somebody else may have opened
    /// it. The database is not closed as it would like to be: that writes to the file, and over a damaged one it panics
    /// in ways that nothing can catch. After any of our transactions the next opening needs no repair all the same.
    pub(crate) fn close(&self) {
        let database = self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        self.file.write().unwrap_or_else(PoisonError::into_inner).take();
        std::mem::forget(database);
    }

    /// Takes streams in which revisions are missing for sound from now on: the log was scavenged.
    pub(super) fn expect_gaps(&self) {
        self.has_gaps.store(true, Ordering::Relaxed);
    }

    /// Whether revisions may be missing.
    pub(super) fn has_gaps(&self) -> bool {
        self.has_gaps.load(Ordering::Relaxed)
    }

    /// How far the index reaches.
    pub(crate) fn checkpoint(&self) -> Result<Checkpoint, StorageError> {
        guarded(|| self.read_checkpoint())
    }

    fn read_checkpoint(&self) -> Result<Checkpoint, StorageError> {
        let read = self.read()?;
        let state = read.open_table(STATE).map_err(failed)?;
        let position = state.get(CHECKPOINT_KEY).map_err(failed)?.map_or(0, |value| value.value());
        let mut segment_ends = BTreeMap::new();
        for row in read.open_table(SEGMENT_ENDS).map_err(failed)?.iter().map_err(failed)? {
            let (base, end) = row.map_err(failed)?;
            segment_ends.insert(base.value(), end.value());
        }
        Ok(Checkpoint { position, segment_ends })
    }

    /// Adds a generation in one transaction.
    pub(crate) fn flush(&self, generation: &Generation) -> Result<(), StorageError> {
        guarded(|| self.add(generation))
    }

    fn add(&self, generation: &Generation) -> Result<(), StorageError> {
        let write = self.begin()?;
        {
            let mut chunks = write.open_table(CHUNKS).map_err(failed)?;
            let has_gaps = self.has_gaps();
            for (key, stream) in &generation.before_gaps {
                add_stream(&mut chunks, *key, stream, has_gaps)?;
            }
            let mut streams: Vec<_> = generation.streams.iter().collect();
            streams.sort_unstable_by_key(|(key, _)| **key);
            for (key, stream) in streams {
                add_stream(&mut chunks, *key, stream, has_gaps)?;
            }
            for (key, position) in &generation.tombstones {
                let row = row_key(*key, TOMBSTONE_REVISION);
                chunks.insert(&row, encode_chunk(&[*position]).as_slice()).map_err(failed)?;
            }
            let mut ends = write.open_table(SEGMENT_ENDS).map_err(failed)?;
            for (base, end) in &generation.sealed {
                ends.insert(base, end).map_err(failed)?;
            }
            let mut state = write.open_table(STATE).map_err(failed)?;
            state.insert(CHECKPOINT_KEY, generation.end).map_err(failed)?;
        }
        write.commit().map_err(failed)
    }

    /// The last revision of a stream, as far as the index reaches.
    pub(crate) fn last_revision(&self, key: StreamKey) -> Result<Option<u64>, StorageError> {
        self.look_up(|chunks| {
            let last = last_chunk(chunks, key, LAST_REVISION)?;
            Ok(last.map(|(first, positions)| first + positions.len() as u64 - 1))
        })
    }

    /// Where the tombstone of a stream lies, as far as the index reaches.
    pub(crate) fn tombstone(&self, key: StreamKey) -> Result<Option<u64>, StorageError> {
        self.look_up(|chunks| {
            let row = chunks.get(&row_key(key, TOMBSTONE_REVISION)).map_err(failed)?;
            let positions = row.map(|row| decode_chunk(row.value())).transpose()?;
            Ok(positions.and_then(|positions| positions.first().copied()))
        })
    }

    /// The revisions from `from` up to but without `until` and their positions, as far as the index reaches.
    pub(crate) fn positions(
        &self,
        key: StreamKey,
        from: u64,
        until: u64,
    ) -> Result<Vec<(u64, u64)>, StorageError> {
        let until = until.min(TOMBSTONE_REVISION);
        if from >= until {
            return Ok(Vec::new());
        }
        self.look_up(|chunks| {
            let mut found = Vec::new();
            let first = last_chunk(chunks, key, from)?.map_or(from, |(first, _)| first);
            let rows = row_key(key, first)..row_key(key, until);
            for row in chunks.range::<&[u8; KEY_BYTES]>(&rows.start..&rows.end).map_err(failed)? {
                let (row, value) = row.map_err(failed)?;
                let first = revision_of(row.value());
                for (position, revision) in decode_chunk(value.value())?.into_iter().zip(first..until) {
                    if revision >= from {
                        found.push((revision, position));
                    }
                }
            }
            Ok(found)
        })
    }

    /// The revision nearest to `from` the given way, itself included, of which the index knows.
    pub(crate) fn nearest(
        &self,
        key: StreamKey,
        from: u64,
        direction: Direction,
    ) -> Result<Option<u64>, StorageError> {
        self.look_up(|chunks| {
            let before = last_chunk(chunks, key, from.min(LAST_REVISION))?;
            let before = before.map(|(first, positions)| first + positions.len() as u64 - 1);
            if direction == Direction::Backwards {
                return Ok(before.map(|last| last.min(from)));
            }
            if before.is_some_and(|last| last >= from) {
                return Ok(Some(from));
            }
            let rows = row_key(key, from)..row_key(key, TOMBSTONE_REVISION);
            let row = chunks.range::<&[u8; KEY_BYTES]>(&rows.start..&rows.end).map_err(failed)?.next();
            Ok(row.transpose().map_err(failed)?.map(|(row, _)| revision_of(row.value())))
        })
    }

    /// Forgets rows all of whose events are gone: each range is of revisions of a stream, both ends included.
    pub(super) fn forget(&self, gone: &[(StreamKey, u64, u64)]) -> Result<(), StorageError> {
        self.expect_gaps();
        guarded(|| {
            let write = self.begin()?;
            {
                let mut chunks = write.open_table(CHUNKS).map_err(failed)?;
                for (key, first, last) in gone {
                    forget_rows(&mut chunks, *key, *first, (*last).min(LAST_REVISION))?;
                }
            }
            write.commit().map_err(failed)
        })
    }

    /// Everything that the index holds, looked at in one go.
    pub(super) fn rows<T>(
        &self,
        look: impl FnOnce(&IndexRows) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        self.look_up(|chunks| look(&IndexRows::new(chunks)))
    }

    fn look_up<T>(&self, look: impl FnOnce(&Chunks) -> Result<T, StorageError>) -> Result<T, StorageError> {
        guarded(|| look(&self.read()?.open_table(CHUNKS).map_err(failed)?))
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        self.close();
    }
}

/// The database panics over pages that make no sense, which a damaged file may hold; nothing worse comes of that than
/// an index that does not answer, or at opening one that is built again.
fn guarded<T>(work: impl FnOnce() -> Result<T, StorageError>) -> Result<T, StorageError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(StorageError::Index("its file is damaged".to_owned())))
}

/// The index file behind the same seam as the log.
#[derive(Debug)]
struct IndexFile(OpenFile);

impl IndexFile {
    fn open(&self) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.0.read().unwrap_or_else(PoisonError::into_inner);
        file.clone().ok_or_else(|| io::Error::other("the index is closed"))
    }
}

impl StorageBackend for IndexFile {
    fn len(&self) -> io::Result<u64> {
        self.open()?.size()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let read = self.open()?.read_at(out, offset)?;
        if read < out.len() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.open()?.set_size(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.open()?.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.open()?.write_at(data, offset)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::storage::FileSystem;

    const KEY: StreamKey = StreamKey(42);

    fn generation(first: u64, positions: &[u64]) -> Generation {
        let mut generation = Generation::default();
        for (revision, position) in (first..).zip(positions) {
            generation.push(KEY, revision, *position);
            generation.push(StreamKey(KEY.0 + 1), revision, position + 1);
        }
        generation.end = positions.last().map_or(0, |last| last + 2);
        generation
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn every_range_comes_back_however_the_events_were_flushed(
            flushes in proptest::collection::vec(1usize..300, 1..5),
            from in 0u64..600,
            count in 0u64..400,
        ) {
            let dir = tempfile::tempdir().expect("a folder");
            let path = dir.path().join("index");
            let (index, _) = Index::open(&FileSystem, &path, Uuid::nil()).expect("an index");
            let mut all: Vec<u64> = Vec::new();
            for events in flushes {
                let first = all.len() as u64;
                let new: Vec<u64> = (first..first + events as u64).map(|n| 4096 + n * n * 7).collect();
                index.flush(&generation(first, &new)).expect("flushed");
                all.extend(new);
            }
            let until = (from + count).min(all.len() as u64);
            let expected = all.get(from as usize..until as usize).unwrap_or_default();
            let found = index.positions(KEY, from, from + count).expect("read");
            prop_assert_eq!(found, (from..).zip(expected.iter().copied()).collect::<Vec<_>>());
            prop_assert_eq!(index.last_revision(KEY).expect("read"), Some(all.len() as u64 - 1));
            prop_assert_eq!(index.last_revision(StreamKey(7)).expect("read"), None);
            prop_assert_eq!(index.checkpoint().expect("read").position, all[all.len() - 1] + 2);
        }
    }

    #[test]
    fn a_tombstone_stands_beside_the_events_and_does_not_count_as_one() {
        let dir = tempfile::tempdir().expect("a folder");
        let (index, _) = Index::open(&FileSystem, &dir.path().join("index"), Uuid::nil()).expect("an index");
        index.flush(&generation(0, &[4096, 5000])).expect("flushed");
        assert_eq!(index.tombstone(KEY).expect("read"), None);
        let mut ended = Generation::default();
        ended.push(KEY, 2, 6000);
        ended.push(KEY, TOMBSTONE_REVISION, 7000);
        index.flush(&ended).expect("flushed");
        assert_eq!(index.tombstone(KEY).expect("read"), Some(7000));
        assert_eq!(index.tombstone(StreamKey(KEY.0 + 1)).expect("read"), None);
        assert_eq!(index.last_revision(KEY).expect("read"), Some(2));
        assert_eq!(index.positions(KEY, 0, u64::MAX).expect("read"), [(0, 4096), (1, 5000), (2, 6000)]);
    }

    #[test]
    fn missing_revisions_are_refused_unless_the_log_was_scavenged() {
        let dir = tempfile::tempdir().expect("a folder");
        let (index, _) = Index::open(&FileSystem, &dir.path().join("index"), Uuid::nil()).expect("an index");
        let mut gap = generation(7, &[4096, 5000]);
        gap.push(KEY, 12, 6000);
        assert!(index.flush(&gap).is_err());
        index.expect_gaps();
        index.flush(&gap).expect("flushed");
        let mut later = Generation::default();
        later.push(KEY, 13, 7000);
        index.flush(&later).expect("flushed");
        let all = [(7, 4096), (8, 5000), (12, 6000), (13, 7000)];
        for from in 0..15 {
            let expected: Vec<_> = all.iter().copied().filter(|(revision, _)| *revision >= from).collect();
            assert_eq!(index.positions(KEY, from, u64::MAX).expect("read"), expected);
        }
        assert_eq!(index.positions(KEY, 9, 12).expect("read"), []);
        assert_eq!(index.last_revision(KEY).expect("read"), Some(13));
    }

    #[test]
    fn the_index_of_another_log_is_built_again() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("index");
        let (index, reason) = Index::open(&FileSystem, &path, Uuid::from_u128(1)).expect("an index");
        assert_eq!(reason, None);
        index.flush(&generation(0, &[4096])).expect("flushed");
        drop(index);
        let (same, reason) = Index::open(&FileSystem, &path, Uuid::from_u128(1)).expect("an index");
        assert_eq!((reason, same.last_revision(KEY).expect("read")), (None, Some(0)));
        drop(same);
        let (other, reason) = Index::open(&FileSystem, &path, Uuid::from_u128(2)).expect("an index");
        assert!(reason.is_some_and(|reason| reason.contains("store_low")));
        assert_eq!(other.last_revision(KEY).expect("read"), None);
    }
}
