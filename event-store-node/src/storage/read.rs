//! Reads: one stream by revision, everything by position, both ways. All of them may block on the disk.

use std::ops::ControlFlow;
use std::sync::PoisonError;

use contract::LogPosition;

use super::log::LogReader;
use super::metadata::{self, Visible};
use super::record::Record;
use super::writer::Shared;
use super::{Boundary, Revision, Storage, StorageError, StreamKey};

/// A read of everything takes this much from the disk at a time.
const SCAN_BLOCK_BYTES: u64 = 256 * 1024;
/// A read of one stream takes less: its events lie apart.
const STREAM_BLOCK_BYTES: u64 = 4 * 1024;

/// How often a page is looked at anew when scavenges take away what was just visible.
const LOOKS_MAX: usize = 8;

/// Which way to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Older events first.
    Forwards,
    /// Newer events first.
    Backwards,
}

/// How far a scan came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scanned {
    /// Where to go on.
    pub next: Boundary,
    /// Whether there is nothing more that way for now.
    pub exhausted: bool,
}

/// A page of one stream.
#[derive(Debug)]
pub struct StreamPage {
    /// The events, in the direction of the read.
    pub records: Vec<Record>,
    /// The revision to go on from, unless the stream has no more that way.
    pub next: Option<Revision>,
    /// The first revision that can be seen; past the last one when all are hidden.
    pub first: Revision,
    /// The stream's last revision.
    pub last: Revision,
}

/// Remembers what was known of a stream when it was last read to its end.
#[derive(Debug)]
pub struct StreamWatch {
    key: StreamKey,
    flushed: Option<u64>,
}

impl Storage {
    /// The revision of a stream's last event, whether it can be seen or not; `None` without any event. A scavenge
    /// forgets that of a stream that was deleted for good.
    ///
    /// # Errors
    /// When the index does not answer.
    pub fn last_revision(&self, stream: &str) -> Result<Option<Revision>, StorageError> {
        let shared = self.shared();
        Ok(last_revision(shared, StreamKey::new(shared.log.store, stream.as_bytes()))?.map(Revision))
    }

    /// Watches a stream for new events.
    #[must_use]
    pub fn watch_stream(&self, stream: &str) -> StreamWatch {
        StreamWatch { key: StreamKey::new(self.shared().log.store, stream.as_bytes()), flushed: None }
    }

    /// Whether a stream may have events from a revision on, or a tombstone, told from memory alone: never a wrong no,
    /// and a wrong yes only the first time and after the index was flushed.
    #[must_use]
    pub fn may_have_grown(&self, watch: &mut StreamWatch, next: Revision) -> bool {
        let tail = self.shared().tail.read().unwrap_or_else(PoisonError::into_inner);
        let was_flushed = watch.flushed.replace(tail.flushed) != Some(tail.flushed);
        tail.newest_tombstone(watch.key).is_some()
            || tail.last_revision(watch.key).map_or(was_flushed, |last| last >= next.0)
    }

    /// Events of a stream from a revision on, as many as `max_events` and, past the first, `max_bytes` allow. Events
    /// hidden by the stream's metadata are passed over. `None` when the stream has no event, or is deleted until
    /// something is appended to it.
    ///
    /// # Errors
    /// [`StorageError::StreamDeleted`] when it was deleted for good, or when index or log do not answer.
    pub fn read_stream(
        &self,
        stream: &str,
        from: Revision,
        direction: Direction,
        max_events: usize,
        max_bytes: usize,
    ) -> Result<Option<StreamPage>, StorageError> {
        self.refuse_deleted(stream)?;
        self.follow_stream(stream, from, direction, max_events, max_bytes)
    }

    /// The same for who has followed a stream since before it was deleted for good: without its tombstone.
    ///
    /// # Errors
    /// When index or log do not answer.
    pub fn follow_stream(
        &self,
        stream: &str,
        from: Revision,
        direction: Direction,
        max_events: usize,
        max_bytes: usize,
    ) -> Result<Option<StreamPage>, StorageError> {
        let shared = self.shared();
        let Some(mut visible) = metadata::visible(shared, stream)? else { return Ok(None) };
        if max_events == 0 {
            let (first, last) = (Revision(visible.first), Revision(visible.last));
            return Ok(Some(StreamPage { records: Vec::new(), next: None, first, last }));
        }
        let ask = Ask { stream, from, direction, max_events, max_bytes };
        for _ in 0..LOOKS_MAX {
            let (page, is_whole) = ask.page(shared, visible)?;
            if is_whole {
                return Ok(Some(page));
            }
            // Newer events may have hidden those that a scavenge took away since the first look.
            match metadata::visible(shared, stream)? {
                None => return Ok(None),
                Some(now) if now.first == visible.first => return Ok(Some(page)),
                Some(now) => visible = now,
            }
        }
        ask.page(shared, visible).map(|(page, _)| Some(page))
    }

