//! What the writer knows of streams beyond their last revision: whether they are deleted, and whether they have
//! metadata. Nobody but the writer changes that, so what was once looked up stays right.

use std::collections::HashMap;

use super::append::StreamName;
use super::deleted::tombstone;
use super::group::GroupEvents;
use super::metadata::Metadata;
use super::read::last_record;
use super::record::TOMBSTONE_REVISION;
use super::writer::Shared;
use super::{StorageError, StreamKey};

/// How many streams are remembered: some 4 MiB. When there are more, all are forgotten.
const MAX_STREAMS: usize = 65_536;

/// What is to be known of a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// It was deleted for good.
    pub has_tombstone: bool,
    /// Something was once written to its metadata stream.
    pub has_metadata: bool,
    /// Its metadata says that it is deleted until something is appended to it.
    pub is_deleted: bool,
}

/// Streams that were written to lately.
#[derive(Debug, Default)]
pub(crate) struct KnownStreams(HashMap<StreamKey, Marks>);

impl KnownStreams {
    /// Keeps within its bound; only between two groups, since what a group changes is nowhere else yet.
    pub(crate) fn forget_if_many(&mut self) {
        if self.0.len() > MAX_STREAMS {
            self.0.clear();
        }
    }

    /// The marks of a stream. Those that hold metadata have none: they are not deleted, and their own metadata has no
    /// meaning.
    pub(crate) fn marks(&mut self, shared: &Shared, stream: &StreamName) -> Result<Marks, StorageError> {
        let Some(metadata_stream) = stream.metadata_stream() else { return Ok(Marks::default()) };
        let key = shared.key(stream);
        if let Some(marks) = self.0.get(&key) {
            return Ok(*marks);
        }
        let has_tombstone = tombstone(shared, key)?.is_some();
        let metadata = last_record(shared, metadata_stream.as_str())?;
        let is_deleted =
            metadata.as_ref().is_some_and(|record| Metadata::of(record.is_json, &record.data).is_deleted());
        let marks = Marks { has_tombstone, has_metadata: metadata.is_some(), is_deleted };
        self.0.insert(key, marks);
        Ok(marks)
    }

    /// Notes what events that are about to be written change. The marks of the stream they are about were looked up
    /// before.
    pub(crate) fn note(&mut self, shared: &Shared, written: &GroupEvents<'_>) {
        if written.first == TOMBSTONE_REVISION {
            self.0.entry(written.key).or_default().has_tombstone = true;
        }
        if let Some(described) = written.stream.described()
            && let Some(newest) = written.events.last()
        {
            let marks = self.0.entry(shared.key(&described)).or_default();
            marks.has_metadata = true;
            marks.is_deleted = Metadata::of(newest.is_json, &newest.data).is_deleted();
        }
    }
}
