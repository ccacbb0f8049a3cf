//! The newest part of the index, in memory: everything the index on disk does not hold yet.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::StreamKey;
use super::record::TOMBSTONE_REVISION;

/// Positions of the newest events of one stream, in order of revision.
#[derive(Debug, Clone)]
pub(crate) struct StreamTail {
    /// The revision of the first of them.
    pub first: u64,
    /// Their positions; never empty.
    pub positions: Vec<u64>,
}

impl StreamTail {
    /// The revision of the last of them.
    pub(crate) fn last(&self) -> u64 {
        self.first + self.positions.len() as u64 - 1
    }

    /// Those of the revisions from `from` on, at most `count`, as far as they are here.
    fn slice(&self, from: u64, count: usize) -> &[u64] {
        let skip = usize::try_from(from.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let rest = self.positions.get(skip..).unwrap_or_default();
        &rest[..rest.len().min(count)]
    }
}

/// Events by stream that are flushed together.
#[derive(Debug, Default)]
pub(crate) struct Generation {
    pub streams: HashMap<StreamKey, StreamTail>,
    /// What comes in a stream before a gap that a scavenge left, older first; only while the log is replayed.
    pub before_gaps: Vec<(StreamKey, StreamTail)>,
    /// Where the streams end that were deleted for good.
    pub tombstones: HashMap<StreamKey, u64>,
    /// How many events they are.
    pub events: usize,
    /// Everything before this position is in this generation or an earlier one.
    pub end: u64,
    /// Ends of the segments that were sealed meanwhile: (base, end).
    pub sealed: Vec<(u64, u64)>,
}

impl Generation {
    /// Adds the next event of a stream, or its tombstone.
    pub(crate) fn push(&mut self, key: StreamKey, revision: u64, position: u64) {
        self.events += 1;
        if revision == TOMBSTONE_REVISION {
            self.tombstones.insert(key, position);
            return;
        }
        let alone = || StreamTail { first: revision, positions: vec![position] };
        match self.streams.entry(key) {
            Entry::Occupied(mut stream) if stream.get().last() + 1 == revision => {
                stream.get_mut().positions.push(position);
            }
            Entry::Occupied(mut stream) => {
                let before = std::mem::replace(stream.get_mut(), alone());
                self.before_gaps.push((key, before));
            }
            Entry::Vacant(free) => {
                free.insert(alone());
            }
        }
    }
}

/// The generation that grows and the one being flushed.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    pub active: Generation,
    pub flushing: Option<Arc<Generation>>,
    /// How many generations have left for the index.
    pub flushed: u64,
}

/// What the tail knows of a range of one stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TailPositions {
    /// The first revision that the tail holds of the stream; those before it are in the index.
    pub first: u64,
    /// The positions in the tail within the range.
    pub positions: Vec<u64>,
}

impl Tail {
    /// The stream's last revision, if it has newer events than the index.
    pub(crate) fn last_revision(&self, key: StreamKey) -> Option<u64> {
        self.generations().rev().find_map(|generation| generation.streams.get(&key)).map(StreamTail::last)
    }

    /// What the tail knows of a stream's tombstone; `None` when only the index can tell.
    pub(crate) fn tombstone(&self, key: StreamKey) -> Option<Option<u64>> {
        let found = self.newest_tombstone(key);
        // Nothing follows a tombstone, so events here say that there is none in the index.
        if found.is_none() && self.last_revision(key).is_none() { None } else { Some(found) }
    }

    /// The stream's tombstone, if it is not in the index yet.
    pub(crate) fn newest_tombstone(&self, key: StreamKey) -> Option<u64> {
        self.generations().find_map(|generation| generation.tombstones.get(&key)).copied()
    }

    /// Positions of the revisions from `from` on, at most `count`, and where the tail of the stream begins.
    pub(crate) fn positions(&self, key: StreamKey, from: u64, count: usize) -> Option<TailPositions> {
        let mut found: Option<TailPositions> = None;
        for stream in self.generations().filter_map(|generation| generation.streams.get(&key)) {
            let found =
                found.get_or_insert_with(|| TailPositions { first: stream.first, positions: Vec::new() });
            let left = count - found.positions.len();
            if from <= stream.last() {
                found.positions.extend_from_slice(stream.slice(from.max(stream.first), left));
            }
        }
        found
    }

    /// Takes the active generation for flushing.
    pub(crate) fn start_flush(&mut self) -> Arc<Generation> {
        let generation = Arc::new(std::mem::take(&mut self.active));
        self.active.end = generation.end;
        self.flushing = Some(Arc::clone(&generation));
        generation
    }

    /// Forgets the generation that is in the index now.
    pub(crate) fn end_flush(&mut self) {
        self.flushing = None;
        self.flushed += 1;
    }

    /// Older first.
    fn generations(&self) -> impl DoubleEndedIterator<Item = &Generation> {
        self.flushing.as_deref().into_iter().chain(std::iter::once(&self.active))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: StreamKey = StreamKey(1);

    #[test]
    fn a_tombstone_is_no_event_and_is_told_from_either_generation() {
        let mut tail = Tail::default();
        assert_eq!(tail.tombstone(KEY), None, "the index may know of one");
        tail.active.push(KEY, 5, 50);
        assert_eq!(tail.tombstone(KEY), Some(None));
        tail.start_flush();
        tail.active.push(KEY, TOMBSTONE_REVISION, 60);
        assert_eq!((tail.tombstone(KEY), tail.last_revision(KEY)), (Some(Some(60)), Some(5)));
        tail.start_flush();
        assert_eq!((tail.tombstone(KEY), tail.last_revision(KEY)), (Some(Some(60)), None));
    }

    #[test]
    fn a_range_is_put_together_from_both_generations() {
        let mut tail = Tail::default();
        for revision in 5..8 {
            tail.active.push(KEY, revision, revision * 10);
        }
        tail.start_flush();
        for revision in 8..10 {
            tail.active.push(KEY, revision, revision * 10);
        }
        let range =
            |from, count| tail.positions(KEY, from, count).map(|found| (found.first, found.positions));
        assert_eq!(range(0, 3), Some((5, vec![50, 60, 70])), "what lies before is the index's");
        assert_eq!(range(7, 2), Some((5, vec![70, 80])));
        assert_eq!(range(9, 10), Some((5, vec![90])));
        assert_eq!(range(10, 10), Some((5, vec![])));
        assert_eq!(tail.last_revision(KEY), Some(9));
        assert_eq!(tail.positions(StreamKey(2), 0, 1), None);
    }
}