    /// Where to read forwards from to see the event at a position, or the first after it if there is none.
    ///
    /// # Errors
    /// When the log does not answer.
    pub fn boundary_at(&self, position: LogPosition) -> Result<Boundary, StorageError> {
        LogReader::new(&self.shared().log, STREAM_BLOCK_BYTES).boundary(position.0).map(Boundary)
    }

    /// Where to read forwards from to see the first event after a position.
    ///
    /// # Errors
    /// When the log does not answer.
    pub fn boundary_after(&self, position: LogPosition) -> Result<Boundary, StorageError> {
        self.boundary_at(LogPosition(position.0.saturating_add(1)))
    }

    /// Shows every event from a boundary on, older first, until `visit` breaks or about `max_bytes` of the log were
    /// read.
    ///
    /// # Errors
    /// When the log does not answer.
    pub fn scan_forwards(
        &self,
        from: Boundary,
        max_bytes: u64,
        mut visit: impl FnMut(Record) -> ControlFlow<()>,
    ) -> Result<Scanned, StorageError> {
        let mut reader = LogReader::new(&self.shared().log, SCAN_BLOCK_BYTES.min(max_bytes));
        let mut next = from.0;
        let mut left = max_bytes;
        while let Some(record) = reader.next(next)? {
            next = record.end;
            left = left.saturating_sub(record.end - record.position.0);
            if visit(record).is_break() || left == 0 {
                return Ok(Scanned { next: Boundary(next), exhausted: false });
            }
        }
        Ok(Scanned { next: Boundary(next), exhausted: true })
    }

    /// Shows every event before a boundary, newer first, until `visit` breaks or about `max_bytes` of the log were
    /// read.
    ///
    /// # Errors
    /// When the log does not answer.
    pub fn scan_backwards(
        &self,
        from: Boundary,
        max_bytes: u64,
        mut visit: impl FnMut(Record) -> ControlFlow<()>,
    ) -> Result<Scanned, StorageError> {
        let mut reader = LogReader::new(&self.shared().log, SCAN_BLOCK_BYTES.min(max_bytes));
        let mut next = from.0;
        let mut left = max_bytes;
        while let Some(record) = reader.previous(next)? {
            next = record.position.0;
            left = left.saturating_sub(record.end - record.position.0);
            if visit(record).is_break() || left == 0 {
                return Ok(Scanned { next: Boundary(next), exhausted: false });
            }
        }
        Ok(Scanned { next: Boundary(next), exhausted: true })
    }
}

/// What is asked of a stream.
struct Ask<'a> {
    stream: &'a str,
    from: Revision,
    direction: Direction,
    max_events: usize,
    max_bytes: usize,
}

