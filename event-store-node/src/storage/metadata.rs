//! What a stream's metadata hides of it on reads: `$maxCount`, `$maxAge` and `$tb` of the newest event in `$$<stream>`.
//! Metadata streams themselves show their newest event only.

use serde::Deserialize;

use super::append::StreamName;
use super::group::now_ticks;
use super::read::{last_record, last_revision};
use super::writer::Shared;
use super::{StorageError, StreamKey};

const TICKS_PER_SECOND: u64 = 10_000_000;

/// What can be seen of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Visible {
    /// The first revision to be seen; past `last` when all are hidden.
    pub first: u64,
    /// The last revision written.
    pub last: u64,
    /// Events recorded before this are hidden.
    pub oldest_ticks: u64,
}

#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
struct Limits {
    #[serde(rename = "$maxCount")]
    max_count: Option<std::num::NonZeroU64>,
    #[serde(rename = "$maxAge")]
    max_age_seconds: Option<std::num::NonZeroU64>,
    #[serde(rename = "$tb")]
    truncate_before: Option<u64>,
}

/// What can be seen of a stream now; `None` when it has no event.
pub(crate) fn visible(shared: &Shared, stream: &str) -> Result<Option<Visible>, StorageError> {
    let key = StreamKey::new(shared.log.store, stream.as_bytes());
    let Some(last) = last_revision(shared, key)? else { return Ok(None) };
    let all = Visible { first: 0, last, oldest_ticks: 0 };
    let Some(name) = StreamName::new(stream) else { return Ok(Some(all)) };
    let Some(metadata_stream) = name.metadata_stream() else {
        return Ok(Some(Visible { first: last, ..all }));
    };
    let newest = last_record(shared, metadata_stream.as_str())?;
    // Metadata that is not JSON or has a value out of range counts as none.
    let limits: Limits = newest
        .filter(|record| record.is_json)
        .and_then(|record| serde_json::from_slice(&record.data).ok())
        .unwrap_or_default();
    let by_count = limits.max_count.map_or(0, |count| (last + 1).saturating_sub(count.get()));
    let by_age = limits
        .max_age_seconds
        .map_or(0, |age| now_ticks().saturating_sub(age.get().saturating_mul(TICKS_PER_SECOND)));
    let first = by_count.max(limits.truncate_before.unwrap_or(0));
    Ok(Some(Visible { first, last, oldest_ticks: by_age }))
}
