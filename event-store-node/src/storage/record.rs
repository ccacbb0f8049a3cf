//! One event as bytes in the log (FORMAT.md, "Record"), and back. Decoding never trusts a length: it is total over any
//! bytes.

use bytes::{Buf, Bytes};
use contract::LogPosition;
use uuid::Uuid;

use super::{Expected, ProposedEvent, Revision, StreamName};

/// Length and checksum before the body.
pub(crate) const HEAD_BYTES: u64 = 8;
/// The length once more after the body, for reading backwards.
pub(crate) const FOOT_BYTES: u64 = 4;
/// No body is longer; anything that claims so is damaged.
pub(crate) const MAX_BODY_BYTES: u64 = 32 * 1024 * 1024;
/// The revision of the record that ends a stream for good; no event has it or a greater one.
pub(crate) const TOMBSTONE_REVISION: u64 = i64::MAX as u64;
/// Flags, batch distance, revision, time, id and the three lengths at their longest.
const MAX_FIXED_BYTES: usize = 1 + 10 + 10 + 8 + 16 + 3 * 10;

const KIND_EVENT: u8 = 0x10;
const KIND_MASK: u8 = 0xF0;
const FLAG_JSON: u8 = 0x01;
const FLAG_MORE: u8 = 0x02;

/// An event as the log holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place in the log's total order: greater than 0, and than that of every event before it.
    pub position: LogPosition,
    /// Its number in its stream, from 0.
    pub revision: Revision,
    /// The id its writer gave it.
    pub id: Uuid,
    /// When it was written, in 100 ns since 1970-01-01T00:00:00Z.
    pub recorded_ticks: u64,
    /// Whether the writer called the data JSON.
    pub is_json: bool,
    /// The stream's name; UTF-8.
    pub stream: Bytes,
    /// The event's type; UTF-8.
    pub event_type: Bytes,
    /// The writer's metadata, as it came.
    pub metadata: Bytes,
    /// The writer's data, as it came.
    pub data: Bytes,
    /// Where the next record may begin.
    pub(crate) end: u64,
    /// Where the write that carried this record began: all before it was synced earlier.
    pub(crate) batch_start: u64,
    /// Whether the next record belongs to the same append.
    pub(crate) more: bool,
}

/// Why bytes are not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotARecord {
    /// Zeros: nothing was written here.
    Blank,
    /// The record goes on for this many bytes in all; give more of it.
    Short(u64),
    /// Bytes that no writer left so.
    Damaged,
}

/// What the records of one write have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WriteContext {
    pub batch_start: u64,
    pub recorded_ticks: u64,
}

/// An upper bound of the bytes that an append takes in the log.
pub(crate) fn encoded_bound(stream: &StreamName, events: &[ProposedEvent]) -> u64 {
    let per_event = HEAD_BYTES + FOOT_BYTES + (MAX_FIXED_BYTES + stream.as_str().len()) as u64;
    events.iter().map(|event| per_event + event.payload_bytes()).sum()
}

/// Appends the record of `event` to `buffer`, whose end lies at `position` in the log.
pub(crate) fn encode(
    buffer: &mut Vec<u8>,
    position: u64,
    context: WriteContext,
    stream: &StreamName,
    revision: u64,
    event: &ProposedEvent,
    more: bool,
) {
    let json = if event.is_json { FLAG_JSON } else { 0 };
    let flags = KIND_EVENT | json | if more { FLAG_MORE } else { 0 };
    let start = begin(buffer, flags, position - context.batch_start, revision);
    buffer.extend_from_slice(&context.recorded_ticks.to_le_bytes());
    buffer.extend_from_slice(event.id.as_bytes());
    for part in [stream.as_str().as_bytes(), event.event_type.as_bytes(), &event.metadata] {
        put_varint(buffer, part.len() as u64);
        buffer.extend_from_slice(part);
    }
    buffer.extend_from_slice(&event.data);
    finish(buffer, start, position);
}

/// Appends a record to `buffer` once more, as it was written.
pub(crate) fn encode_again(buffer: &mut Vec<u8>, record: &Record) {
    let json = if record.is_json { FLAG_JSON } else { 0 };
    let flags = KIND_EVENT | json | if record.more { FLAG_MORE } else { 0 };
    let position = record.position.0;
    let start = begin(buffer, flags, position - record.batch_start, record.revision.0);
    buffer.extend_from_slice(&record.recorded_ticks.to_le_bytes());
    buffer.extend_from_slice(record.id.as_bytes());
    for part in [&record.stream, &record.event_type, &record.metadata] {
        put_varint(buffer, part.len() as u64);
        buffer.extend_from_slice(part);
    }
    buffer.extend_from_slice(&record.data);
    finish(buffer, start, position);
}

