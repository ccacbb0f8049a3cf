//! The system streams of the standard projections: `$streams` with a link to the first event of every stream,
//! `$ce-<category>` and `$et-<type>` with a link to every event of a category and of a type. They are links in the log like
//! any other (FORMAT.md), written behind it by one task, each exactly once: what a stop of any kind cut off is told from
//! the newest link in each stream.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::ControlFlow;
use std::time::Duration;

use bytes::Bytes;
use contract::LogPosition;
use futures::future::join_all;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use crate::links::{self, LINK_TYPE};
use crate::metrics;
use crate::persistent::is_hidden_from_all;
use crate::storage::{
    AppendError, AppendOutcome, AppendRequest, Boundary, Direction, Expected, ProposedEvent, Record,
    Revision, Storage, StorageError, StreamName,
};

const STREAMS: &str = "$streams";
const CATEGORY_PREFIX: &str = "$ce-";
const TYPE_PREFIX: &str = "$et-";
const CATEGORY_SEPARATOR: char = '-';
/// How far the links are written, so that not everything is read at a start.
const CHECKPOINT_STREAM: &str = "$projections-standard-checkpoint";
const CHECKPOINT_TYPE: &str = "$ProjectionCheckpoint";
const CHECKPOINT_METADATA: &str = "{\"$maxCount\":2}";
const METADATA_TYPE: &str = "$metadata";
const TOMBSTONE_TYPE: &str = "$streamDeleted";
/// So much of the log is read at once …
const PAGE_BYTES: u64 = 256 * 1024;
/// … and so many links, or bytes of them, are appended to a stream at once.
const APPEND_LINKS: usize = 256;
const APPEND_BYTES: u64 = 64 * 1024;
/// After so many links a checkpoint is written, and at the end.
const CHECKPOINT_LINKS: u64 = 1000;
/// Streams whose newest link is remembered while what was cut off is found; when there are more, all are forgotten.
const MAX_KNOWN: usize = 65_536;
/// How long to wait after a failure.
const RETRY: Duration = Duration::from_secs(1);

/// Where a link's event lies: what stands in a link's metadata.
#[derive(Debug, Serialize, Deserialize)]
struct Cause {
    #[serde(rename = "$c")]
    commit: u64,
    #[serde(rename = "$p")]
    prepare: u64,
    #[serde(rename = "$causedBy")]
    caused_by: Uuid,
}

/// Why the links do not go on.
#[derive(Debug, Error)]
enum Failure {
    #[error(transparent)]
    Read(#[from] StorageError),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error("links were refused")]
    Refused,
    #[error("a read was broken off")]
    BrokenOff,
}

/// Keeps the streams until it is told to stop.
pub(crate) async fn keep(storage: Storage, stop: CancellationToken) {
    let mut keeper = Keeper::new(storage);
    let mut has_failed = false;
    loop {
        let wait = match keeper.follow(&stop).await {
            Ok(()) => break,
            Err(Failure::Append(AppendError::Busy)) => RETRY,
            Err(error) => {
                // Once: a log that takes no more appends says so itself, again and again.
                if !has_failed {
                    warn!(%error, "the standard projections stand still");
                }
                has_failed = true;
                RETRY
            }
        };
        // What was appended of a page and what not is found out again.
        keeper = Keeper::new(keeper.storage);
        if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
            break;
        }
    }
}

struct Keeper {
    storage: Storage,
    /// Up to where an earlier run may have written links already.
    horizon: u64,
    /// The events that the newest links of streams stand for, as far as looked up.
    linked: HashMap<StreamName, u64>,
    links_since_checkpoint: u64,
}

/// The links of a page, by stream, each with where its event lies.
type Links = HashMap<StreamName, Vec<(u64, ProposedEvent)>>;

impl Keeper {
    fn new(storage: Storage) -> Self {
        let horizon = storage.head().borrow().last.0;
        Self { storage, horizon, linked: HashMap::new(), links_since_checkpoint: 0 }
    }

