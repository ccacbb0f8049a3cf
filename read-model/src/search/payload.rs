//! What a commit says of itself.

use std::fmt;

use contract::Position;

/// Counts up when fields or analyzers change, so that an index made by another binary is built anew.
const FORMAT: u32 = 1;

/// The payload of a commit: `<format> <version> <position token>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payload {
    /// The version of the projection whose table is in the index.
    pub version: i32,
    /// The log, and up to where it is in the index.
    pub position: Position,
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{FORMAT} {} {}", self.version, self.position)
    }
}

impl Payload {
    /// Reads a payload; none when it is of another format.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        if words.next()?.parse::<u32>().ok()? != FORMAT {
            return None;
        }
        let payload = Self { version: words.next()?.parse().ok()?, position: words.next()?.parse().ok()? };
        words.next().is_none().then_some(payload)
    }
}

#[cfg(test)]
mod tests {
    use contract::{LogIdentity, LogPosition};

    use super::*;

    #[test]
    fn a_payload_reads_back_and_another_format_does_not() {
        let position = Position { log: LogIdentity(0xcafe), at: LogPosition(17) };
        let payload = Payload { version: 2, position };
        assert_eq!(Payload::parse(&payload.to_string()), Some(payload));
        for other in ["", "1 2", "2 2 0000cafe-17", "1 2 17", "1 2 0000cafe-17 3"] {
            assert_eq!(Payload::parse(other), None, "{other:?}");
        }
    }
}