/// Room for the head, and what is said first; gives where the record begins in the buffer.
fn begin(buffer: &mut Vec<u8>, flags: u8, distance: u64, revision: u64) -> usize {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; HEAD_BYTES as usize]);
    buffer.push(flags);
    put_varint(buffer, distance);
    put_varint(buffer, revision);
    start
}

/// The head and the foot of a record whose body is there.
fn finish(buffer: &mut Vec<u8>, start: usize, position: u64) {
    let body = start + HEAD_BYTES as usize;
    let length = u32::try_from(buffer.len() - body).expect("an append is limited to far less than 4 GiB");
    let checksum = checksum(position, &buffer[body..]);
    buffer[start..start + 4].copy_from_slice(&length.to_le_bytes());
    buffer[start + 4..body].copy_from_slice(&checksum.to_le_bytes());
    buffer.extend_from_slice(&length.to_le_bytes());
}

/// Reads the record that begins `bytes`, which lie at `position` in the log.
pub(crate) fn decode(bytes: &Bytes, position: u64) -> Result<Record, NotARecord> {
    let total = claimed_size(bytes)?;
    if (bytes.len() as u64) < total {
        return Err(NotARecord::Short(total));
    }
    let end = position.checked_add(total).ok_or(NotARecord::Damaged)?;
    let body = bytes.slice(HEAD_BYTES as usize..(total - FOOT_BYTES) as usize);
    let stored = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
    let foot = &bytes[(total - FOOT_BYTES) as usize..total as usize];
    if checksum(position, &body) != stored || foot != &bytes[..4] {
        return Err(NotARecord::Damaged);
    }
    decode_body(body, position, end).ok_or(NotARecord::Damaged)
}

/// How many bytes the record that begins `bytes` says it takes.
pub(crate) fn claimed_size(bytes: &[u8]) -> Result<u64, NotARecord> {
    let Some(length) = bytes.first_chunk::<4>() else {
        return Err(NotARecord::Short(HEAD_BYTES));
    };
    match u64::from(u32::from_le_bytes(*length)) {
        0 => Err(NotARecord::Blank),
        length if length > MAX_BODY_BYTES => Err(NotARecord::Damaged),
        length => Ok(HEAD_BYTES + length + FOOT_BYTES),
    }
}

fn decode_body(mut body: Bytes, position: u64, end: u64) -> Option<Record> {
    let flags = take(&mut body, 1)?[0];
    if flags & KIND_MASK != KIND_EVENT {
        return None;
    }
    let batch_start = position.checked_sub(take_varint(&mut body)?)?;
    let revision = take_varint(&mut body).filter(|revision| *revision <= TOMBSTONE_REVISION).map(Revision)?;
    let recorded_ticks = take(&mut body, 8)?.get_u64_le();
    let id = Uuid::from_slice(&take(&mut body, 16)?).ok()?;
    let stream = take_text(&mut body)?;
    let event_type = take_text(&mut body)?;
    let metadata_bytes = usize::try_from(take_varint(&mut body)?).ok()?;
    let metadata = take(&mut body, metadata_bytes)?;
    Some(Record {
        position: LogPosition(position),
        revision,
        id,
        recorded_ticks,
        is_json: flags & FLAG_JSON != 0,
        stream,
        event_type,
        metadata,
        data: body,
        end,
        batch_start,
        more: flags & FLAG_MORE != 0,
    })
}

/// Seeded with the position, so that a record copied to another place does not pass.
fn checksum(position: u64, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&position.to_le_bytes());
    hasher.update(body);
    hasher.finalize()
}

fn take(body: &mut Bytes, length: usize) -> Option<Bytes> {
    (body.len() >= length).then(|| body.split_to(length))
}

fn take_text(body: &mut Bytes) -> Option<Bytes> {
    let length = usize::try_from(take_varint(body)?).ok()?;
    take(body, length).filter(|text| std::str::from_utf8(text).is_ok())
}