    /// Reads on from the last checkpoint, and links; ends when it is told to.
    async fn follow(&mut self, stop: &CancellationToken) -> Result<(), Failure> {
        let (mut position, mut next) = self.reading(start).await?;
        info!(%position, "the standard projections go on");
        let mut head = self.storage.head();
        loop {
            if stop.is_cancelled() {
                return if self.links_since_checkpoint > 0 {
                    self.checkpoint(position).await
                } else {
                    Ok(())
                };
            }
            head.borrow_and_update();
            let (page, reached) = self.reading(move |storage| page(storage, next)).await?;
            next = reached.next;
            position = reached.position.unwrap_or(position);
            self.append(page).await?;
            metrics::projected(position.0);
            if self.links_since_checkpoint >= CHECKPOINT_LINKS {
                self.checkpoint(position).await?;
            }
            if reached.is_end {
                // The sender is the log's writer; without it nothing comes any more.
                let grown = stop.run_until_cancelled(head.changed()).await;
                if let Some(Err(_)) = grown {
                    return Ok(());
                }
            }
        }
    }

    async fn reading<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Storage) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, Failure> {
        let storage = self.storage.clone();
        let read = tokio::task::spawn_blocking(move || read(&storage)).await;
        read.map_err(|_| Failure::BrokenOff)?.map_err(Failure::Read)
    }

    async fn append(&mut self, page: Links) -> Result<(), Failure> {
        let mut pending = Vec::new();
        for (stream, mut links) in page {
            if links.first().is_some_and(|(position, _)| *position <= self.horizon) {
                let linked = self.newest_linked(&stream).await?;
                links.retain(|(position, _)| *position > linked);
            }
            self.links_since_checkpoint += links.len() as u64;
            for events in portions(links.into_iter().map(|(_, link)| link)) {
                let request = AppendRequest { stream: stream.clone(), expected: Expected::Any, events };
                pending.push(self.storage.enqueue(request).await);
            }
        }
        let pending = pending.into_iter().map(|queued| async { queued?.await });
        // All of them, since what is still under way could not be told from what never was.
        for outcome in join_all(pending).await {
            // A stream that was deleted for good takes no links, which is as it should be.
            if let AppendOutcome::WrongExpectedRevision { .. } = outcome? {
                return Err(Failure::Refused);
            }
        }
        Ok(())
    }

    /// The event that the newest link of a stream stands for, before anything of this run.
    async fn newest_linked(&mut self, stream: &StreamName) -> Result<u64, Failure> {
        if self.linked.len() > MAX_KNOWN {
            self.linked.clear();
        }
        if let Some(linked) = self.linked.get(stream) {
            return Ok(*linked);
        }
        let name = stream.clone();
        let linked = self.reading(move |storage| newest_linked(storage, &name)).await?;
        Ok(*self.linked.entry(stream.clone()).or_insert(linked))
    }

    async fn checkpoint(&mut self, position: LogPosition) -> Result<(), Failure> {
        let stream = |name: &str| StreamName::new(name).ok_or(Failure::BrokenOff);
        let (checkpoints, metadata) =
            (stream(CHECKPOINT_STREAM)?, stream(&format!("$${CHECKPOINT_STREAM}"))?);
        let event = |event_type: &str, data: String| ProposedEvent {
            id: Uuid::new_v4(),
            event_type: event_type.to_owned(),
            is_json: true,
            metadata: Bytes::new(),
            data: data.into(),
        };
        let has_any = {
            let name = metadata.clone();
            self.reading(move |storage| storage.last_revision(name.as_str())).await?.is_some()
        };
        if !has_any {
            let events = vec![event(METADATA_TYPE, CHECKPOINT_METADATA.to_owned())];
            self.storage.append(AppendRequest { stream: metadata, expected: Expected::Any, events }).await?;
        }
        let events = vec![event(CHECKPOINT_TYPE, position.0.to_string())];
        self.storage.append(AppendRequest { stream: checkpoints, expected: Expected::Any, events }).await?;
        self.links_since_checkpoint = 0;
        Ok(())
    }
}

/// Where to go on: after the newest checkpoint, or at the beginning.
fn start(storage: &Storage) -> Result<(LogPosition, Boundary), StorageError> {
    let newest = newest(storage, CHECKPOINT_STREAM)?;
    let position: Option<u64> = newest.and_then(|record| serde_json::from_slice(&record.data).ok());
    match position {
        Some(position) => {
            let position = LogPosition(position);
            Ok((position, storage.boundary_after(position)?))
        }
        None => Ok((LogPosition::START, Boundary::START)),
    }
}

