//! `headwater log check`: whether this binary can read every event of the log, before it is let loose on it.

use std::collections::BTreeMap;

use contract::{LogPosition, Position};
use domain::ShopEvent;
use engine::{DecodeFailure, Decoder};
use event_store::{EventStore, LOG_STREAM, RecordedEvent};
use serde::Serialize;

use crate::bar::log_bar;
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::event_log::EventLog;
use crate::failure::Failure;
use crate::print;
use crate::roles::open_vault;
use crate::table::table;

/// Events that are read at once.
const PAGE_EVENTS: usize = 4096;

/// The most events that are named; the others are only counted.
const NAMED_MAX: usize = 100;

/// Reads the whole log and prints what there is, and what cannot be read.
pub async fn run(config: &Config, json: bool) -> Result<(), Failure> {
    let vault = open_vault(&DataDir::existing(&config.data_dir)?)?;
    let log = EventLog::open(config).await?;
    let checked = check(log.store(), &*projections::decoder(vault)).await;
    log.close().await;
    let checked = checked?;
    if json {
        let text = serde_json::to_string_pretty(&checked).map_err(|error| Failure::of(&error))?;
        print(&(text + "\n"))?;
    } else {
        print(&checked.text())?;
    }
    match checked.unreadable {
        0 => Ok(()),
        1 => Err(Failure::run("this headwater cannot read one event of the log")),
        several => Err(Failure::run(format!("this headwater cannot read {several} events of the log"))),
    }
}

/// What the log holds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Checked {
    /// Of the last event looked at.
    position: Position,
    /// Those that this binary knows and can read.
    readable: u64,
    /// Those of types that it does not know, which every fold passes over.
    passed_over: u64,
    unreadable: u64,
    types: Vec<OfType>,
    /// The first of them.
    unreadable_events: Vec<Unreadable>,
}

/// How many there are of a type.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OfType {
    r#type: String,
    version: u32,
    events: u64,
    is_known: bool,
}

/// An event that stops the projections of its category, or parks its stream.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Unreadable {
    position: u64,
    stream: String,
    revision: u64,
    r#type: String,
    version: u32,
    reason: String,
}

impl Unreadable {
    fn new(record: &RecordedEvent, failure: &DecodeFailure) -> Self {
        Self {
            position: record.position.0,
            stream: record.stream.as_str().to_owned(),
            revision: record.revision.0,
            r#type: record.event_type.clone(),
            version: record.metadata.schema_version,
            reason: failure.to_string(),
        }
    }
}

async fn check(store: &EventStore, decoder: &dyn Decoder<ShopEvent>) -> Result<Checked, Failure> {
    let log = store.identity().await.map_err(|error| Failure::of(&error))?;
    // What is appended meanwhile is not waited for.
    let head = store.head().await.map_err(|error| Failure::of(&error))?;
    let bar = log_bar("reading the log");
    bar.set_length(head.0);
    let mut types = BTreeMap::<(String, u32), (u64, bool)>::new();
    let mut unreadable_events = Vec::new();
    let (mut readable, mut passed_over, mut unreadable) = (0, 0, 0);
    let mut at = LogPosition::START;
    loop {
        let page = store.read_all(at, &[], PAGE_EVENTS).await.map_err(|error| Failure::of(&error))?;
        for record in page.events.iter().filter(|record| record.position <= head) {
            // The log's own: they are for no projection.
            if record.event_type.starts_with('$')
                || record.stream.as_str() == LOG_STREAM
                || engine::parked::is_decision(&record.stream)
            {
                continue;
            }
            let decoded = decoder.decode(record).await;
            let is_known = !matches!(decoded, Ok(None));
            match decoded {
                Ok(Some(_)) => readable += 1,
                Ok(None) => passed_over += 1,
                Err(failure) => {
                    unreadable += 1;
                    if unreadable_events.len() < NAMED_MAX {
                        unreadable_events.push(Unreadable::new(record, &failure));
                    }
                }
            }
            let of_type = (record.event_type.clone(), record.metadata.schema_version);
            types.entry(of_type).or_insert((0, is_known)).0 += 1;
        }
        at = page.considered;
        bar.set_position(at.0.min(head.0));
        if page.is_end || at >= head {
            break;
        }
    }
    bar.finish_and_clear();
    let of_type = |((r#type, version), (events, is_known))| OfType { r#type, version, events, is_known };
    let types = types.into_iter().map(of_type).collect();
    let position = Position { log, at: head };
    Ok(Checked { position, readable, passed_over, unreadable, types, unreadable_events })
}

impl Checked {
    fn text(&self) -> String {
        let row = |of: &OfType| {
            let version = if of.is_known { of.version.to_string() } else { "not known".to_owned() };
            [of.r#type.clone(), version, of.events.to_string()]
        };
        let rows: Vec<_> = self.types.iter().map(row).collect();
        let mut text = table(["TYPE", " VERSION", " EVENTS"], &rows);
        text += &format!("\n{} events are read", self.readable);
        if self.passed_over > 0 {
            text += &format!(", {} passed over because their type is not known here", self.passed_over);
        }
        text.push('\n');
        if self.unreadable > 0 {
            let row = |event: &Unreadable| {
                [
                    event.position.to_string(),
                    event.stream.clone(),
                    event.revision.to_string(),
                    event.reason.clone(),
                ]
            };
            let rows: Vec<_> = self.unreadable_events.iter().map(row).collect();
            text.push('\n');
            text += &table([" POSITION", "STREAM", " REVISION", "REASON"], &rows);
            let more = self.unreadable - self.unreadable_events.len() as u64;
            if more > 0 {
                text += &format!("and {more} more\n");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use contract::LogIdentity;

    use super::*;

    #[test]
    fn what_cannot_be_read_is_named_behind_what_can() {
        let of_type = |r#type: &str, version, events, is_known| OfType {
            r#type: r#type.to_owned(),
            version,
            events,
            is_known,
        };
        let event = Unreadable {
            position: 8192,
            stream: "order-1".to_owned(),
            revision: 3,
            r#type: "OrderPlaced".to_owned(),
            version: 9,
            reason: "no version 9".to_owned(),
        };
        let checked = Checked {
            position: Position { log: LogIdentity(1), at: LogPosition(9000) },
            readable: 12,
            passed_over: 2,
            unreadable: 3,
            types: vec![of_type("OrderPlaced", 1, 12, true), of_type("Other", 1, 2, false)],
            unreadable_events: vec![event],
        };
        let expected = "TYPE           VERSION  EVENTS\nOrderPlaced          1      12\nOther        not known       2\n\n\
                        12 events are read, 2 passed over because their type is not known here\n\n\
                        POSITION  STREAM   REVISION  REASON\n    8192  order-1         3  no version 9\n\
                        and 2 more\n";
        assert_eq!(checked.text(), expected);
    }
}
