//! The index looked through row by row, for who checks it.

use redb::ReadableTable;

use super::index_chunks::{Chunks, LAST_REVISION, decode_chunk, failed, last_chunk, revision_of, row_key};
use super::record::TOMBSTONE_REVISION;
use super::{StorageError, StreamKey};

/// The rows of the index, as they were at one moment.
pub(super) struct IndexRows<'a>(&'a Chunks);

impl<'a> IndexRows<'a> {
    /// Those of an open table.
    pub(super) fn new(chunks: &'a Chunks) -> Self {
        Self(chunks)
    }

    /// Where the index says that an event lies.
    pub(super) fn position(&self, key: StreamKey, revision: u64) -> Result<Option<u64>, StorageError> {
        if revision >= TOMBSTONE_REVISION {
            let row = self.0.get(&row_key(key, TOMBSTONE_REVISION)).map_err(failed)?;
            return row.map(|row| decode_chunk(row.value()).map(|positions| positions[0])).transpose();
        }
        let chunk = last_chunk(self.0, key, revision)?;
        Ok(chunk.and_then(|(first, positions)| positions.get((revision - first) as usize).copied()))
    }

    /// The revision that a stream's next event has.
    pub(super) fn next_revision(&self, key: StreamKey) -> Result<u64, StorageError> {
        let last = last_chunk(self.0, key, LAST_REVISION)?;
        Ok(last.map_or(0, |(first, positions)| first + positions.len() as u64))
    }

    /// Shows each row: stream, first revision, positions.
    pub(super) fn each(&self, mut visit: impl FnMut(StreamKey, u64, &[u64])) -> Result<(), StorageError> {
        for row in self.0.iter().map_err(failed)? {
            let (row, value) = row.map_err(failed)?;
            let mut key = [0; 16];
            key.copy_from_slice(&row.value()[..16]);
            visit(
                StreamKey(u128::from_be_bytes(key)),
                revision_of(row.value()),
                &decode_chunk(value.value())?,
            );
        }
        Ok(())
    }
}
