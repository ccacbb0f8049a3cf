//! Scavenging: frees what events take on disk that no read of their stream shows any more. A segment that is full is
//! written anew without them, and takes its place in one rename; the log is read and written meanwhile.
//!
//! Taken away is what `$maxCount`, `$maxAge` and `$tb` hide, what a stream had before it was deleted, and all but the
//! newest metadata. Never taken away are the newest event of a stream, which says where it goes on, and tombstones.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use tracing::info;

use super::deleted::tombstone;
use super::metadata::visible;
use super::packed::PackedWriter;
use super::read::last_revision;
use super::record::{Record, TOMBSTONE_REVISION};
use super::segment::{SEGMENT_HEADER_BYTES, Segment, SegmentFile};
use super::writer::Shared;
use super::{Storage, StorageError, StreamKey, recovery};

/// A segment is written anew when that frees at least this part of it; else it is not worth the writing.
const LEAST_PART: u64 = 32;
/// How many streams are remembered: some 4 MiB. When there are more, all are looked up anew.
const MAX_STREAMS: usize = 65_536;
/// How many streams the index forgets events of in one go, so that nobody waits long for it.
const MAX_FORGOTTEN: usize = 4096;
/// Whether to go on is asked after so many events.
const ASK_EVERY: u64 = 4096;

/// How far a scavenge is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scavenging {
    /// Segments that are done with.
    pub segments_done: usize,
    /// Segments to be looked at: all but the one that is written to.
    pub segments: usize,
    /// What has come of it so far.
    pub so_far: Scavenged,
}

/// What a scavenge did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scavenged {
    /// Segments that were written anew.
    pub segments_packed: usize,
    /// Events that were taken away.
    pub events_removed: u64,
    /// What the log takes less on disk, in bytes.
    pub bytes_freed: u64,
    /// Whether it was ended before it had looked at every segment. What it did until then stays done.
    pub was_stopped: bool,
}

impl Storage {
    /// Scavenges every full segment, the oldest first. Blocks until that is done. `watch` is told how far it is, and may
    /// end it.
    ///
    /// # Errors
    /// [`StorageError::Scavenging`] when there is one under way; else when log or index do not answer, or the disk is
    /// full. The log is whole then, and what was freed until then stays freed.
    pub fn scavenge(
        &self,
        watch: &mut dyn FnMut(Scavenging) -> ControlFlow<()>,
    ) -> Result<Scavenged, StorageError> {
        let _only = self.begin_scavenge().ok_or(StorageError::Scavenging)?;
        let shared = self.shared();
        let full: Vec<_> =
            shared.log.segments().into_iter().filter(|segment| is_full(shared, segment)).collect();
        let mut run = Run {
            storage: self,
            shared,
            streams: HashMap::new(),
            at: Scavenging { segments: full.len(), ..Scavenging::default() },
            watch,
        };
        for segment in &full {
            if run.should_end() || run.segment(segment)?.is_break() {
                run.at.so_far.was_stopped = true;
                break;
            }
            run.at.segments_done += 1;
        }
        let _ = (run.watch)(run.at);
        Ok(run.at.so_far)
    }
}

/// Whether nothing is written to a segment any more, whatever happens: what follows it is on disk.
fn is_full(shared: &Shared, segment: &Segment) -> bool {
    segment.end.is_some() && segment.limit() < shared.log.committed()
}

/// Which events of a stream are kept besides the newest.
#[derive(Debug, Clone, Copy)]
struct Kept {
    /// From this revision on …
    first: u64,
    /// … if recorded no earlier.
    oldest_ticks: u64,
    /// The newest; `None` when the stream was deleted for good.
    last: Option<u64>,
}

impl Kept {
    fn of(shared: &Shared, key: StreamKey, stream: &str) -> Result<Self, StorageError> {
        let mut kept = Self { first: 0, oldest_ticks: 0, last: None };
        if tombstone(shared, key)?.is_some() {
            return Ok(kept);
        }
        kept.last = Some(last_revision(shared, key)?.unwrap_or_default());
        match visible(shared, stream)? {
            Some(visible) => (kept.first, kept.oldest_ticks) = (visible.first, visible.oldest_ticks),
            None => kept.first = TOMBSTONE_REVISION,
        }
        Ok(kept)
    }

    fn keeps(&self, record: &Record) -> bool {
        let revision = record.revision.0;
        let is_visible = revision >= self.first && record.recorded_ticks >= self.oldest_ticks;
        revision == TOMBSTONE_REVISION || self.last.is_some_and(|last| revision >= last || is_visible)
    }
}

/// What a look at a segment showed.
#[derive(Debug, Default)]
struct Found {
    kept_bytes: u64,
    removed: u64,
    /// The first row of revisions of each stream that are gone, both ends included.
    gone: HashMap<StreamKey, (u64, u64)>,
}

