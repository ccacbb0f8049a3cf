//! Which events a filtered read or subscription shows: by stream name or event type, by prefix or regular expression.

use fancy_regex::{Regex, RegexBuilder};
use thiserror::Error;

use crate::storage::Record;

/// A regular expression that needs more steps than this on one name is given up.
const BACKTRACK_LIMIT: usize = 100_000;

/// Chooses events.
#[derive(Debug)]
pub(crate) struct Filter {
    subject: Subject,
    pattern: Pattern,
}

/// What of an event is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    StreamName,
    EventType,
}

#[derive(Debug)]
enum Pattern {
    /// Begins with one of them.
    Prefixes(Vec<String>),
    /// Holds a match anywhere.
    Regex(Box<Regex>),
}

/// A filter that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum FilterError {
    #[error("the filter has neither a prefix nor a regular expression")]
    Empty,
    #[error("the filter's regular expression cannot be used: {0}")]
    Regex(String),
}

impl Filter {
    /// A filter by `regex` unless that is empty, else by `prefixes`.
    pub(crate) fn new(subject: Subject, regex: &str, prefixes: Vec<String>) -> Result<Self, FilterError> {
        let pattern = if !regex.is_empty() {
            let regex = RegexBuilder::new(regex)
                .backtrack_limit(BACKTRACK_LIMIT)
                .build()
                .map_err(|error| FilterError::Regex(error.to_string()))?;
            Pattern::Regex(Box::new(regex))
        } else if prefixes.is_empty() {
            return Err(FilterError::Empty);
        } else {
            Pattern::Prefixes(prefixes)
        };
        Ok(Self { subject, pattern })
    }

    /// Whether an event is shown. Links are judged by themselves, not by what they point to.
    pub(crate) fn shows(&self, record: &Record) -> Result<bool, FilterError> {
        let text = match self.subject {
            Subject::StreamName => record.stream_name(),
            Subject::EventType => record.type_name(),
        };
        match &self.pattern {
            Pattern::Prefixes(prefixes) => {
                Ok(prefixes.iter().any(|prefix| text.starts_with(prefix.as_str())))
            }
            Pattern::Regex(regex) => {
                regex.is_match(text).map_err(|error| FilterError::Regex(error.to_string()))
            }
        }
    }
}
