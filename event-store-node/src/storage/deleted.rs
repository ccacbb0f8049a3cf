//! Streams that were deleted for good: their last record, the tombstone, refuses every read but that of everything.

use std::sync::PoisonError;

use super::append::StreamName;
use super::log::LogReader;
use super::record::Record;
use super::writer::Shared;
use super::{Storage, StorageError, StreamKey};

/// A tombstone has next to no data.
const TOMBSTONE_BLOCK_BYTES: u64 = 1024;

/// Where the tombstone of a stream lies.
pub(crate) fn tombstone(shared: &Shared, key: StreamKey) -> Result<Option<u64>, StorageError> {
    let in_tail = shared.tail.read().unwrap_or_else(PoisonError::into_inner).tombstone(key);
    in_tail.map_or_else(|| shared.index.tombstone(key), Ok)
}

impl Storage {
    /// The record that ended a stream for good.
    ///
    /// # Errors
    /// When index or log do not answer.
    pub fn tombstone(&self, stream: &str) -> Result<Option<Record>, StorageError> {
        let shared = self.shared();
        let position = tombstone(shared, StreamKey::new(shared.log.store, stream.as_bytes()))?;
        match position {
            Some(position) => LogReader::new(&shared.log, TOMBSTONE_BLOCK_BYTES).record(position),
            None => Ok(None),
        }
    }

    /// Fails if a stream, or the one whose metadata it holds, was deleted for good.
    ///
    /// # Errors
    /// [`StorageError::StreamDeleted`] then, or when the index does not answer.
    pub fn refuse_deleted(&self, stream: &str) -> Result<(), StorageError> {
        let shared = self.shared();
        let described = StreamName::new(stream).and_then(|stream| stream.described());
        let subject = described.as_ref().map_or(stream, StreamName::as_str);
        match tombstone(shared, StreamKey::new(shared.log.store, subject.as_bytes()))? {
            Some(_) => Err(StorageError::StreamDeleted { stream: stream.to_owned() }),
            None => Ok(()),
        }
    }
}
