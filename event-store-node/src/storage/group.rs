//! The appends that are written and synced together, and what later appends of the same group see of them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::PoisonError;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use uuid::Uuid;

use super::append::{AppendOutcome, ProposedEvent, StreamName};
use super::decide::StreamState;
use super::log::LogReader;
use super::read::{last_record, stream_positions};
use super::recent::RecentIds;
use super::record::{self, TOMBSTONE_REVISION, WriteContext};
use super::writer::{Reply, Shared};
use super::{AppendError, StorageError, StreamKey};

/// Ids are read from records one by one; most fit into this.
const ID_BLOCK_BYTES: u64 = 1024;
/// 100 ns ticks in a second.
const TICKS_PER_SECOND: u64 = 10_000_000;

/// An event of the group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GroupEvent {
    pub key: StreamKey,
    pub revision: u64,
    pub position: u64,
    pub id: Uuid,
}

/// Events for one stream that are written next to each other.
#[derive(Debug)]
pub(crate) struct GroupEvents<'a> {
    pub key: StreamKey,
    pub stream: Cow<'a, StreamName>,
    /// The revision of the first of them.
    pub first: u64,
    pub events: Cow<'a, [ProposedEvent]>,
}

/// Appends that wait for one sync.
#[derive(Debug)]
pub(crate) struct Group {
    /// Where its first byte goes.
    pub start: u64,
    pub bytes: Vec<u8>,
    pub events: Vec<GroupEvent>,
    /// The answers, given once the sync is done.
    pub replies: Vec<(Reply, Result<AppendOutcome, AppendError>)>,
    recorded_ticks: u64,
    last_revisions: HashMap<StreamKey, u64>,
    newest_metadata: HashMap<StreamKey, Bytes>,
}

impl Group {
    pub(crate) fn new(start: u64) -> Self {
        Self {
            start,
            bytes: Vec::new(),
            events: Vec::new(),
            replies: Vec::new(),
            recorded_ticks: now_ticks(),
            last_revisions: HashMap::new(),
            newest_metadata: HashMap::new(),
        }
    }

    /// Whether it would write nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Where the record after it goes.
    pub(crate) fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// Moves an empty group to another place.
    pub(crate) fn restart(&mut self, start: u64) {
        self.start = start;
    }

    /// The position of its last event.
    pub(crate) fn last_position(&self) -> Option<u64> {
        self.events.last().map(|event| event.position)
    }

    /// Adds records that are written all or none; gives the position of the last one of the first stream.
    pub(crate) fn append(&mut self, parts: &[GroupEvents<'_>]) -> Option<u64> {
        let context = WriteContext { batch_start: self.start, recorded_ticks: self.recorded_ticks };
        let mut left: usize = parts.iter().map(|part| part.events.len()).sum();
        let mut answered = None;
        for part in parts {
            for (revision, event) in (part.first..).zip(part.events.iter()) {
                left -= 1;
                let position = self.end();
                record::encode(&mut self.bytes, position, context, &part.stream, revision, event, left > 0);
                self.events.push(GroupEvent { key: part.key, revision, position, id: event.id });
            }
            answered = answered.or(self.last_position());
            self.note(part);
        }
        answered
    }

    /// Remembers what later changes of the same group look at.
    fn note(&mut self, part: &GroupEvents<'_>) {
        let Some(newest) = part.events.last() else { return };
        if part.first != TOMBSTONE_REVISION {
            self.last_revisions.insert(part.key, part.first + part.events.len() as u64 - 1);
        }
        if part.stream.is_metadata() {
            self.newest_metadata.insert(part.key, newest.data.clone());
        }
    }
}

/// Now, in 100 ns since 1970.
pub(crate) fn now_ticks() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs() * TICKS_PER_SECOND + u64::from(since.subsec_nanos()) / 100
}

/// A stream as it will be once the group is written.
pub(crate) struct GroupView<'a> {
    pub shared: &'a Shared,
    pub group: &'a Group,
    pub recent: &'a RecentIds,
}

impl GroupView<'_> {
    /// The data of the newest event of a metadata stream.
    pub(crate) fn metadata(&self, stream: &StreamName) -> Result<Option<Bytes>, StorageError> {
        match self.group.newest_metadata.get(&self.shared.key(stream)) {
            Some(data) => Ok(Some(data.clone())),
            None => Ok(last_record(self.shared, stream.as_str())?.map(|record| record.data)),
        }
    }

    /// The revision that the next event of a stream gets.
    pub(crate) fn next_revision(&self, key: StreamKey) -> Result<u64, StorageError> {
        Ok(self.last_revision(key)?.map_or(0, |last| last + 1))
    }
}

impl StreamState for GroupView<'_> {
    fn last_revision(&self, key: StreamKey) -> Result<Option<u64>, StorageError> {
        if let Some(revision) = self.group.last_revisions.get(&key) {
            return Ok(Some(*revision));
        }
        let in_tail = self.shared.tail.read().unwrap_or_else(PoisonError::into_inner).last_revision(key);
        if in_tail.is_some() { Ok(in_tail) } else { self.shared.index.last_revision(key) }
    }

    fn ids(&self, key: StreamKey, from: u64, count: usize) -> Result<Vec<(Option<Uuid>, u64)>, StorageError> {
        let mut reader = LogReader::new(&self.shared.log, ID_BLOCK_BYTES);
        let mut found = Vec::with_capacity(count);
        for (revision, position) in stream_positions(self.shared, key, from, count)? {
            // Of some that a scavenge took away not even the place is known.
            found.resize((revision - from) as usize, (None, 0));
            found.push((reader.record(position)?.map(|record| record.id), position));
        }
        let until = from.saturating_add(count as u64);
        let staged = |event: &&GroupEvent| event.key == key && (from..until).contains(&event.revision);
        for event in self.group.events.iter().filter(staged) {
            found.resize((event.revision - from) as usize, (None, 0));
            found.push((Some(event.id), event.position));
        }
        Ok(found)
    }

    fn recent(&self, key: StreamKey, id: Uuid) -> Option<(u64, u64)> {
        self.recent.place(key, id)
    }
}

/// The records of a group that consists of the first events of a new log.
pub(crate) fn first_records(start: u64, events: GroupEvents<'_>) -> Bytes {
    let mut group = Group::new(start);
    group.append(&[events]);
    group.bytes.into()
}