/// LEB128: seven bits a byte, least significant first.
pub(crate) fn put_varint(buffer: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        buffer.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    buffer.push(value as u8);
}

/// The opposite of [`put_varint`]; `None` when the bytes end early or the number has more than 64 bits.
pub(crate) fn take_varint(bytes: &mut impl Buf) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = bytes.has_remaining().then(|| bytes.get_u8())?;
        let bits = u64::from(byte & 0x7F);
        if bits << shift >> shift != bits {
            return None;
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

impl Record {
    /// The stream's name.
    #[must_use]
    pub fn stream_name(&self) -> &str {
        std::str::from_utf8(&self.stream).expect("decoding checked it")
    }

    /// The event's type.
    #[must_use]
    pub fn type_name(&self) -> &str {
        std::str::from_utf8(&self.event_type).expect("decoding checked it")
    }
}

impl Expected {
    /// The revision that the stream's last event must have, where -1 says that there is none; `None` for the forms
    /// that name no revision.
    pub(crate) fn named_revision(self) -> Option<i128> {
        match self {
            Self::NoStream => Some(-1),
            Self::Revision(revision) => Some(i128::from(revision.0)),
            Self::Any | Self::StreamExists => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(event_type: &str, data: Vec<u8>, metadata: Vec<u8>, is_json: bool) -> ProposedEvent {
        ProposedEvent {
            id: Uuid::from_u128(7),
            event_type: event_type.to_owned(),
            is_json,
            metadata: metadata.into(),
            data: data.into(),
        }
    }

    fn encoded(stream: &str, event: &ProposedEvent, position: u64, revision: u64, more: bool) -> Vec<u8> {
        let stream = StreamName::new(stream).expect("a valid name");
        let context = WriteContext { batch_start: position - 5, recorded_ticks: 123 };
        let mut buffer = Vec::new();
        encode(&mut buffer, position, context, &stream, revision, event, more);
        assert!(buffer.len() as u64 <= encoded_bound(&stream, std::slice::from_ref(event)));
        buffer
    }

    proptest! {
        #[test]
        fn a_record_reads_back_as_it_was_written(
            stream in "[a-z$/ü-]{1,40}",
            event_type in "\\PC{0,20}",
            data in proptest::collection::vec(any::<u8>(), 0..300),
            metadata in proptest::collection::vec(any::<u8>(), 0..50),
            position in 5u64..u64::MAX / 2,
            revision in 0..=TOMBSTONE_REVISION,
            is_json: bool,
            more: bool,
        ) {
            prop_assume!(stream != "$$");
            let event = event(&event_type, data, metadata, is_json);
            let bytes = encoded(&stream, &event, position, revision, more);
            let length = bytes.len() as u64;
            let record = decode(&bytes.clone().into(), position).expect("a record");
            let mut again = Vec::new();
            encode_again(&mut again, &record);
            prop_assert_eq!(again, bytes);
            prop_assert_eq!(record.stream_name(), stream);
            prop_assert_eq!(record.type_name(), event_type);
            prop_assert_eq!((record.revision.0, record.is_json, record.more), (revision, is_json, more));
            prop_assert_eq!((&record.data, &record.metadata, record.id), (&event.data, &event.metadata, event.id));
            prop_assert_eq!((record.recorded_ticks, record.batch_start), (123, position - 5));
            prop_assert_eq!(record.end, position + length);
        }

        #[test]
        fn any_flipped_bit_is_noticed(at in 0usize..120, bit in 0u8..8) {
            let mut bytes = encoded("a-1", &event("Happened", vec![1; 64], vec![2; 8], true), 4096, 3, false);
            prop_assume!(at < bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(decode(&bytes.into(), 4096).is_err());
        }

        #[test]
        fn any_bytes_are_decoded_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), at: u64) {
            let _ = decode(&bytes.into(), at);
        }

        #[test]
        fn a_number_reads_back(value: u64) {
            let mut buffer = Vec::new();
            put_varint(&mut buffer, value);
            prop_assert_eq!(take_varint(&mut &buffer[..]), Some(value));
        }
    }

    #[test]
    fn a_record_in_another_place_is_damaged() {
        let bytes = encoded("a-1", &event("Happened", vec![1], vec![], true), 4096, 3, false);
        assert_eq!(decode(&bytes.into(), 4097), Err(NotARecord::Damaged));
    }
}
