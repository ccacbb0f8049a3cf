//! The state of a stream, where it stands, and which commands it holds.

use contract::LogPosition;
use event_store::{Expected, Revision};
use uuid::Uuid;

/// The last event of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tail {
    pub(super) revision: Revision,
    pub(super) position: LogPosition,
}

/// A stream folded up to its tail. One digest an event, so that the place in the list is the revision: a stream is
/// never truncated.
#[derive(Debug, Clone, Default)]
pub(super) struct Loaded<S> {
    pub(super) state: S,
    pub(super) tail: Option<Tail>,
    pub(super) digests: Vec<u32>,
}

impl<S> Loaded<S> {
    /// The last event folded in; `None` while there is no stream.
    pub(super) fn tail(&self) -> Option<Tail> {
        self.tail
    }

    /// How many events were folded in.
    pub(super) fn events(&self) -> usize {
        self.digests.len()
    }

    /// The revision that the next event will have.
    pub(super) fn next_revision(&self) -> Revision {
        self.tail.map_or(Revision::FIRST, |tail| tail.revision.next())
    }

    /// What an append has to expect.
    pub(super) fn expected(&self) -> Expected {
        self.tail.map_or(Expected::NoStream, |tail| Expected::Exact(tail.revision))
    }

    /// The position of the last event seen; the start of the log when there was none.
    pub(super) fn position(&self) -> LogPosition {
        self.tail.map_or(LogPosition::START, |tail| tail.position)
    }

    /// Notes one more event of a command; its effect on the state is the caller's.
    pub(super) fn note(&mut self, command: Uuid, tail: Tail) {
        self.digests.push(digest(command));
        self.tail = Some(tail);
    }

    /// Runs of events that may be those of a command: the first revision and how many. Two commands can share a
    /// digest, so the stream itself has the last word.
    pub(super) fn candidates(&self, command: Uuid) -> Vec<(Revision, usize)> {
        let wanted = digest(command);
        let mut runs: Vec<(Revision, usize)> = Vec::new();
        for (revision, _) in self.digests.iter().enumerate().filter(|(_, digest)| **digest == wanted) {
            let revision = revision as u64;
            match runs.last_mut() {
                Some((first, length)) if first.0 + *length as u64 == revision => *length += 1,
                _ => runs.push((Revision(revision), 1)),
            }
        }
        runs
    }
}

/// Four bytes of a command's id. The last ones: the first of a UUIDv7 are the time.
fn digest(command: Uuid) -> u32 {
    let bytes = command.as_bytes();
    u32::from_be_bytes([bytes[12], bytes[13], bytes[14], bytes[15]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_events_of_a_command_are_found_as_runs() {
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut loaded = Loaded::<()>::default();
        assert_eq!((loaded.expected(), loaded.next_revision()), (Expected::NoStream, Revision(0)));
        for (revision, command) in [a, a, b, a].into_iter().enumerate() {
            let revision = revision as u64;
            loaded.note(command, Tail { revision: Revision(revision), position: LogPosition(revision * 10) });
        }
        assert_eq!(loaded.candidates(a), [(Revision(0), 2), (Revision(3), 1)]);
        assert_eq!(loaded.candidates(b), [(Revision(2), 1)]);
        assert_eq!(loaded.candidates(Uuid::from_u128(3)), []);
        assert_eq!((loaded.expected(), loaded.next_revision()), (Expected::Exact(Revision(3)), Revision(4)));
        assert_eq!(loaded.position(), LogPosition(30));
    }
}
