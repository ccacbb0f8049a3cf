//! The system streams in which groups are kept, and appends to them.

use bytes::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{GroupError, GroupKey};
use crate::storage::{
    AppendError, AppendOutcome, AppendRequest, Expected, ProposedEvent, Revision, Storage, StorageError,
    StreamName,
};

const PREFIX: &str = "$persistentsubscription-";
const CHECKPOINT_SUFFIX: &str = "-checkpoint";
const PARKED_SUFFIX: &str = "-parked";
const METADATA_TYPE: &str = "$metadata";
/// The first visible revision of a stream that is deleted and may begin anew.
const DELETED_BEFORE: u64 = i64::MAX as u64;
/// So many checkpoints, and definitions, are worth keeping.
const KEPT: u64 = 2;

/// Whether a read of everything never shows a stream: what the groups on everything write about their own progress
/// would otherwise be progress again.
pub(crate) fn is_hidden_from_all(stream: &[u8]) -> bool {
    let Some(rest) = stream.strip_prefix(PREFIX.as_bytes()) else { return false };
    rest.starts_with(b"$all::")
        && (rest.ends_with(CHECKPOINT_SUFFIX.as_bytes()) || rest.ends_with(PARKED_SUFFIX.as_bytes()))
}

/// The two streams of one group.
#[derive(Debug, Clone)]
pub(super) struct SystemStreams {
    pub(super) checkpoint: StreamName,
    pub(super) parked: StreamName,
}

impl SystemStreams {
    pub(super) fn new(key: &GroupKey) -> Result<Self, GroupError> {
        let name = |suffix| {
            let name = StreamName::new(format!("{PREFIX}{key}{suffix}"));
            name.filter(|name| {
                name.metadata_stream().is_some_and(|name| StreamName::new(name.as_str()).is_some())
            })
            .ok_or_else(|| GroupError::failed("the names of stream and group are too long together"))
        };
        Ok(Self { checkpoint: name(CHECKPOINT_SUFFIX)?, parked: name(PARKED_SUFFIX)? })
    }

    /// Makes both as good as new: nothing that a former group of the same name left is seen any more.
    pub(super) async fn reset(&self, storage: &Storage) -> Result<(), GroupError> {
        let before = next_revision(storage, &self.checkpoint).await?;
        hide_before(storage, &self.checkpoint, before, true).await?;
        let before = next_revision(storage, &self.parked).await?;
        if before > 0 {
            hide_before(storage, &self.parked, before, false).await?;
        }
        Ok(())
    }

    /// Deletes both softly, which keeps their names for a later group.
    pub(super) async fn delete(&self, storage: &Storage) -> Result<(), GroupError> {
        for stream in [&self.checkpoint, &self.parked] {
            if next_revision(storage, stream).await? > 0 {
                hide_before(storage, stream, DELETED_BEFORE, false).await?;
            }
        }
        Ok(())
    }
}

async fn next_revision(storage: &Storage, stream: &StreamName) -> Result<u64, GroupError> {
    let stream = stream.clone();
    let last = reading(storage, move |storage| storage.last_revision(stream.as_str())).await?;
    Ok(last.map_or(0, |last| last.0 + 1))
}

/// Says with the stream's metadata from which revision on it can be seen, and whether only its newest events are kept.
pub(super) async fn hide_before(
    storage: &Storage,
    stream: &StreamName,
    before: u64,
    only_newest: bool,
) -> Result<(), AppendError> {
    let mut metadata = serde_json::Map::new();
    if only_newest {
        metadata.insert("$maxCount".to_owned(), json!(KEPT));
    }
    if before > 0 {
        metadata.insert("$tb".to_owned(), json!(before));
    }
    let Some(name) = stream.metadata_stream() else { return Ok(()) };
    let event = event(METADATA_TYPE, true, &Value::Object(metadata).to_string(), String::new());
    append(storage, &name, vec![event]).await.map(drop)
}

/// An event of the node's own.
pub(super) fn event(event_type: &str, is_json: bool, data: &str, metadata: String) -> ProposedEvent {
    ProposedEvent {
        id: Uuid::new_v4(),
        event_type: event_type.to_owned(),
        is_json,
        metadata: metadata.into(),
        data: Bytes::copy_from_slice(data.as_bytes()),
    }
}

/// Appends events whatever the stream holds; gives the revision of the last.
pub(super) async fn append(
    storage: &Storage,
    stream: &StreamName,
    events: Vec<ProposedEvent>,
) -> Result<Revision, AppendError> {
    let request = AppendRequest { stream: stream.clone(), expected: Expected::Any, events };
    match storage.append(request).await? {
        AppendOutcome::Appended { revision: Some(revision), .. } => Ok(revision),
        other => Err(AppendError::Stopped(format!("{} answered {other:?}", stream.as_str()))),
    }
}

/// Runs a read of the storage where it may block.
pub(super) async fn reading<T: Send + 'static>(
    storage: &Storage,
    read: impl FnOnce(&Storage) -> Result<T, StorageError> + Send + 'static,
) -> Result<T, GroupError> {
    let storage = storage.clone();
    match tokio::task::spawn_blocking(move || read(&storage)).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(GroupError::Stopping),
    }
}

#[cfg(test)]
mod tests {
    use super::is_hidden_from_all;

    #[test]
    fn everything_shows_all_but_what_its_own_groups_write() {
        for (stream, hidden) in [
            ("$persistentsubscription-$all::g-checkpoint", true),
            ("$persistentsubscription-$all::g-parked", true),
            ("$persistentsubscription-a-1::g-checkpoint", false),
            ("$persistentSubscriptionConfig", false),
            ("$persistentsubscription-$all::g-other", false),
        ] {
            assert_eq!(is_hidden_from_all(stream.as_bytes()), hidden, "{stream}");
        }
    }
}