struct Run<'a> {
    storage: &'a Storage,
    shared: &'a Shared,
    streams: HashMap<StreamKey, Kept>,
    at: Scavenging,
    watch: &'a mut dyn FnMut(Scavenging) -> ControlFlow<()>,
}

impl Run<'_> {
    fn should_end(&mut self) -> bool {
        self.storage.is_closing() || (self.watch)(self.at).is_break()
    }

    fn keeps(&mut self, record: &Record) -> Result<bool, StorageError> {
        let key = StreamKey::new(self.shared.log.store, &record.stream);
        let kept = match self.streams.get(&key) {
            Some(kept) => *kept,
            None => {
                if self.streams.len() >= MAX_STREAMS {
                    self.streams.clear();
                }
                let kept = Kept::of(self.shared, key, record.stream_name())?;
                self.streams.insert(key, kept);
                kept
            }
        };
        Ok(kept.keeps(record))
    }

    /// Looks at a segment, and writes it anew if that is worth it. Breaks when the scavenge is to end.
    fn segment(&mut self, segment: &Segment) -> Result<ControlFlow<()>, StorageError> {
        let log = &self.shared.log;
        let file = log.open(segment)?;
        let path = segment.path(&log.dir);
        let size = file.file.size().map_err(|error| StorageError::io("read", &path, error))?;
        let Some(found) = self.look(segment, &file)? else { return Ok(ControlFlow::Break(())) };
        let left = SEGMENT_HEADER_BYTES + found.kept_bytes;
        if found.removed == 0 || size.saturating_sub(left) < size / LEAST_PART {
            return Ok(ControlFlow::Continue(()));
        }
        recovery::raise_format(&*log.disk, self.storage.data_dir())?;
        let Some((packed, packed_size, gone)) = self.pack(segment, &file)? else {
            return Ok(ControlFlow::Break(()));
        };
        log.replace(segment, packed);
        self.forget(&gone)?;
        let freed = size.saturating_sub(packed_size);
        info!(position = segment.base, removed = gone.removed, freed, "a segment was scavenged");
        self.at.so_far.segments_packed += 1;
        self.at.so_far.events_removed += gone.removed;
        self.at.so_far.bytes_freed += freed;
        Ok(ControlFlow::Continue(()))
    }

    /// Shows each record of a segment and whether it is kept; `None` when the scavenge is to end.
    fn each(
        &mut self,
        segment: &Segment,
        file: &SegmentFile,
        mut visit: impl FnMut(&Record, bool) -> Result<(), StorageError>,
    ) -> Result<Option<Found>, StorageError> {
        let shared = self.shared;
        let mut found = Found::default();
        let mut seen = 0u64;
        let mut ended = false;
        let end = file.records(&shared.log, segment, segment.first(), |record| {
            seen += 1;
            ended = ended || (seen.is_multiple_of(ASK_EVERY) && self.should_end());
            if ended {
                return Ok(());
            }
            let is_kept = self.keeps(record)?;
            if is_kept {
                found.kept_bytes += record.end - record.position.0;
            } else {
                found.remove(StreamKey::new(shared.log.store, &record.stream), record.revision.0);
            }
            visit(record, is_kept)
        })?;
        if segment.end.is_some_and(|expected| expected != end) {
            return Err(StorageError::DamagedRecord { position: end });
        }
        Ok((!ended).then_some(found))
    }

    fn look(&mut self, segment: &Segment, file: &SegmentFile) -> Result<Option<Found>, StorageError> {
        self.each(segment, file, |_, _| Ok(()))
    }

    /// Writes a segment anew with what is kept of it.
    fn pack(
        &mut self,
        segment: &Segment,
        file: &SegmentFile,
    ) -> Result<Option<(SegmentFile, u64, Found)>, StorageError> {
        let log = Arc::clone(&self.shared.log);
        let end = segment.end.unwrap_or(segment.limit());
        let mut writer = PackedWriter::create(&*log.disk, &log.dir, log.store, *segment, end)?;
        let keep = |record: &Record, is_kept| if is_kept { writer.push(record) } else { Ok(()) };
        let written = match self.each(segment, file, keep) {
            Ok(Some(found)) => writer.finish().map(|(packed, size)| Some((packed, size, found))),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        if !matches!(written, Ok(Some(_))) {
            // If it stays the next opening takes it away.
            let _ = log.disk.remove(&segment.unfinished_path(&log.dir));
        }
        written
    }

    /// Gives the room back that the events took in the index.
    fn forget(&self, found: &Found) -> Result<(), StorageError> {
        let mut gone: Vec<_> = found.gone.iter().map(|(key, (first, last))| (*key, *first, *last)).collect();
        gone.sort_unstable();
        gone.chunks(MAX_FORGOTTEN).try_for_each(|gone| self.shared.index.forget(gone))
    }
}

impl Found {
    fn remove(&mut self, key: StreamKey, revision: u64) {
        self.removed += 1;
        let (_, last) = self.gone.entry(key).or_insert((revision, revision));
        if *last + 1 == revision {
            *last = revision;
        }
    }
}
