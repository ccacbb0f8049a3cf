//! The appends that are written and synced together, and what later appends of the same group see of them.

use std::collections::HashMap;
use std::sync::PoisonError;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use uuid::Uuid;

use super::append::{AppendOutcome, AppendRequest};
use super::decide::StreamState;
use super::log::LogReader;
use super::read::stream_positions;
use super::recent::RecentIds;
use super::record::{self, WriteContext};
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

    /// Adds the records of an append, the first under revision `first`.
    pub(crate) fn append(&mut self, key: StreamKey, request: &AppendRequest, first: u64) {
        let context = WriteContext { batch_start: self.start, recorded_ticks: self.recorded_ticks };
        let mut left = request.events.len();
        for (revision, event) in (first..).zip(&request.events) {
            left -= 1;
            let position = self.end();
            record::encode(&mut self.bytes, position, context, &request.stream, revision, event, left > 0);
            self.events.push(GroupEvent { key, revision, position, id: event.id });
            self.last_revisions.insert(key, revision);
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

impl StreamState for GroupView<'_> {
    fn last_revision(&self, key: StreamKey) -> Result<Option<u64>, StorageError> {
        if let Some(revision) = self.group.last_revisions.get(&key) {
            return Ok(Some(*revision));
        }
        let in_tail = self.shared.tail.read().unwrap_or_else(PoisonError::into_inner).last_revision(key);
        if in_tail.is_some() { Ok(in_tail) } else { self.shared.index.last_revision(key) }
    }

    fn ids(&self, key: StreamKey, from: u64, count: usize) -> Result<Vec<(Uuid, u64)>, StorageError> {
        let mut reader = LogReader::new(&self.shared.log, ID_BLOCK_BYTES);
        let mut found = Vec::with_capacity(count);
        for position in stream_positions(self.shared, key, from, count)? {
            found.push((reader.record(position)?.id, position));
        }
        let rest = from + found.len() as u64;
        let staged = self.group.events.iter().filter(|event| event.key == key && event.revision >= rest);
        found.extend(staged.map(|event| (event.id, event.position)).take(count - found.len()));
        Ok(found)
    }

    fn recent_revision(&self, key: StreamKey, id: Uuid) -> Option<u64> {
        self.recent.revision(key, id)
    }
}

/// The records of a group that consists of one append, for the first event of a new log.
pub(crate) fn first_records(start: u64, key: StreamKey, request: &AppendRequest) -> Bytes {
    let mut group = Group::new(start);
    group.append(key, request, 0);
    group.bytes.into()
}
