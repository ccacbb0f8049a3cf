//! What the log is to answer, said in the simplest way there is: a list of events that is looked through from its start
//! each time. Written from the protocol, not from the storage.

use std::collections::{HashMap, HashSet};

use event_store_node::storage::{Deletion, Expected};
use serde_json::Value;
use uuid::Uuid;

pub const TOMBSTONE: u64 = i64::MAX as u64;

#[derive(Debug, Clone)]
pub struct Event {
    pub stream: String,
    pub revision: u64,
    /// `None` for events that the node makes itself.
    pub id: Option<Uuid>,
    pub kind: &'static str,
    pub is_json: bool,
    pub data: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Revision, and place in the log, of the last event.
    Appended(Option<u64>, Option<usize>),
    /// A deletion, and the place of its record.
    Done(usize),
    Wrong(Option<u64>),
    Gone,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    Missing,
    Gone,
    /// Places in the log.
    Shown(Vec<usize>),
}

#[derive(Debug, Clone, Default)]
pub struct Model {
    pub log: Vec<Event>,
    /// Places of events that a scavenge took away.
    pub removed: HashSet<usize>,
    written_lately: HashMap<(String, Uuid), usize>,
}

/// What metadata says, as far as it has a meaning: `$maxCount` and `$tb`. Void as a whole if any of it is wrong.
fn limits(event: &Event) -> (Option<u64>, Option<u64>) {
    let Ok(Value::Object(metadata)) = serde_json::from_slice(&event.data) else { return (None, None) };
    let number = |name, least| match metadata.get(name) {
        None => Ok(None),
        Some(value) => value.as_u64().filter(|n| (least..=TOMBSTONE).contains(n)).map(Some).ok_or(()),
    };
    match (number("$maxCount", 1), number("$tb", 0), number("$maxAge", 1)) {
        (Ok(count), Ok(before), Ok(_)) if event.is_json => (count, before),
        _ => (None, None),
    }
}

impl Model {
    pub fn new() -> Self {
        let mut model = Self::default();
        model.push("$$$all", None, "$metadata", true, b"{}".to_vec());
        model
    }

    /// The same log after a crash that left so many events of it.
    pub fn cut(&self, events: usize) -> Self {
        Self { log: self.log[..events].to_vec(), ..Self::default() }
    }

    pub fn restart(&mut self) {
        self.written_lately.clear();
    }

    /// The places of a stream's events.
    fn places(&self, stream: &str) -> Vec<usize> {
        (0..self.log.len())
            .filter(|at| self.log[*at].stream == stream && self.log[*at].revision != TOMBSTONE)
            .collect()
    }

    pub fn last(&self, stream: &str) -> Option<u64> {
        self.places(stream).last().map(|at| self.log[*at].revision)
    }

    pub fn ids(&self, stream: &str) -> Vec<Option<Uuid>> {
        self.places(stream).into_iter().map(|at| self.log[at].id).collect()
    }

    fn id_left(&self, at: usize) -> Option<Uuid> {
        self.log[at].id.filter(|_| !self.removed.contains(&at))
    }

    /// Whether a scavenge may take an event away: no read of its stream shows it, and it is not the newest there.
    pub fn may_be_removed(&self, at: usize) -> bool {
        let event = &self.log[at];
        if event.revision == TOMBSTONE {
            return false;
        }
        let stream = &event.stream;
        let is_last = self.last(stream) == Some(event.revision);
        self.has_tombstone(stream)
            || !is_last && (self.is_hidden(stream) || event.revision < self.first_shown(stream))
    }

    pub fn has_tombstone(&self, stream: &str) -> bool {
        self.log.iter().any(|event| event.stream == stream && event.revision == TOMBSTONE)
    }

    fn metadata(&self, stream: &str) -> Option<&Event> {
        self.places(&format!("$${stream}")).last().map(|at| &self.log[*at])
    }

    fn is_hidden(&self, stream: &str) -> bool {
        !stream.starts_with("$$")
            && self.metadata(stream).is_some_and(|event| limits(event).1 == Some(TOMBSTONE))
    }

    fn push(
        &mut self,
        stream: &str,
        id: Option<Uuid>,
        kind: &'static str,
        is_json: bool,
        data: Vec<u8>,
    ) -> u64 {
        let revision = self.last(stream).map_or(0, |last| last + 1);
        self.log.push(Event { stream: stream.to_owned(), revision, id, kind, is_json, data });
        if let Some(id) = id {
            self.written_lately.insert((stream.to_owned(), id), self.log.len() - 1);
        }
        revision
    }

    /// Writes the newest metadata of a stream again, with another `$tb`.
    fn show_from(&mut self, stream: &str, first: u64) {
        let newest = self.metadata(stream).filter(|event| event.is_json);
        let parsed = newest.and_then(|event| serde_json::from_slice(&event.data).ok());
        let Some(Value::Object(mut metadata)) = parsed else { return };
        metadata.insert("$tb".to_owned(), first.into());
        let data = serde_json::to_vec(&metadata).expect("JSON");
        self.push(&format!("$${stream}"), None, "$metadata", true, data);
    }

