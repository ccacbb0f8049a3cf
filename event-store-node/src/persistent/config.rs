//! The definitions of all groups, in a stream of the log: each change appends all of them, and the newest event counts.

use serde::{Deserialize, Serialize};
use tracing::warn;

use super::GroupError;
use super::definition::Definition;
use super::system_streams::{append, event, hide_before, reading};
use crate::storage::{AppendError, Direction, Revision, Storage, StreamName};

const STREAM: &str = "$persistentSubscriptionConfig";
const EVENT_TYPE: &str = "$PersistentConfig";
/// The layout of the data. Higher numbers are other layouts, which are left alone.
const VERSION: u32 = 1;
/// Pages in which the stream is read backwards.
const PAGE_EVENTS: usize = 16;
const PAGE_BYTES: usize = 1024 * 1024;

#[derive(Debug, Serialize, Deserialize)]
struct Config {
    version: u32,
    entries: Vec<Definition>,
}

/// What every layout begins with.
#[derive(Debug, Deserialize)]
struct Layout {
    version: u32,
}

/// The definitions as they were written last. What in the stream is none is passed over: somebody else wrote it.
pub(super) async fn load(storage: &Storage) -> Result<Vec<Definition>, GroupError> {
    let mut from = Revision(u64::MAX);
    loop {
        let page = reading(storage, move |storage| {
            storage.read_stream(STREAM, from, Direction::Backwards, PAGE_EVENTS, PAGE_BYTES)
        });
        let Some(page) = page.await? else { return Ok(Vec::new()) };
        for record in &page.records {
            match serde_json::from_slice::<Layout>(&record.data) {
                Ok(Layout { version }) if version > VERSION && record.type_name() == EVENT_TYPE => {
                    return Err(GroupError::failed(format!(
                        "revision {} of {STREAM} has layout {version}; this version reads {VERSION}",
                        record.revision
                    )));
                }
                _ => {}
            }
            match serde_json::from_slice::<Config>(&record.data) {
                Ok(config) if record.type_name() == EVENT_TYPE => return Ok(config.entries),
                _ => warn!(revision = %record.revision, "an event in {STREAM} holds no groups"),
            }
        }
        let Some(next) = page.next else { return Ok(Vec::new()) };
        from = next;
    }
}

/// Writes the definitions.
pub(super) async fn store(storage: &Storage, entries: Vec<Definition>) -> Result<(), GroupError> {
    let Some(stream) = StreamName::new(STREAM) else { return Err(GroupError::NotReady) };
    let config = Config { version: VERSION, entries };
    let data = serde_json::to_string(&config).map_err(|error| GroupError::Failed(error.to_string()))?;
    let written = append(storage, &stream, vec![event(EVENT_TYPE, true, &data, String::new())]).await;
    match written {
        Ok(Revision(0)) => Ok(hide_before(storage, &stream, 0, true).await?),
        Ok(_) => Ok(()),
        Err(AppendError::TooLarge { limit }) => Err(GroupError::Failed(format!(
            "there are too many groups: their definitions together are larger than an append of {limit} bytes"
        ))),
        Err(error) => Err(error.into()),
    }
}
