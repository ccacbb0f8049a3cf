//! Checks a log that nobody is using: every record, every row of the index, and each against the other. Changes nothing.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use contract::LogPosition;
use serde::Serialize;
use uuid::Uuid;

use super::disk::{Disk, DiskFile};
use super::index::{Checkpoint, Index};
use super::index_rows::IndexRows;
use super::log::Log;
use super::packed::Packed;
use super::record::{Record, TOMBSTONE_REVISION};
use super::recovery::{self, Dropped, INDEX_FILE, LOG_DIR};
use super::replay::SegmentScan;
use super::segment::{self, Segment, SegmentFile};
use super::{StorageError, StreamKey};

/// The most faults that are described; the others are only counted.
const DESCRIBED_MAX: usize = 100;

/// What a check of a whole log found.
#[derive(Debug)]
pub struct Verified {
    /// The log's own id.
    pub log: Uuid,
    /// The format of the files.
    pub format: String,
    /// Segment files.
    pub segments: usize,
    /// Sound records, each an event.
    pub events: u64,
    /// Where the newest of them lies.
    pub last: LogPosition,
    /// The index.
    pub index: IndexState,
    /// What an interrupted write left behind; the next start takes it away. No fault: it was never acknowledged.
    pub interrupted: Option<Dropped>,
    /// The first faults.
    pub faults: Vec<Fault>,
    /// How many faults there are in all.
    pub fault_count: u64,
}

/// What there is of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexState {
    /// It reaches up to a position and names this many events; those after it are added at the next start.
    Checked {
        /// Everything before this is in it.
        until: LogPosition,
        /// How many events it names.
        events: u64,
    },
    /// There is none; the next start builds it.
    Missing,
    /// It does not open; the next start builds another one.
    Unusable,
}

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The file, from the node's folder on.
    pub file: PathBuf,
    /// Where in the log, when that can be said.
    pub position: Option<u64>,
    /// What is wrong.
    pub what: String,
}

