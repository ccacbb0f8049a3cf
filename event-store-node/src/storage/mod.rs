//! The log of events on disk: one writer that groups appends and syncs before it answers, readers by position and by
//! stream, and an index that is derived from the log. FORMAT.md describes the bytes.

mod append;
mod backup;
mod decide;
mod deleted;
mod disk;
mod error;
mod flush;
mod frozen;
mod group;
mod index;
mod index_chunks;
mod index_rows;
mod known;
mod log;
mod metadata;
mod packed;
mod plan;
mod prepare;
mod read;
mod recent;
mod record;
mod recovery;
mod replay;
mod scavenge;
mod segment;
mod statistics;
mod store;
mod tail;
mod verify;
mod writer;

pub use append::{
    AppendOutcome, AppendRequest, DeleteRequest, Deletion, Expected, ProposedEvent, Revision, StreamName,
};
pub use backup::{BackedUp, backup};
pub use disk::{Disk, DiskFile, FileSystem};
pub use error::{AppendError, StorageError};
pub(crate) use group::now_ticks;
pub use read::{Direction, Scanned, StreamPage, StreamWatch};
pub use record::Record;
pub use recovery::Dropped;
pub use scavenge::{Scavenged, Scavenging};
pub use statistics::Statistics;
pub use store::{Boundary, Head, Pending, Storage, StorageConfig};
pub use verify::{Fault, IndexState, Verified, verify};

/// What the index knows a stream by: a 128-bit hash of its name, seeded by the log's own id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct StreamKey(pub(crate) u128);

impl StreamKey {
    fn new(store: uuid::Uuid, stream: &[u8]) -> Self {
        Self(xxhash_rust::xxh3::xxh3_128_with_seed(stream, store.as_u64_pair().1))
    }
}
