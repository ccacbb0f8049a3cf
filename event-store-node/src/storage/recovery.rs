//! Opening: takes the data directory, finds the log's end after a stop of any kind, and catches the index up.
//!
//! A write that was interrupted may have left any part of its bytes. Every record says where the write began that
//! carried it, and a write begins only after all before it was synced; so a hole that is followed by a record of a
//! *later* write is damage, and anything else after the last whole append is an interrupted write, never acknowledged.

use std::any::Any;
use std::borrow::Cow;
use std::io;
use std::path::Path;
use std::sync::{Arc, RwLock};

use bytes::Bytes;
use contract::LogPosition;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tracing::{info, warn};
use uuid::Uuid;

use super::append::{ProposedEvent, StreamName};
use super::disk::Disk;
use super::flush::Flusher;
use super::group::{GroupEvents, first_records};
use super::index::Index;
use super::known::KnownStreams;
use super::log::{Log, LogReader};
use super::prepare::NextSegment;
use super::recent::RecentIds;
use super::replay::{self, Replayed};
use super::segment::{self, SEGMENT_HEADER_BYTES, Segment};
use super::store::{Head, StorageConfig};
use super::writer::{Shared, Writer};
use super::{Boundary, StorageError, StreamKey};
use crate::metrics;

pub(super) const LOCK_FILE: &str = "lock";
pub(super) const MARKER_FILE: &str = "format.json";
const UNFINISHED_MARKER_FILE: &str = "format.json.new";
/// What may lie in a directory in which a log is begun; the last is what a fresh file system has.
const EMPTY_DIR_FILES: [&str; 3] = [LOCK_FILE, UNFINISHED_MARKER_FILE, "lost+found"];
pub(super) const INDEX_FILE: &str = "index.redb";
pub(super) const LOG_DIR: &str = "log";
pub(super) const FORMAT: &str = "headwater-event-log 1";
/// The format of a log that was scavenged: segments may be packed.
pub(super) const PACKED_FORMAT: &str = "headwater-event-log 2";

/// What an interrupted write left at the end of the log and opening took away. Nothing of it was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dropped {
    /// Where the log ends now.
    pub at: LogPosition,
    /// How many bytes after it were not zero up to the last such byte.
    pub bytes: u64,
}

/// The marker that makes a directory ours.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Marker {
    pub format: String,
    pub log: Uuid,
}

/// Opens the log, or begins one.
pub(crate) fn open(
    disk: Arc<dyn Disk>,
    config: &StorageConfig,
    flush_events: usize,
) -> Result<(Writer, watch::Receiver<Head>, Option<Dropped>), StorageError> {
    let dir = &config.data_dir;
    disk.create_dir(dir).map_err(|error| StorageError::io("create", dir, error))?;
    let lock = take(&*disk, dir)?;
    let marker = if is_ours(&*disk, dir)? {
        read_marker(&*disk, dir)?
    } else {
        write_marker(&*disk, dir, Uuid::new_v4(), FORMAT)?
    };
    let store = marker.log;
    let log_dir = dir.join(LOG_DIR);
    disk.create_dir(&log_dir)
        .and_then(|()| disk.sync_dir(dir))
        .map_err(|error| StorageError::io("create", &log_dir, error))?;
    let (index, rebuild_reason) = Index::open(&*disk, &dir.join(INDEX_FILE), store)?;
    if let Some(reason) = rebuild_reason {
        warn!(%reason, "the index cannot be used and is built again from the log");
    }
    if marker.format == PACKED_FORMAT {
        index.expect_gaps();
    }
    let checkpoint = index.checkpoint()?;
    let mut segments = segment::discover(&*disk, &log_dir, store)?;
    if segments.is_empty() {
        if checkpoint.position > 0 {
            return Err(StorageError::MissingSegment { position: 0 });
        }
        segments.push(begin_log(&*disk, &log_dir, store, config.segment_bytes)?);
    }
    for segment in &mut segments {
        segment.end = checkpoint.segment_ends.get(&segment.base).copied();
    }
    let log = Log::new(Arc::clone(&disk), log_dir, store, segments);
    let replayed = replay::replay(&log, &index, checkpoint.position, flush_events)?;
    assemble(config, log, index, replayed, flush_events, (&marker.format, lock))
}

/// Takes the lock of a directory that is ours or empty, and leaves any other one untouched.
pub(super) fn take(disk: &dyn Disk, dir: &Path) -> Result<Box<dyn Any + Send + Sync>, StorageError> {
    is_ours(disk, dir)?;
    let path = dir.join(LOCK_FILE);
    disk.lock(&path).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => StorageError::InUse(dir.to_owned()),
        _ => StorageError::io("lock", &path, error),
    })
}

/// Whether a directory holds a log, or could begin one.
fn is_ours(disk: &dyn Disk, dir: &Path) -> Result<bool, StorageError> {
    let found = disk.list(dir).map_err(|error| StorageError::io("list", dir, error))?;
    let has_marker = found.iter().any(|name| name == MARKER_FILE);
    if !has_marker && found.iter().any(|name| !EMPTY_DIR_FILES.contains(&name.as_str())) {
        return Err(StorageError::ForeignDirectory(dir.to_owned()));
    }
    Ok(has_marker)
}