/// Checks the log in a node's folder. `progress` is told how many bytes of how many are done.
///
/// # Errors
/// When the folder is in use or holds no log, or when the machine refuses. What is wrong with the log is in the answer.
pub fn verify(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Verified, StorageError> {
    if !disk.list(dir).is_ok_and(|names| names.iter().any(|name| name == recovery::MARKER_FILE)) {
        return Err(StorageError::NoLog(dir.to_owned()));
    }
    let _lock = recovery::take(&**disk, dir)?;
    let marker = recovery::read_marker(&**disk, dir)?;
    let store = marker.log;
    let mut faults = Faults::default();
    let segments = segments(&**disk, &dir.join(LOG_DIR), store, &mut faults)?;
    let log = Log::new(Arc::clone(disk), dir.join(LOG_DIR), store, segments.clone());
    let (index, checkpoint, state) = open_index(&**disk, dir, store, &mut faults);
    let mut check = Check {
        log: &log,
        checkpoint: &checkpoint,
        faults,
        events: 0,
        indexed: 0,
        indexed_packed: 0,
        packed: Vec::new(),
        last: 0,
        interrupted: None,
        after_index: HashMap::new(),
        progress,
    };
    let rows = match &index {
        None => check.segments(&segments, None).map(|()| None),
        Some(index) => {
            index.rows(|rows| check.segments(&segments, Some(rows)).and_then(|()| check.rows(rows)).map(Some))
        }
    };
    let rows = match rows {
        Ok(rows) => rows,
        Err(StorageError::Index(what)) => {
            check.faults.add(INDEX_FILE, None, what);
            None
        }
        Err(error) => return Err(error),
    };
    let (events, last, interrupted) = (check.events, LogPosition(check.last), check.interrupted);
    let Faults { described, count } = check.faults;
    let index = match (state, rows) {
        (IndexState::Checked { until, .. }, Some(events)) => IndexState::Checked { until, events },
        (IndexState::Missing, _) => IndexState::Missing,
        _ => IndexState::Unusable,
    };
    let segments = segments.len();
    Ok(Verified {
        log: store,
        format: marker.format,
        segments,
        events,
        last,
        index,
        interrupted,
        faults: described,
        fault_count: count,
    })
}

#[derive(Debug, Default)]
struct Faults {
    described: Vec<Fault>,
    count: u64,
}

impl Faults {
    fn add(&mut self, file: impl Into<PathBuf>, position: Option<u64>, what: impl Into<String>) {
        self.count += 1;
        if self.described.len() < DESCRIBED_MAX {
            self.described.push(Fault { file: file.into(), position, what: what.into() });
        }
    }
}

/// The segments that can be looked at, in order.
fn segments(
    disk: &dyn Disk,
    dir: &Path,
    store: Uuid,
    faults: &mut Faults,
) -> Result<Vec<Segment>, StorageError> {
    let mut names = disk.list(dir).map_err(|error| StorageError::io("list", dir, error))?;
    names.sort_unstable();
    let mut found = Vec::new();
    for name in names {
        let file = Path::new(LOG_DIR).join(&name);
        if name.ends_with(segment::UNFINISHED_SUFFIX) {
            continue;
        }
        let base = name.strip_suffix(segment::SUFFIX).map(|base| u64::from_str_radix(base, 16));
        match base {
            Some(Ok(base)) => match segment::read_header(disk, &dir.join(&name), store, base) {
                Ok(segment) => found.push(segment),
                Err(StorageError::DamagedSegment { what, .. }) => {
                    faults.add(file, Some(base), format!("{what}; nothing in it was looked at"));
                }
                Err(error) => return Err(error),
            },
            _ => faults.add(file, None, "it is no segment of the log; the node does not start beside it"),
        }
    }
    found.sort_by_key(|segment| segment.base);
    let mut expected = 0;
    for segment in &found {
        if segment.base != expected {
            let what = format!("no sound segment covers the positions from {expected} to {}", segment.base);
            faults.add(LOG_DIR, Some(expected), what);
        }
        expected = segment.limit();
    }
    if found.is_empty() {
        faults.add(LOG_DIR, None, "there is no segment");
    }
    Ok(found)
}

fn open_index(
    disk: &dyn Disk,
    dir: &Path,
    store: Uuid,
    faults: &mut Faults,
) -> (Option<Index>, Checkpoint, IndexState) {
    let opened = Index::frozen(disk, &dir.join(INDEX_FILE), store).and_then(|index| {
        index.map(|index| index.checkpoint().map(|checkpoint| (index, checkpoint))).transpose()
    });
    match opened {
        Ok(Some((index, checkpoint))) => {
            let until = LogPosition(checkpoint.position);
            (Some(index), checkpoint, IndexState::Checked { until, events: 0 })
        }
        Ok(None) => (None, Checkpoint::default(), IndexState::Missing),
        Err(error) => {
            faults.add(INDEX_FILE, None, error.to_string());
            (None, Checkpoint::default(), IndexState::Unusable)
        }
    }
}

/// A check under way.
struct Check<'a> {
    log: &'a Log,
    checkpoint: &'a Checkpoint,
    faults: Faults,
    events: u64,
    /// Those before the index's checkpoint and in no packed segment.
    indexed: u64,
    /// Those before it in packed segments.
    indexed_packed: u64,
    /// Which positions packed segments cover, in order: the index may name events that were taken away there.
    packed: Vec<Range<u64>>,
    last: u64,
    interrupted: Option<Dropped>,
    /// The next revision of each stream that has events after the checkpoint; `None` after a tombstone.
    after_index: HashMap<StreamKey, Option<u64>>,
    progress: &'a mut dyn FnMut(u64, u64),
}

