//! The rows of the index: positions of up to 128 consecutive revisions of a stream.

use redb::{ReadOnlyTable, ReadableTable, Table, TableDefinition};

use super::record::{TOMBSTONE_REVISION, put_varint, take_varint};
use super::tail::StreamTail;
use super::{StorageError, StreamKey};

/// Positions in one row: few enough to decode at every look-up, enough to make a row's key cheap.
const CHUNK_EVENTS: usize = 128;
pub(super) const KEY_BYTES: usize = 24;
/// The greatest revision that an event could have.
pub(super) const LAST_REVISION: u64 = TOMBSTONE_REVISION - 1;

/// (stream key, first revision), big-endian, to the positions from there on: varints, each but the first the distance
/// from the one before. A stream's tombstone is a row of its own, at its own revision.
pub(super) const CHUNKS: TableDefinition<&[u8; KEY_BYTES], &[u8]> = TableDefinition::new("chunks");
pub(super) type Chunks = ReadOnlyTable<&'static [u8; KEY_BYTES], &'static [u8]>;

/// Adds the newest positions of a stream.
pub(super) fn add_stream(
    chunks: &mut Table<&[u8; KEY_BYTES], &[u8]>,
    key: StreamKey,
    stream: &StreamTail,
    has_gaps: bool,
) -> Result<(), StorageError> {
    let last = last_chunk(chunks, key, LAST_REVISION)?;
    let indexed = last.as_ref().map_or(0, |(first, positions)| first + positions.len() as u64);
    let follows = indexed == stream.first;
    if !(follows || has_gaps && indexed < stream.first) {
        return Err(StorageError::Index(format!("revision {} follows {indexed} events", stream.first)));
    }
    let (mut first, mut open) = last
        .filter(|(_, positions)| follows && positions.len() < CHUNK_EVENTS)
        .unwrap_or((stream.first, Vec::new()));
    let mut rest = &stream.positions[..];
    while !rest.is_empty() {
        let (taken, left) = rest.split_at(rest.len().min(CHUNK_EVENTS - open.len()));
        open.extend_from_slice(taken);
        chunks.insert(&row_key(key, first), encode_chunk(&open).as_slice()).map_err(failed)?;
        first += open.len() as u64;
        open.clear();
        rest = left;
    }
    Ok(())
}

/// Takes away the rows whose revisions all lie in a range, both ends included.
pub(super) fn forget_rows(
    chunks: &mut Table<&[u8; KEY_BYTES], &[u8]>,
    key: StreamKey,
    first: u64,
    last: u64,
) -> Result<(), StorageError> {
    let mut rows = Vec::new();
    for row in chunks.range::<&[u8; KEY_BYTES]>(&row_key(key, first)..=&row_key(key, last)).map_err(failed)? {
        let (row, value) = row.map_err(failed)?;
        let row_last = revision_of(row.value()) + decode_chunk(value.value())?.len() as u64 - 1;
        if row_last <= last {
            rows.push(*row.value());
        }
    }
    for row in rows {
        chunks.remove(&row).map_err(failed)?;
    }
    Ok(())
}

/// The last chunk of a stream that begins at or before a revision, with its first revision.
pub(super) fn last_chunk(
    chunks: &impl ReadableTable<&'static [u8; KEY_BYTES], &'static [u8]>,
    key: StreamKey,
    revision: u64,
) -> Result<Option<(u64, Vec<u64>)>, StorageError> {
    let mut range =
        chunks.range::<&[u8; KEY_BYTES]>(&row_key(key, 0)..=&row_key(key, revision)).map_err(failed)?;
    let Some(row) = range.next_back() else { return Ok(None) };
    let (row, value) = row.map_err(failed)?;
    Ok(Some((revision_of(row.value()), decode_chunk(value.value())?)))
}

pub(super) fn row_key(key: StreamKey, revision: u64) -> [u8; KEY_BYTES] {
    let mut bytes = [0; KEY_BYTES];
    bytes[..16].copy_from_slice(&key.0.to_be_bytes());
    bytes[16..].copy_from_slice(&revision.to_be_bytes());
    bytes
}

pub(super) fn revision_of(row: &[u8; KEY_BYTES]) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&row[16..]);
    u64::from_be_bytes(bytes)
}

pub(super) fn encode_chunk(positions: &[u64]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + positions.len() * 3);
    let mut before = 0;
    for position in positions {
        put_varint(&mut bytes, position - before);
        before = *position;
    }
    bytes
}

pub(super) fn decode_chunk(mut bytes: &[u8]) -> Result<Vec<u64>, StorageError> {
    let damaged = || StorageError::Index("a row does not decode".to_owned());
    let mut positions = Vec::with_capacity(CHUNK_EVENTS);
    let mut position = 0u64;
    while !bytes.is_empty() {
        let distance = take_varint(&mut bytes).ok_or_else(damaged)?;
        position = position.checked_add(distance).ok_or_else(damaged)?;
        positions.push(position);
    }
    if positions.is_empty() { Err(damaged()) } else { Ok(positions) }
}

pub(super) fn failed(error: impl Into<redb::Error>) -> StorageError {
    StorageError::Index(error.into().to_string())
}