/// Puts writer, readers and threads together over a log whose end is known.
fn assemble(
    config: &StorageConfig,
    log: Log,
    index: Index,
    replayed: Replayed,
    flush_events: usize,
    (format, lock): (&str, Box<dyn Any + Send + Sync>),
) -> Result<(Writer, watch::Receiver<Head>, Option<Dropped>), StorageError> {
    let Replayed { log_end, tail, active, prepared, dropped, flushed_end } = replayed;
    let file = Arc::clone(&log.open(&active)?.file);
    log.commit(log_end);
    let opened = |segment| log.open(&segment).map(|file| (segment, Arc::clone(&file.file)));
    let prepared = prepared.map(opened).transpose()?;
    let next =
        NextSegment::new(Arc::clone(&log.disk), log.dir.clone(), log.store, config.segment_bytes, prepared);
    let last = LogReader::new(&log, SEGMENT_HEADER_BYTES).previous(log_end)?;
    let last = last.map_or(LogPosition::START, |record| record.position);
    let (index, tail) = (Arc::new(index), Arc::new(RwLock::new(tail)));
    let flusher = Flusher::start(Arc::clone(&index), Arc::clone(&tail), flushed_end, flush_events)?;
    metrics::head(last.0);
    metrics::writer_failed(false);
    let (head, head_receiver) = watch::channel(Head { end: Boundary(log_end), last });
    info!(dir = %config.data_dir.display(), format, position = %last, "the log is open");
    let writer = Writer {
        shared: Shared { log: Arc::new(log), index, tail, counts: Arc::default() },
        segment: active,
        file,
        at: log_end,
        next,
        recent: RecentIds::default(),
        known: KnownStreams::default(),
        flusher,
        head,
        failed: None,
        lock,
    };
    Ok((writer, head_receiver, dropped))
}

/// What the marker of a directory that is ours says.
pub(super) fn read_marker(disk: &dyn Disk, dir: &Path) -> Result<Marker, StorageError> {
    let path = dir.join(MARKER_FILE);
    let failed = |error| StorageError::io("read", &path, error);
    let file = disk.open(&path).map_err(failed)?;
    let mut text = vec![0; file.size().map_err(failed)?.min(SEGMENT_HEADER_BYTES) as usize];
    let length = file.read_at(&mut text, 0).map_err(failed)?;
    let other = |found| StorageError::OtherFormat { path: dir.to_owned(), found, expected: PACKED_FORMAT };
    let marker: Marker = serde_json::from_slice(&text[..length]).map_err(|error| other(error.to_string()))?;
    let is_known = [FORMAT, PACKED_FORMAT].contains(&marker.format.as_str());
    if is_known { Ok(marker) } else { Err(other(marker.format)) }
}

/// Says durably that segments may be packed from now on, to who cannot read such.
pub(super) fn raise_format(disk: &dyn Disk, dir: &Path) -> Result<(), StorageError> {
    let marker = read_marker(disk, dir)?;
    if marker.format != PACKED_FORMAT {
        write_marker(disk, dir, marker.log, PACKED_FORMAT)?;
    }
    Ok(())
}

fn write_marker(disk: &dyn Disk, dir: &Path, log: Uuid, format: &str) -> Result<Marker, StorageError> {
    let marker = Marker { format: format.to_owned(), log };
    let text = serde_json::to_vec_pretty(&marker).expect("two strings are always JSON");
    let (unfinished, path) = (dir.join(UNFINISHED_MARKER_FILE), dir.join(MARKER_FILE));
    let write = || {
        let file = disk.create(&unfinished)?;
        file.write_at(&text, 0)?;
        file.sync()?;
        disk.rename(&unfinished, &path)?;
        disk.sync_dir(dir)
    };
    write().map_err(|error| StorageError::io("write", &path, error))?;
    Ok(marker)
}

/// The first segment with the first event, a system event as clients expect at the start of every log.
fn begin_log(
    disk: &dyn Disk,
    log_dir: &Path,
    store: Uuid,
    segment_bytes: u64,
) -> Result<Segment, StorageError> {
    let segment = Segment { base: 0, size: segment_bytes, end: None };
    let stream = StreamName::new("$$$all").expect("a valid name");
    let key = StreamKey::new(store, stream.as_str().as_bytes());
    let event = ProposedEvent {
        id: Uuid::new_v4(),
        event_type: "$metadata".to_owned(),
        is_json: true,
        metadata: Bytes::new(),
        data: Bytes::from_static(b"{}"),
    };
    let events = GroupEvents { key, stream: Cow::Owned(stream), first: 0, events: Cow::Owned(vec![event]) };
    segment::create(disk, log_dir, store, segment, &first_records(segment.first(), events))?;
    Ok(segment)
}