impl Check<'_> {
    fn segments(&mut self, segments: &[Segment], rows: Option<&IndexRows<'_>>) -> Result<(), StorageError> {
        // Everything in a segment was synced before the next one was begun.
        let mut active = 0;
        for (at, segment) in segments.iter().enumerate() {
            let file = self.log.open(segment)?;
            if file.is_begun(self.log, segment)? {
                active = at;
            }
            if file.packed.is_some() {
                self.packed.push(segment.base..segment.limit());
            }
        }
        for (at, segment) in segments.iter().enumerate().take(active + 1) {
            let file = self.log.open(segment)?;
            match &file.packed {
                Some(packed) => self.packed_segment(segment, &file, packed, at == active, rows)?,
                None => self.segment(segment, &*file.file, at == active, rows)?,
            }
        }
        for base in self.checkpoint.segment_ends.keys() {
            if segments.iter().all(|segment| segment.base != *base) {
                self.faults.add(INDEX_FILE, Some(*base), "the index knows of a segment here; there is none");
            }
        }
        Ok(())
    }

    /// Reads a segment to its end, beyond whatever is damaged in it.
    fn segment(
        &mut self,
        segment: &Segment,
        file: &dyn DiskFile,
        is_active: bool,
        rows: Option<&IndexRows<'_>>,
    ) -> Result<(), StorageError> {
        let scan = SegmentScan { log: self.log, segment, file };
        let mut from = segment.first();
        let end = loop {
            let end = scan.appends(from, |record| self.record(record, segment, rows))?;
            let Some(set) = scan.first_byte_set(end)? else { break end };
            let was_flushed = self.checkpoint.position > end;
            if is_active && !was_flushed && !scan.holds_later_write(end)? {
                let bytes = scan.last_byte_set(set)? + 1 - end;
                self.interrupted = Some(Dropped { at: LogPosition(end), bytes });
                break end;
            }
            let damaged = scan.sound_until(end)?;
            let next = scan.next_sound(damaged)?;
            let until = next.as_ref().map_or(segment.limit(), |record| record.position.0);
            let append =
                if damaged > end { format!("; it belongs to the append at {end}") } else { String::new() };
            let what = format!("what was written from here to {until} does not read back{append}");
            self.faults.add(name(segment), Some(damaged), what);
            match next {
                Some(record) => from = record.position.0,
                None => break end,
            }
        };
        self.ends(segment, end, is_active);
        Ok(())
    }

    /// Reads a packed segment up to what is damaged in it.
    fn packed_segment(
        &mut self,
        segment: &Segment,
        file: &SegmentFile,
        packed: &Packed,
        is_active: bool,
        rows: Option<&IndexRows<'_>>,
    ) -> Result<(), StorageError> {
        let before = self.events;
        let log = self.log;
        match file.records(log, segment, segment.first(), |record| self.record(record, segment, rows)) {
            Ok(_) if self.events - before != packed.count => {
                let what = format!("it holds {} events and says {}", self.events - before, packed.count);
                self.faults.add(name(segment), None, what);
            }
            Ok(_) => {}
            Err(StorageError::DamagedRecord { position }) => {
                let what =
                    "what was written here does not read back; the rest of the segment was not looked at";
                self.faults.add(name(segment), Some(position), what);
            }
            Err(error) => return Err(error),
        }
        if is_active {
            self.faults.add(name(segment), None, "it is packed and nothing comes after it");
        }
        self.ends(segment, packed.end, is_active);
        Ok(())
    }

    fn is_packed(&self, position: u64) -> bool {
        let after = self.packed.partition_point(|range| range.start <= position);
        self.packed[..after].last().is_some_and(|range| range.contains(&position))
    }

    fn ends(&mut self, segment: &Segment, end: u64, is_active: bool) {
        match self.checkpoint.segment_ends.get(&segment.base) {
            Some(known) if *known != end => {
                let what = format!("the index says that this segment ends at {known}; it ends at {end}");
                self.faults.add(name(segment), Some(end), what);
            }
            None if is_active && self.checkpoint.position > end => {
                let what = format!(
                    "the log ends here; the index knows of events up to {}",
                    self.checkpoint.position
                );
                self.faults.add(name(segment), Some(end), what);
            }
            _ => {}
        }
        (self.progress)(segment.limit(), self.log.segments().last().map_or(0, Segment::limit));
    }

    fn record(
        &mut self,
        record: &Record,
        segment: &Segment,
        rows: Option<&IndexRows<'_>>,
    ) -> Result<(), StorageError> {
        self.events += 1;
        self.last = record.position.0;
        if record.batch_start < segment.first() {
            self.faults.add(
                name(segment),
                Some(self.last),
                "it says that its write began before its segment",
            );
        }
        if self.events.is_multiple_of(4096) {
            (self.progress)(record.position.0, self.log.segments().last().map_or(0, Segment::limit));
        }
        let Some(rows) = rows else { return Ok(()) };
        let key = StreamKey::new(self.log.store, &record.stream);
        let (at, revision) = (record.position.0, record.revision.0);
        if at < self.checkpoint.position {
            match self.is_packed(at) {
                true => self.indexed_packed += 1,
                false => self.indexed += 1,
            }
            let said = rows.position(key, revision)?;
            if said != Some(at) {
                let said = said.map_or("has no place for it".to_owned(), |said| format!("says {said}"));
                let what =
                    format!("event {revision} of {} lies here; the index {said}", record.stream_name());
                self.faults.add(name(segment), Some(at), what);
            }
            return Ok(());
        }
        self.follows(record, key, segment, rows)
    }

    /// What the index does not hold yet must follow what it holds.
    fn follows(
        &mut self,
        record: &Record,
        key: StreamKey,
        segment: &Segment,
        rows: &IndexRows<'_>,
    ) -> Result<(), StorageError> {
        let revision = record.revision.0;
        let expected = match self.after_index.get(&key) {
            Some(expected) => *expected,
            None if rows.position(key, TOMBSTONE_REVISION)?.is_some() => None,
            None => Some(rows.next_revision(key)?),
        };
        let is_tombstone = revision == TOMBSTONE_REVISION;
        let may_be_gone = !self.packed.is_empty();
        let follows = |next: u64| next == revision || (may_be_gone && next < revision);
        if expected.is_none_or(|expected| !follows(expected) && !is_tombstone) {
            let next =
                expected.map_or("it was deleted for good".to_owned(), |next| format!("{next} is next"));
            let what =
                format!("event {revision} of {} lies here; by the index, {next}", record.stream_name());
            self.faults.add(name(segment), Some(record.position.0), what);
        }
        self.after_index.insert(key, (!is_tombstone).then_some(revision + 1));
        Ok(())
    }

    /// Each row follows the one before, and there are as many places as there are events, where none can have been taken
    /// away; gives how many events the index names.
    fn rows(&mut self, rows: &IndexRows<'_>) -> Result<u64, StorageError> {
        let mut places = 0u64;
        let may_be_gone = !self.packed.is_empty();
        let (mut stream, mut next) = (None, 0);
        let (mut gaps, mut beyond) = (0u64, 0u64);
        rows.each(|key, first, positions| {
            // A scavenge may have taken the others away.
            places += positions.iter().filter(|position| !self.is_packed(**position)).count() as u64;
            if stream != Some(key) {
                (stream, next) = (Some(key), 0);
            }
            let follows = first == next || (may_be_gone && first > next);
            if !follows && first != TOMBSTONE_REVISION {
                gaps += 1;
            }
            next = first.saturating_add(positions.len() as u64);
            beyond +=
                positions.iter().filter(|position| **position >= self.checkpoint.position).count() as u64;
        })?;
        if gaps > 0 {
            self.faults.add(INDEX_FILE, None, format!("{gaps} rows do not follow the one before"));
        }
        if beyond > 0 {
            self.faults.add(
                INDEX_FILE,
                None,
                format!("{beyond} places lie after what the index should reach"),
            );
        }
        if places != self.indexed {
            let what = format!(
                "it holds {places} places; the log has {} events up to where it reaches",
                self.indexed
            );
            self.faults.add(INDEX_FILE, None, what);
        }
        Ok(places + self.indexed_packed)
    }
}

/// A segment's file from the node's folder on.
fn name(segment: &Segment) -> PathBuf {
    segment.path(Path::new(LOG_DIR))
}
