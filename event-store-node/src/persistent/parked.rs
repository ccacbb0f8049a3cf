//! The parked events on disk: links in a stream of their own.

use std::ops::Range;

use super::held::Held;
use crate::storage::{Direction, Revision, Storage, StorageError, StreamName};

const PAGE_BYTES: usize = 1024 * 1024;

/// Which revisions there are.
pub(super) fn range(storage: &Storage, stream: &StreamName) -> Result<Range<u64>, StorageError> {
    let page = storage.read_stream(stream.as_str(), Revision(0), Direction::Forwards, 1, 1)?;
    let Some(page) = page else { return Ok(0..0) };
    let end = page.last.0.saturating_add(1);
    Ok(page.first.0.min(end)..end)
}

/// Some of them, with what they stand for, and up to where that is all there is.
pub(super) fn read(
    storage: &Storage,
    stream: &StreamName,
    wanted: &Range<u64>,
    resolve_links: bool,
) -> Result<(Vec<Held>, u64), StorageError> {
    let count = usize::try_from(wanted.end - wanted.start).unwrap_or(usize::MAX);
    let from = Revision(wanted.start);
    let page = storage.read_stream(stream.as_str(), from, Direction::Forwards, count, PAGE_BYTES)?;
    let Some(page) = page else { return Ok((Vec::new(), wanted.end)) };
    let read_to = page.next.map_or(wanted.end, |next| next.0.min(wanted.end));
    let mut found = Vec::new();
    for record in page.records.into_iter().filter(|record| record.revision.0 < wanted.end) {
        found.push(Held::parked(storage, record, resolve_links)?);
    }
    Ok((found, read_to))
}
