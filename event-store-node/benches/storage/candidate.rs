//! The engines compared: our own log with a derived index, redb with and without quick repair, fjall. The general
//! engines keep two tables, events by position and positions by (stream, revision), as a node on them would.

use std::path::Path;
use std::sync::Arc;

use clap::ValueEnum;
use event_store_node::storage::{
    AppendRequest, Direction, Expected, FileSystem, ProposedEvent, Revision, Storage, StorageConfig,
    StreamName,
};
use redb::{ReadableDatabase, ReadableTableMetadata, TableDefinition};
use uuid::Uuid;

use crate::committer::{Commit, Committer};

pub const PAYLOAD_BYTES: usize = 256;
const EVENTS: TableDefinition<u64, &[u8]> = TableDefinition::new("events");
const STREAMS: TableDefinition<&[u8], u64> = TableDefinition::new("streams");
const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// Which engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    Own,
    Redb,
    RedbQuickRepair,
    Fjall,
}

impl Kind {
    pub const ALL: [Kind; 4] = [Self::Own, Self::Redb, Self::RedbQuickRepair, Self::Fjall];

    pub fn name(self) -> &'static str {
        match self {
            Self::Own => "own log + redb index",
            Self::Redb => "redb 4",
            Self::RedbQuickRepair => "redb 4, quick repair",
            Self::Fjall => "fjall 3",
        }
    }

    /// Whether a test can put itself between the engine and the disk; known from the engine's own documentation.
    pub fn seam(self) -> &'static str {
        match self {
            Self::Own => "yes (Disk)",
            Self::Redb | Self::RedbQuickRepair => "yes (StorageBackend)",
            Self::Fjall => "no",
        }
    }

    /// Opens the engine in a folder.
    pub fn open(self, dir: &Path) -> Engine {
        match self {
            Self::Own => {
                let config = StorageConfig::new(dir.join("data"));
                Engine::Own(Storage::open(Arc::new(FileSystem), config).expect("the log opens").0)
            }
            Self::Redb | Self::RedbQuickRepair => {
                let quick_repair = self == Self::RedbQuickRepair;
                let database = redb::Database::builder()
                    .set_cache_size(CACHE_BYTES)
                    .create(dir.join("data.redb"))
                    .expect("opens");
                Engine::Other(Committer::start(Redb { database, quick_repair }))
            }
            Self::Fjall => Engine::Other(Committer::start(Fjall::open(dir))),
        }
    }
}

/// An engine that is open.
#[derive(Clone)]
pub enum Engine {
    Own(Storage),
    Other(Committer),
}

/// An event of 256 bytes that no compression can make smaller.
#[derive(Debug, Clone)]
pub struct Event {
    pub stream: String,
    pub revision: u64,
    pub payload: [u8; PAYLOAD_BYTES],
}

impl Event {
    pub fn new(stream: String, revision: u64) -> Self {
        let mut payload = [0; PAYLOAD_BYTES];
        for chunk in payload.chunks_mut(16) {
            chunk.copy_from_slice(Uuid::new_v4().as_bytes());
        }
        Self { stream, revision, payload }
    }
}

impl Engine {
    /// Appends events of one stream; returns once they are on disk.
    pub async fn append(&self, events: Vec<Event>) {
        match self {
            Self::Own(storage) => {
                let stream = StreamName::new(events[0].stream.clone()).expect("a name");
                let events = events.into_iter().map(|event| ProposedEvent {
                    id: Uuid::new_v4(),
                    event_type: "OrderPlaced".to_owned(),
                    is_json: true,
                    metadata: Default::default(),
                    data: event.payload.to_vec().into(),
                });
                let request = AppendRequest { stream, expected: Expected::Any, events: events.collect() };
                storage.append(request).await.expect("appended");
            }
            Self::Other(committer) => committer.append(events).await,
        }
    }

    /// How many events a stream has, read from the engine.
    pub fn length(&self, stream: &str) -> u64 {
        match self {
            Self::Own(storage) => {
                let page = storage
                    .read_stream(stream, Revision(u64::MAX), Direction::Backwards, 1, 1)
                    .expect("read");
                page.map_or(0, |page| page.last.0 + 1)
            }
            Self::Other(committer) => committer.length(stream),
        }
    }
}

fn stream_key(stream: &str, revision: u64) -> Vec<u8> {
    let mut key = stream.as_bytes().to_vec();
    key.push(0);
    key.extend_from_slice(&revision.to_be_bytes());
    key
}

fn event_value(event: &Event) -> Vec<u8> {
    let mut value = Uuid::new_v4().as_bytes().to_vec();
    value.extend_from_slice(&event.revision.to_le_bytes());
    value.extend_from_slice(&[0; 8]);
    value.extend_from_slice(event.stream.as_bytes());
    value.extend_from_slice(b"OrderPlaced");
    value.extend_from_slice(&event.payload);
    value
}

struct Redb {
    database: redb::Database,
    quick_repair: bool,
}

impl Commit for Redb {
    fn next_position(&self) -> u64 {
        let read = self.database.begin_read().expect("a transaction");
        read.open_table(EVENTS).map_or(0, |events| events.len().expect("read"))
    }

    fn commit(&self, first_position: u64, events: &[Event]) {
        let mut write = self.database.begin_write().expect("a transaction");
        write.set_quick_repair(self.quick_repair);
        {
            let mut by_position = write.open_table(EVENTS).expect("a table");
            let mut by_stream = write.open_table(STREAMS).expect("a table");
            for (position, event) in (first_position..).zip(events) {
                by_position.insert(position, event_value(event).as_slice()).expect("inserted");
                let key = stream_key(&event.stream, event.revision);
                by_stream.insert(key.as_slice(), position).expect("inserted");
            }
        }
        write.commit().expect("committed");
    }

    fn length(&self, stream: &str) -> u64 {
        let read = self.database.begin_read().expect("a transaction");
        let Ok(by_stream) = read.open_table(STREAMS) else { return 0 };
        let (first, last) = (stream_key(stream, 0), stream_key(stream, u64::MAX));
        by_stream.range(first.as_slice()..=last.as_slice()).expect("a range").count() as u64
    }
}

struct Fjall {
    database: fjall::Database,
    by_position: fjall::Keyspace,
    by_stream: fjall::Keyspace,
}

impl Fjall {
    fn open(dir: &Path) -> Self {
        let database =
            fjall::Database::builder(dir.join("data")).cache_size(CACHE_BYTES as u64).open().expect("opens");
        let keyspace =
            |name| database.keyspace(name, fjall::KeyspaceCreateOptions::default).expect("a keyspace");
        let (by_position, by_stream) = (keyspace("events"), keyspace("streams"));
        Self { database, by_position, by_stream }
    }
}

impl Commit for Fjall {
    fn next_position(&self) -> u64 {
        let last = self.by_position.iter().next_back();
        last.map_or(0, |row| {
            u64::from_be_bytes(row.key().expect("read")[..].try_into().expect("a number")) + 1
        })
    }

    fn commit(&self, first_position: u64, events: &[Event]) {
        let mut batch = self.database.batch().durability(Some(fjall::PersistMode::SyncData));
        for (position, event) in (first_position..).zip(events) {
            batch.insert(&self.by_position, position.to_be_bytes(), event_value(event));
            batch.insert(&self.by_stream, stream_key(&event.stream, event.revision), position.to_be_bytes());
        }
        batch.commit().expect("committed");
    }

    fn length(&self, stream: &str) -> u64 {
        let (first, last) = (stream_key(stream, 0), stream_key(stream, u64::MAX));
        self.by_stream.range(first..=last).count() as u64
    }
}