impl Ask<'_> {
    /// A page of what is visible, and whether no event of it was taken away.
    fn page(&self, shared: &Shared, visible: Visible) -> Result<(StreamPage, bool), StorageError> {
        let key = StreamKey::new(shared.log.store, self.stream.as_bytes());
        let from = match self.direction {
            Direction::Forwards => self.from.0.max(visible.first),
            Direction::Backwards => self.from.0.min(visible.last),
        };
        let lowest = match self.direction {
            Direction::Forwards => from,
            Direction::Backwards => visible.first.max(from.saturating_sub(self.max_events as u64 - 1)),
        };
        let count = match self.direction {
            // Not past the last revision that the page will name: what is appended meanwhile is the next page's.
            Direction::Forwards => {
                let there = (visible.last + 1).saturating_sub(from);
                usize::try_from(there).map_or(self.max_events, |there| there.min(self.max_events))
            }
            Direction::Backwards => {
                usize::try_from((from + 1).saturating_sub(lowest)).unwrap_or(self.max_events)
            }
        };
        let mut positions = stream_positions(shared, key, lowest, count)?;
        if self.direction == Direction::Backwards {
            positions.reverse();
        }
        let is_there = |revision: &u64| (visible.first..=visible.last).contains(revision);
        if positions.is_empty() && is_there(&from) && !shared.index.has_gaps() {
            let stream = self.stream;
            return Err(StorageError::Index(format!("revision {from} of stream {stream} is missing")));
        }
        let (records, next, mut is_whole) = self.records(shared, &positions, visible, from)?;
        let next = match next.filter(is_there) {
            Some(_) if positions.is_empty() => {
                is_whole = false;
                beyond_gap(shared, key, from, self.direction)?.filter(is_there)
            }
            next => next,
        };
        let (first, last) = (Revision(visible.first), Revision(visible.last));
        Ok((StreamPage { records, next: next.map(Revision), first, last }, is_whole))
    }

    /// The events at some positions that are not too old, the next revision to be looked at, and whether no event was
    /// taken away.
    fn records(
        &self,
        shared: &Shared,
        positions: &[(u64, u64)],
        visible: Visible,
        from: u64,
    ) -> Result<(Vec<Record>, Option<u64>, bool), StorageError> {
        let mut reader = LogReader::new(&shared.log, STREAM_BLOCK_BYTES);
        let mut records = Vec::with_capacity(positions.len());
        let (mut next, mut is_whole) = (Some(from), true);
        let mut left = self.max_bytes;
        for (revision, position) in positions {
            next = match self.direction {
                Direction::Forwards => Some(revision + 1),
                Direction::Backwards => revision.checked_sub(1),
            };
            let Some(record) = reader.record(*position)? else {
                is_whole = false;
                continue;
            };
            if record.stream != self.stream.as_bytes() {
                let stream = self.stream;
                return Err(StorageError::Index(format!("position {position} is not of stream {stream}")));
            }
            left = left.saturating_sub((record.end - record.position.0) as usize);
            if record.recorded_ticks >= visible.oldest_ticks {
                records.push(record);
            }
            if left == 0 {
                break;
            }
        }
        Ok((records, next, is_whole))
    }
}

/// The revision of a stream's last committed event.
pub(crate) fn last_revision(shared: &Shared, key: StreamKey) -> Result<Option<u64>, StorageError> {
    let in_tail = shared.tail.read().unwrap_or_else(PoisonError::into_inner).last_revision(key);
    if in_tail.is_some() { Ok(in_tail) } else { shared.index.last_revision(key) }
}

/// The revisions of a stream's committed events and where they lie, from a revision on up to `count` revisions later.
/// Those that a scavenge took away may be among them, or missing.
pub(crate) fn stream_positions(
    shared: &Shared,
    key: StreamKey,
    from: u64,
    count: usize,
) -> Result<Vec<(u64, u64)>, StorageError> {
    let until = from.saturating_add(count as u64);
    let tail = shared.tail.read().unwrap_or_else(PoisonError::into_inner).positions(key, from, count);
    let Some(tail) = tail else { return shared.index.positions(key, from, until) };
    let mut positions = shared.index.positions(key, from, until.min(tail.first))?;
    positions.extend((from.max(tail.first)..until).zip(tail.positions));
    Ok(positions)
}

/// The next revision of a stream to be looked at where a scavenge took away what would come at `from`.
fn beyond_gap(
    shared: &Shared,
    key: StreamKey,
    from: u64,
    direction: Direction,
) -> Result<Option<u64>, StorageError> {
    let indexed = shared.index.nearest(key, from, direction)?;
    if indexed.is_some() || direction == Direction::Backwards {
        return Ok(indexed);
    }
    let tail = shared.tail.read().unwrap_or_else(PoisonError::into_inner).positions(key, from, 0);
    Ok(tail.map(|tail| tail.first.max(from)))
}

/// The newest committed event of a stream.
pub(crate) fn last_record(shared: &Shared, stream: &str) -> Result<Option<Record>, StorageError> {
    let key = StreamKey::new(shared.log.store, stream.as_bytes());
    loop {
        let Some(last) = last_revision(shared, key)? else { return Ok(None) };
        let positions = stream_positions(shared, key, last, 1)?;
        let Some((_, position)) = positions.first() else { return Ok(None) };
        let found = LogReader::new(&shared.log, STREAM_BLOCK_BYTES).record(*position)?;
        // No scavenge takes the last event of a stream, but this one may not have been the last for a while.
        if found.is_some() || last_revision(shared, key)? == Some(last) {
            return Ok(found);
        }
    }
}
