//! `headwater node verify`: whether everything in a node's folder is as it was written.

use std::path::Path;
use std::sync::Arc;

use event_store_node::storage::{Disk, FileSystem, IndexState, StorageError, Verified, verify};
use serde::Serialize;

use super::node_folder::{OF_BYTES, advance, bar, failed, node_folder, tell};
use crate::args::NodeVerifyFlags;
use crate::failure::Failure;
use crate::table::table;

/// Checks and prints what there is, and what is wrong.
pub fn run(flags: &NodeVerifyFlags) -> Result<(), Failure> {
    let folder = node_folder(&flags.dir);
    let disk: Arc<dyn Disk> = Arc::new(FileSystem);
    let bar = bar("checking the log", OF_BYTES);
    let verified = verify(&disk, &folder, &mut advance(&bar));
    bar.finish_and_clear();
    let verified = verified.map_err(|error| match error {
        StorageError::InUse(_) => Failure::run(format!("{} is in use", folder.display()))
            .hint("stop the node first; or check a copy: `headwater node backup` makes one while it runs"),
        error => failed(&error),
    })?;
    let told = Told::new(&folder, &verified);
    tell(&told, flags.json, || told.text())?;
    match verified.fault_count {
        0 => Ok(()),
        1 => Err(Failure::run("one thing is wrong with this log")),
        several => Err(Failure::run(format!("{several} things are wrong with this log"))),
    }
}

/// What is told of a log.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    folder: String,
    format: String,
    log: String,
    segments: usize,
    events: u64,
    position: u64,
    /// `checked`, `missing` or `unusable`.
    index: &'static str,
    indexed_events: Option<u64>,
    /// Bytes after the end of the log, of a write that was interrupted and never acknowledged.
    interrupted_bytes: u64,
    fault_count: u64,
    faults: Vec<ToldFault>,
}

#[derive(Debug, Serialize)]
struct ToldFault {
    file: String,
    position: Option<u64>,
    what: String,
}

impl Told {
    fn new(folder: &Path, verified: &Verified) -> Self {
        let (index, indexed_events) = match verified.index {
            IndexState::Checked { events, .. } => ("checked", Some(events)),
            IndexState::Missing => ("missing", None),
            IndexState::Unusable => ("unusable", None),
        };
        let fault = |fault: &event_store_node::storage::Fault| ToldFault {
            file: fault.file.display().to_string(),
            position: fault.position,
            what: fault.what.clone(),
        };
        Self {
            folder: folder.display().to_string(),
            format: verified.format.clone(),
            log: verified.log.to_string(),
            segments: verified.segments,
            events: verified.events,
            position: verified.last.0,
            index,
            indexed_events,
            interrupted_bytes: verified.interrupted.map_or(0, |dropped| dropped.bytes),
            fault_count: verified.fault_count,
            faults: verified.faults.iter().map(fault).collect(),
        }
    }

    fn text(&self) -> String {
        let Self { folder, format, segments, events, position, .. } = self;
        let mut text =
            format!("{folder}: {format}, {events} events in {segments} segments, the last at {position}\n");
        text += &match (self.index, self.indexed_events) {
            ("missing", _) => "the index is missing; the next start builds it\n".to_owned(),
            (_, Some(indexed)) if indexed == self.events => "every event is in the index\n".to_owned(),
            (_, Some(indexed)) if indexed < self.events => {
                format!("{indexed} events are in the index; the next start adds the others\n")
            }
            (_, Some(indexed)) => format!("{indexed} events are in the index, more than in the log\n"),
            _ => "the index cannot be used; the next start builds another one\n".to_owned(),
        };
        if self.interrupted_bytes > 0 {
            let bytes = self.interrupted_bytes;
            text += &format!("{bytes} bytes at the end are of an interrupted write, never acknowledged\n");
        }
        if self.faults.is_empty() {
            return text + "nothing is wrong\n";
        }
        let row = |fault: &ToldFault| {
            let position = fault.position.map_or_else(String::new, |position| position.to_string());
            [fault.file.clone(), position, fault.what.clone()]
        };
        let rows: Vec<_> = self.faults.iter().map(row).collect();
        text += &format!("\n{}", table(["FILE", " POSITION", "WHAT IS WRONG"], &rows));
        let more = self.fault_count - self.faults.len() as u64;
        if more > 0 {
            text += &format!("and {more} more\n");
        }
        text
    }
}
