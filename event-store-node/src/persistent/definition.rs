//! What a group is: what it follows, from where, and its settings.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::GroupError;
use crate::consumer_group::{Place, Rules, Strategy};
use crate::filter::{Filter, FilterError, Subject};

/// The name under which everything is followed.
const ALL: &str = "$all";
/// So much memory the events of one group may take, wherever in the group they are.
const MAX_HELD_BYTES: usize = 8 * 1024 * 1024;

/// What a group follows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    Stream(String),
    All,
}

impl Source {
    /// The stream's name, or `$all`.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Stream(name) => name,
            Self::All => ALL,
        }
    }

    fn of_name(name: &str) -> Self {
        if name == ALL { Self::All } else { Self::Stream(name.to_owned()) }
    }

    /// A place as the protocol writes it: a revision, or a pair of positions.
    pub(crate) fn place_text(&self, place: Place) -> String {
        match self {
            Self::Stream(_) => place.0.to_string(),
            Self::All => format!("C:{0}/P:{0}", place.0),
        }
    }

    /// The opposite.
    pub(super) fn parse_place(&self, text: &str) -> Option<Place> {
        let number = match self {
            Self::Stream(_) => text,
            Self::All => text.strip_prefix("C:")?.split_once("/P:")?.0,
        };
        number.parse().ok().map(Place)
    }
}

/// What a group is found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupKey {
    pub(crate) source: Source,
    pub(crate) group: String,
}

impl fmt::Display for GroupKey {
    /// `<what it follows>::<group>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.source.name(), self.group)
    }
}

/// With which event a group begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum StartFrom {
    Start,
    /// With the first that is appended after the group was made.
    End,
    /// With the one at this place.
    At(u64),
}

/// What a filter looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum FilterSubject {
    StreamName,
    EventType,
}

/// Which events of everything a group is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FilterDefinition {
    pub(crate) subject: FilterSubject,
    pub(crate) regex: String,
    pub(crate) prefixes: Vec<String>,
}

impl FilterDefinition {
    pub(crate) fn filter(&self) -> Result<Filter, FilterError> {
        let subject = match self.subject {
            FilterSubject::StreamName => Subject::StreamName,
            FilterSubject::EventType => Subject::EventType,
        };
        Filter::new(subject, &self.regex, self.prefixes.clone())
    }
}

/// The settings of a group. No number is greater than an `i32` holds, which is what the protocol has for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settings {
    pub(crate) resolve_links: bool,
    pub(crate) extra_statistics: bool,
    /// 0: an event is waited for as long as its consumer is connected.
    pub(crate) message_timeout_ms: u32,
    pub(crate) max_retry_count: u32,
    pub(crate) checkpoint_after_ms: u32,
    pub(crate) min_checkpoint_count: u32,
    pub(crate) max_checkpoint_count: u32,
    /// 0: any number.
    pub(crate) max_subscriber_count: u32,
    pub(crate) live_buffer_size: u32,
    pub(crate) read_batch_size: u32,
    pub(crate) history_buffer_size: u32,
    pub(crate) strategy: Strategy,
}

impl Settings {
    /// Checks them against each other.
    pub(super) fn check(&self) -> Result<(), GroupError> {
        if self.read_batch_size == 0 {
            return Err(GroupError::failed("the read batch size is at least 1"));
        }
        if self.read_batch_size >= self.history_buffer_size {
            return Err(GroupError::failed(format!(
                "the read batch size ({}) is less than the history buffer size ({})",
                self.read_batch_size, self.history_buffer_size
            )));
        }
        Ok(())
    }

    pub(super) fn rules(&self) -> Rules {
        let millis = |count: u32| Duration::from_millis(count.into());
        Rules {
            strategy: self.strategy,
            message_timeout: Some(millis(self.message_timeout_ms)).filter(|timeout| !timeout.is_zero()),
            max_retry_count: self.max_retry_count,
            max_consumers: Some(self.max_subscriber_count as usize).filter(|count| *count > 0),
            read_batch: self.read_batch_size as usize,
            history_buffer: self.history_buffer_size as usize,
            live_buffer: self.live_buffer_size as usize,
            checkpoint_after: millis(self.checkpoint_after_ms),
            min_checkpoint_count: self.min_checkpoint_count.into(),
            max_checkpoint_count: u64::from(self.max_checkpoint_count).max(1),
            max_held_bytes: MAX_HELD_BYTES,
        }
    }
}

/// A group as the log keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Definition {
    pub(super) stream: String,
    pub(super) group: String,
    pub(super) start_from: StartFrom,
    /// What that meant when the group was made: it begins after this place.
    pub(super) start_after: Option<u64>,
    pub(super) filter: Option<FilterDefinition>,
    #[serde(flatten)]
    pub(super) settings: Settings,
}

impl Definition {
    pub(crate) fn key(&self) -> GroupKey {
        GroupKey { source: Source::of_name(&self.stream), group: self.group.clone() }
    }

    /// `start_from` as the protocol writes it.
    pub(super) fn start_text(&self) -> String {
        let source = Source::of_name(&self.stream);
        match (self.start_from, &source) {
            (StartFrom::Start, _) => source.place_text(Place(0)),
            (StartFrom::At(place), _) => source.place_text(Place(place)),
            (StartFrom::End, Source::Stream(_)) => "-1".to_owned(),
            (StartFrom::End, Source::All) => "C:-1/P:-1".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_from_its_text() {
        for (source, text) in [(Source::All, "C:4096/P:4096"), (Source::Stream("a-1".to_owned()), "4096")] {
            assert_eq!(source.place_text(Place(4096)), text);
            assert_eq!(source.parse_place(text), Some(Place(4096)));
            assert_eq!(source.parse_place("C:"), None);
        }
    }
}