    pub fn append(
        &mut self,
        stream: &str,
        expected: Expected,
        kind: &'static str,
        is_json: bool,
        events: &[(Uuid, Vec<u8>)],
    ) -> Answer {
        let (last, hidden) = (self.last(stream), self.is_hidden(stream));
        if self.has_tombstone(stream) || (expected == Expected::StreamExists && hidden) {
            return Answer::Gone;
        }
        let is_there = last.is_some() || (!stream.starts_with("$$") && self.metadata(stream).is_some());
        let next = last.map_or(0, |last| last + 1);
        let first = match expected {
            Expected::StreamExists if !is_there => return Answer::Wrong(last),
            Expected::Any | Expected::StreamExists => {
                let known = |(id, _): &(Uuid, _)| self.written_lately.get(&(stream.to_owned(), *id)).copied();
                let known: Vec<_> = events.iter().map(known).collect();
                match (known.first(), known.last()) {
                    (Some(Some(_)), Some(Some(at))) if known.iter().all(Option::is_some) => {
                        return Answer::Appended(Some(self.log[*at].revision), Some(*at));
                    }
                    (Some(Some(_)), _) => return Answer::Wrong(last),
                    _ => next,
                }
            }
            Expected::NoStream => 0,
            Expected::Revision(revision) => revision.0 + 1,
        };
        if first > next {
            return Answer::Wrong(last);
        }
        if first < next {
            let there = &self.places(stream)[first as usize..];
            let same =
                events.iter().zip(there).take_while(|((id, _), at)| self.id_left(**at) == Some(*id)).count();
            if !events.is_empty() && same == events.len() {
                return Answer::Appended(Some(first + same as u64 - 1), Some(there[same - 1]));
            }
            if !(same == 0 && hidden && expected == Expected::NoStream) {
                return Answer::Wrong(last);
            }
        }
        if events.is_empty() {
            return Answer::Appended(last, None);
        }
        let shows_again = |described: &&str| self.is_hidden(described) && !self.has_tombstone(described);
        let described = stream.strip_prefix("$$").filter(shows_again).map(str::to_owned);
        for (id, data) in events {
            self.push(stream, Some(*id), kind, is_json, data.clone());
        }
        let answer = Answer::Appended(self.last(stream), Some(self.log.len() - 1));
        if hidden {
            self.show_from(stream, next);
        } else if let Some(described) = described {
            self.show_from(&described, self.last(&described).map_or(0, |last| last + 1));
        }
        answer
    }

    pub fn delete(&mut self, stream: &str, expected: Expected, deletion: Deletion) -> Answer {
        let (last, hidden) = (self.last(stream), self.is_hidden(stream));
        if self.has_tombstone(stream) || (expected == Expected::StreamExists && hidden) {
            return Answer::Gone;
        }
        let is_there = last.is_some() || self.metadata(stream).is_some();
        let as_expected = match expected {
            Expected::Any => true,
            Expected::StreamExists => is_there,
            Expected::NoStream => last.is_none() || hidden,
            Expected::Revision(revision) => last == Some(revision.0),
        };
        if !as_expected || (!is_there && deletion == Deletion::Soft) {
            return Answer::Wrong(last);
        }
        match deletion {
            Deletion::Soft => {
                let data = br#"{"$tb":9223372036854775807}"#.to_vec();
                self.push(&format!("$${stream}"), None, "$metadata", true, data);
            }
            Deletion::Tombstone => {
                let (stream, kind, data) = (stream.to_owned(), "$streamDeleted", Vec::new());
                self.log.push(Event { stream, revision: TOMBSTONE, id: None, kind, is_json: false, data });
            }
        }
        Answer::Done(self.log.len() - 1)
    }

    /// What a stream's metadata leaves of it.
    fn first_shown(&self, stream: &str) -> u64 {
        let (count, before) = match self.metadata(stream) {
            _ if stream.starts_with("$$") => (Some(1), None),
            metadata => metadata.map_or((None, None), limits),
        };
        let by_count = count.map_or(0, |count| (self.places(stream).len() as u64).saturating_sub(count));
        by_count.max(before.unwrap_or(0))
    }

    /// What is to be seen of a stream from a revision on, or from there back.
    pub fn read(&self, stream: &str, from: u64, backwards: bool) -> Read {
        if self.has_tombstone(stream.strip_prefix("$$").unwrap_or(stream)) {
            return Read::Gone;
        }
        let places = self.places(stream);
        if places.is_empty() || self.is_hidden(stream) {
            return Read::Missing;
        }
        let first = self.first_shown(stream);
        let shown = |at: &usize| match self.log[*at].revision {
            _ if self.removed.contains(at) => false,
            revision if backwards => (first..=from).contains(&revision),
            revision => revision >= first.max(from),
        };
        let mut found: Vec<_> = places.into_iter().filter(shown).collect();
        if backwards {
            found.reverse();
        }
        Read::Shown(found)
    }
}
