//! `headwater node backup`: a copy of a node's log, taken while the node runs.

use std::path::Path;

use event_store_node::storage::{BackedUp, StorageError, backup};
use serde::Serialize;

use super::node_folder::{OF_BYTES, advance, bar, failed, node_folder, tell};
use crate::args::BackupFlags;
use crate::failure::Failure;

/// Copies and prints what was copied.
pub fn run(flags: &BackupFlags) -> Result<(), Failure> {
    let folder = node_folder(&flags.dir);
    let bar = bar("copying the log", OF_BYTES);
    let made = backup(&folder, &flags.target, &mut advance(&bar));
    bar.finish_and_clear();
    let made = made.map_err(|error| match error {
        StorageError::InUse(_) => Failure::run("another backup to the same place is under way"),
        StorageError::DamagedRecord { .. } => Failure::of(&error)
            .hint("`headwater node verify` tells all that is wrong; it needs the node stopped"),
        error => failed(&error),
    })?;
    let told = Told::new(&flags.target, &made);
    tell(&told, flags.json, || told.text())
}

/// What is told of a copy.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    target: String,
    log: String,
    segments: usize,
    events: u64,
    bytes: u64,
    position: u64,
}

impl Told {
    fn new(target: &Path, made: &BackedUp) -> Self {
        Self {
            target: target.display().to_string(),
            log: made.log.to_string(),
            segments: made.segments,
            events: made.events,
            bytes: made.bytes,
            position: made.last.0,
        }
    }

    fn text(&self) -> String {
        let Self { target, segments, events, bytes, position, .. } = self;
        format!("{target}: {events} events, {bytes} bytes in {segments} segments, the last at {position}\n")
    }
}