fn newest(storage: &Storage, stream: &str) -> Result<Option<Record>, StorageError> {
    match storage.read_stream(stream, Revision(u64::MAX), Direction::Backwards, 1, 1) {
        Ok(page) => Ok(page.and_then(|page| page.records.into_iter().next())),
        Err(StorageError::StreamDeleted { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn newest_linked(storage: &Storage, stream: &StreamName) -> Result<u64, StorageError> {
    let newest = newest(storage, stream.as_str())?;
    let cause = newest.and_then(|record| serde_json::from_slice::<Cause>(&record.metadata).ok());
    Ok(cause.map_or(0, |cause| cause.commit))
}

/// How far a page reaches.
struct Reached {
    next: Boundary,
    position: Option<LogPosition>,
    is_end: bool,
}

fn page(storage: &Storage, from: Boundary) -> Result<(Links, Reached), StorageError> {
    let mut links = Links::new();
    let mut position = None;
    let scanned = storage.scan_forwards(from, PAGE_BYTES, |record| {
        position = Some(record.position);
        link(&record, &mut links);
        ControlFlow::Continue(())
    })?;
    Ok((links, Reached { next: scanned.next, position, is_end: scanned.exhausted }))
}

/// Adds the links that an event gets.
fn link(record: &Record, links: &mut Links) {
    let stream = record.stream_name();
    // What is written about these links, and about groups on everything, would be written about again for ever.
    let is_own = stream.trim_start_matches("$$") == CHECKPOINT_STREAM || is_hidden_from_all(&record.stream);
    if is_own || record.type_name() == TOMBSTONE_TYPE {
        return;
    }
    let place = format!("{}@{stream}", record.revision);
    if record.revision.0 == 0 {
        add(links, STREAMS.to_owned(), record, place.clone());
    }
    let is_link = links::target(record).is_some();
    if let Some(category) = category(stream) {
        // A link in a category stands for what it points to.
        let target = if is_link { String::from_utf8_lossy(&record.data).into_owned() } else { place.clone() };
        add(links, format!("{CATEGORY_PREFIX}{category}"), record, target);
    }
    if !is_link {
        add(links, format!("{TYPE_PREFIX}{}", record.type_name()), record, place);
    }
}

/// What stands before the first separator; system streams have no category.
fn category(stream: &str) -> Option<&str> {
    let (category, _) = stream.split_once(CATEGORY_SEPARATOR)?;
    (!stream.starts_with('$') && !category.is_empty()).then_some(category)
}

/// Cuts links into appends.
fn portions(links: impl Iterator<Item = ProposedEvent>) -> Vec<Vec<ProposedEvent>> {
    let mut portions = Vec::new();
    let (mut portion, mut bytes) = (Vec::new(), 0);
    for link in links {
        bytes += link.payload_bytes();
        portion.push(link);
        if portion.len() >= APPEND_LINKS || bytes >= APPEND_BYTES {
            portions.push(std::mem::take(&mut portion));
            bytes = 0;
        }
    }
    portions.extend((!portion.is_empty()).then_some(portion));
    portions
}

fn add(links: &mut Links, stream: String, record: &Record, target: String) {
    let position = record.position.0;
    // Too long a name is that of no stream.
    let Some(stream) = StreamName::new(stream) else { return };
    let cause = Cause { commit: position, prepare: position, caused_by: record.id };
    let Ok(metadata) = serde_json::to_vec(&cause) else { return };
    let link = ProposedEvent {
        id: Uuid::new_v4(),
        event_type: LINK_TYPE.to_owned(),
        is_json: false,
        metadata: metadata.into(),
        data: target.into(),
    };
    match links.entry(stream) {
        Entry::Occupied(mut entry) => entry.get_mut().push((position, link)),
        Entry::Vacant(entry) => {
            entry.insert(vec![(position, link)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::category;

    #[test]
    fn a_category_is_what_stands_before_the_first_separator() {
        for (stream, expected) in [
            ("order-1", Some("order")),
            ("order-1-2", Some("order")),
            ("order", None),
            ("-1", None),
            ("$ce-order", None),
            ("$$order-1", None),
            ("order-", Some("order")),
        ] {
            assert_eq!(category(stream), expected, "{stream}");
        }
    }
}
