//! The names of things in the log.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

/// The name of a stream: for ours `<category>-<uuid>`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(Arc<str>);

impl StreamId {
    /// The stream of one thing of a category, such as `product-<uuid>`.
    #[must_use]
    pub fn new(category: &str, id: &Uuid) -> Self {
        Self(format!("{category}-{id}").into())
    }

    /// The stream with this very name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the first `-`; the whole name when there is none.
    #[must_use]
    pub fn category(&self) -> &str {
        self.0.split_once('-').map_or(&self.0, |(category, _)| category)
    }

    /// What stands behind the first `-`, if it is a UUID.
    #[must_use]
    pub fn id(&self) -> Option<Uuid> {
        self.0.split_once('-').and_then(|(_, id)| Uuid::try_parse(id).ok())
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamId({})", self.0)
    }
}

/// The id of an event. The log recognises an append that is sent again by the ids of its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventId(pub Uuid);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of an event within its stream; the first is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// The first event of a stream.
    pub const FIRST: Revision = Revision(0);

    /// The revision behind this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What an append expects of its stream. Only [`Expected::NoStream`] and [`Expected::Exact`] are idempotent for ever
/// (protocol: strong idempotency); the other two only as long as the node remembers recent ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// The stream does not exist.
    NoStream,
    /// The stream's last event has this revision.
    Exact(Revision),
    /// Nothing.
    Any,
    /// The stream exists.
    StreamExists,
}

impl Expected {
    /// Whether sending the same append again can never write it twice.
    pub(crate) fn is_idempotent(self) -> bool {
        matches!(self, Self::NoStream | Self::Exact(_))
    }
}

impl From<Expected> for eventstore::ExpectedRevision {
    fn from(expected: Expected) -> Self {
        match expected {
            Expected::NoStream => Self::NoStream,
            Expected::Exact(revision) => Self::Exact(revision.0),
            Expected::Any => Self::Any,
            Expected::StreamExists => Self::StreamExists,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_name_is_a_category_and_an_id() {
        let id = Uuid::from_u128(7);
        let stream = StreamId::new("product", &id);
        assert_eq!(stream.as_str(), "product-00000000-0000-0000-0000-000000000007");
        assert_eq!((stream.category(), stream.id()), ("product", Some(id)));

        let other = StreamId::named("headwater-log");
        assert_eq!((other.category(), other.id()), ("headwater", None));
        assert_eq!(StreamId::named("plain").category(), "plain");
    }
}
