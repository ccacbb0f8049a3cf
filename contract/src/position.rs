//! Where in which log: the token that a command's answer carries and a query may carry back.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A place in the log's total order: the commit position of an event. 0 is before the first event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogPosition(pub u64);

impl LogPosition {
    /// Before the first event.
    pub const START: LogPosition = LogPosition(0);
}

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which log: the first four bytes of the id of the first event of the stream `headwater-log`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LogIdentity(pub u32);

impl fmt::Display for LogIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Debug for LogIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogIdentity({self})")
    }
}

impl FromStr for LogIdentity {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() != 8 || !text.bytes().all(hex) {
            return Err(InvalidPosition);
        }
        u32::from_str_radix(text, 16).map(LogIdentity).map_err(|_| InvalidPosition)
    }
}

/// A position of one log: opaque to clients, `<8 hex digits>-<decimal>` to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// Of which log.
    pub log: LogIdentity,
    /// Where in it.
    pub at: LogPosition,
}

/// The text is not a position that was given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a position that this service gave out")]
pub struct InvalidPosition;

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.log, self.at)
    }
}

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let (log, at) = text.split_once('-').ok_or(InvalidPosition)?;
        if at.is_empty() || !at.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidPosition);
        }
        Ok(Self { log: log.parse()?, at: LogPosition(at.parse().map_err(|_| InvalidPosition)?) })
    }
}

impl Serialize for Position {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_position_reads_back_from_its_text(log in any::<u32>(), at in any::<u64>()) {
            let position = Position { log: LogIdentity(log), at: LogPosition(at) };
            prop_assert_eq!(position.to_string().parse(), Ok(position));
        }

        #[test]
        fn any_other_text_is_refused_without_a_panic(text in ".{0,40}") {
            if let Ok(position) = text.parse::<Position>() {
                let digits = text[9..].trim_start_matches('0');
                prop_assert!(position.to_string().ends_with(digits));
            }
        }
    }
}
