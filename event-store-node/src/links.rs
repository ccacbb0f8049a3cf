//! Links: events that stand for another one, which a reader may have in their place (protocol sheet, 5.4).

use crate::storage::{Direction, Record, Revision, Storage, StorageError};

/// The type of a link.
pub(crate) const LINK_TYPE: &str = "$>";
const TARGET_BYTES: usize = 1;

/// Where a link points: `<revision>@<stream>`. A link that says anything else is an event like any other.
pub(crate) fn target(record: &Record) -> Option<(&str, Revision)> {
    if record.event_type != LINK_TYPE.as_bytes() {
        return None;
    }
    let (revision, stream) = std::str::from_utf8(&record.data).ok()?.split_once('@')?;
    Some((stream, Revision(revision.parse().ok()?)))
}

/// The event that a link points to, if it can be read.
pub(crate) fn follow(
    storage: &Storage,
    stream: &str,
    revision: Revision,
) -> Result<Option<Record>, StorageError> {
    let page = match storage.read_stream(stream, revision, Direction::Forwards, 1, TARGET_BYTES) {
        Err(StorageError::StreamDeleted { .. }) => None,
        page => page?,
    };
    let record = page.and_then(|page| page.records.into_iter().next());
    Ok(record.filter(|record| record.revision == revision))
}
