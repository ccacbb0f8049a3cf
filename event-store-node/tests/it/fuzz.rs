//! Any bytes at all, on the wire and on disk: they are refused or passed over, and nothing panics.

use std::panic;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes};
use event_store_node::Node;
use event_store_node::storage::{Boundary, Disk, FileSystem, Storage};
use futures::StreamExt;
use prost::Message;
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::io::AsyncWriteExt;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::against_model::{Pair, STREAMS, config};
use crate::crash::bursts;
use crate::journal::seeded;
use crate::raw::proto::streams::read_req::options as read;
use crate::raw::proto::streams::{
    AppendReq, BatchAppendReq, DeleteReq, ReadReq, append_req, batch_append_req as batch, delete_req,
    read_req,
};
use crate::raw::proto::{StreamIdentifier, Uuid, uuid};
use crate::support::{LIMIT, event, start};

const CALLS: [&str; 7] = [
    "/event_store.client.streams.Streams/Read",
    "/event_store.client.streams.Streams/Append",
    "/event_store.client.streams.Streams/BatchAppend",
    "/event_store.client.streams.Streams/Delete",
    "/event_store.client.streams.Streams/Tombstone",
    "/event_store.client.gossip.Gossip/Read",
    "/event_store.client.server_features.ServerFeatures/GetSupportedMethods",
];
/// What a call may take; subscriptions are left then.
const PATIENCE: Duration = Duration::from_millis(8);

static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Keeps where something panics, but for the tests themselves and for the database of the index, which is guarded.
fn watch_for_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            if place.contains("/redb-") {
                return;
            }
            if !place.contains("tests/it") {
                PANICS.lock().unwrap_or_else(PoisonError::into_inner).push(place);
            }
            usual(info);
        }));
    });
}

fn assert_no_panic() {
    let panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(panics.is_empty(), "{panics:?}");
}

/// A minute where long tests are asked for.
fn time() -> Duration {
    let is_long = std::env::var_os("HEADWATER_LONG_TESTS").is_some();
    Duration::from_secs(if is_long { 60 } else { 3 })
}

/// Bytes as they are, in place of messages.
#[derive(Debug, Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

/// Numbers at which things end.
fn number(random: &mut StdRng) -> u64 {
    let edges =
        [0, 1, 2, 5000, i64::MAX as u64 - 1, i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX - 1, u64::MAX];
    if random.random_bool(0.8) { edges[random.random_range(0..edges.len())] } else { random.random() }
}

fn stream(random: &mut StdRng) -> Option<StreamIdentifier> {
    let names: [&[u8]; 9] =
        [b"a-1", b"$$a-1", b"", b"$$", b"$all", b"$$$all", b"$$$$a-1", b"\xff\xfe", b"\0"];
    let stream_name = Bytes::from_static(names[random.random_range(0..names.len())]);
    random.random_bool(0.95).then_some(StreamIdentifier { stream_name })
}

fn id(random: &mut StdRng) -> Option<Uuid> {
    let text = ["", "no id", "00000000-0000-0000-0000-000000000000", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"];
    let text = uuid::Value::String(text[random.random_range(0..text.len())].to_owned());
    let halves =
        uuid::Structured { most_significant_bits: random.random(), least_significant_bits: random.random() };
    let value = if random.random_bool(0.3) { text } else { uuid::Value::Structured(halves) };
    random.random_bool(0.95).then_some(Uuid { value: Some(value) })
}

fn data(random: &mut StdRng) -> Bytes {
    let texts: [&[u8]; 6] = [
        b"",
        b"{\"$tb\":9223372036854775807}",
        b"{\"$maxCount\":1,\"$maxAge\":1}",
        b"18446744073709551615@a-1",
        b"0@$$a-1",
        b"@",
    ];
    Bytes::from_static(texts[random.random_range(0..texts.len())])
}

fn properties(random: &mut StdRng) -> std::collections::HashMap<String, String> {
    let kinds = ["$>", "$metadata", "$streamDeleted", "Counted", ""];
    let kind = kinds[random.random_range(0..kinds.len())].to_owned();
    let mut properties = std::collections::HashMap::from([("type".to_owned(), kind)]);
    if random.random_bool(0.9) {
        properties.insert("content-type".to_owned(), "application/json".to_owned());
    }
    properties
}

fn read_request(random: &mut StdRng) -> Vec<u8> {
    let position = read::Position { commit_position: number(random), prepare_position: number(random) };
    let all = [
        read::all_options::AllOption::Position(position),
        read::all_options::AllOption::Start(()),
        read::all_options::AllOption::End(()),
    ];
    let revisions = [
        read::stream_options::RevisionOption::Revision(number(random)),
        read::stream_options::RevisionOption::Start(()),
        read::stream_options::RevisionOption::End(()),
    ];
    let of_stream = read::StreamOptions {
        stream_identifier: stream(random),
        revision_option: Some(revisions[random.random_range(0..3)]),
    };
    let of_all = read::AllOptions { all_option: Some(all[random.random_range(0..3)]) };
    let regexes = ["", "(", "^(?!a)", "(a+)+$", "(?P<x>.)\\1"];
    let expression = read::filter_options::Expression {
        regex: regexes[random.random_range(0..regexes.len())].to_owned(),
        prefix: vec![String::new(); random.random_range(0..2)],
    };
    let filter = read::FilterOptions {
        filter: Some(read::filter_options::Filter::StreamIdentifier(expression)),
        window: Some(read::filter_options::Window::Max(number(random) as u32)),
        checkpoint_interval_multiplier: number(random) as u32,
    };
    let subscribe = read::CountOption::Subscription(read::SubscriptionOptions {});
    let options = read_req::Options {
        read_direction: random.random_range(-1..3),
        resolve_links: random.random(),
        stream_option: Some(match random.random_bool(0.5) {
            true => read::StreamOption::Stream(of_stream),
            false => read::StreamOption::All(of_all),
        }),
        count_option: Some(match random.random_bool(0.7) {
            true => read::CountOption::Count(number(random)),
            false => subscribe,
        }),
        filter_option: random.random_bool(0.3).then_some(read::FilterOption::Filter(filter)),
        control_option: Some(read::ControlOption { compatibility: number(random) as u32 }),
        uuid_option: None,
    };
    ReadReq { options: Some(options) }.encode_to_vec()
}

fn append_requests(random: &mut StdRng) -> Vec<Vec<u8>> {
    use append_req::options::ExpectedStreamRevision::{Any, NoStream, Revision, StreamExists};
    let expected = [Any(()), NoStream(()), StreamExists(()), Revision(number(random))];
    let options = append_req::Options {
        stream_identifier: stream(random),
        expected_stream_revision: Some(expected[random.random_range(0..4)]),
    };
    let mut messages = vec![append_req::Content::Options(options)];
    for _ in 0..random.random_range(0..3) {
        messages.push(append_req::Content::ProposedMessage(append_req::ProposedMessage {
            id: id(random),
            metadata: properties(random),
            custom_metadata: data(random),
            data: data(random),
        }));
    }
    messages.into_iter().map(|content| AppendReq { content: Some(content) }.encode_to_vec()).collect()
}

fn batch_request(random: &mut StdRng) -> Vec<u8> {
    use batch::options::{DeadlineOption, ExpectedStreamPosition};
    let span = prost_types::Duration { seconds: number(random) as i64, nanos: number(random) as i32 };
    let moment = prost_types::Timestamp { seconds: number(random) as i64, nanos: number(random) as i32 };
    let deadlines = [None, Some(DeadlineOption::Deadline(span)), Some(DeadlineOption::Deadline21100(moment))];
    let options = batch::Options {
        stream_identifier: stream(random),
        expected_stream_position: Some(ExpectedStreamPosition::StreamPosition(number(random))),
        deadline_option: deadlines[random.random_range(0..3)],
    };
    let event = batch::ProposedMessage {
        id: id(random),
        metadata: properties(random),
        custom_metadata: data(random),
        data: data(random),
    };
    let request = BatchAppendReq {
        correlation_id: id(random),
        options: random.random_bool(0.9).then_some(options),
        proposed_messages: vec![event],
        is_final: random.random(),
    };
    request.encode_to_vec()
}

fn deletion(random: &mut StdRng) -> Vec<u8> {
    use delete_req::options::ExpectedStreamRevision::{Any, NoStream, Revision, StreamExists};
    let expected = [Any(()), NoStream(()), StreamExists(()), Revision(number(random))];
    let expected_stream_revision = random.random_bool(0.9).then_some(expected[random.random_range(0..4)]);
    let options = delete_req::Options { stream_identifier: stream(random), expected_stream_revision };
    DeleteReq { options: random.random_bool(0.9).then_some(options) }.encode_to_vec()
}

/// Messages for a call: sound ones with strange values, damaged ones, or no messages at all.
fn messages(call: &str, random: &mut StdRng) -> Vec<Bytes> {
    let sound = match call.rsplit('/').next() {
        Some("Append") => append_requests(random),
        Some("BatchAppend") => (0..random.random_range(1..4)).map(|_| batch_request(random)).collect(),
        Some("Read") => vec![read_request(random)],
        _ => vec![deletion(random)],
    };
    let damage = random.random_bool(0.4);
    let damaged = sound.into_iter().map(|mut bytes| {
        if damage {
            spoil(&mut bytes, random);
        }
        bytes.into()
    });
    damaged.collect()
}

fn spoil(bytes: &mut Vec<u8>, random: &mut StdRng) {
    for _ in 0..random.random_range(1..6) {
        let at = random.random_range(0..=bytes.len());
        match random.random_range(0..4) {
            0 => bytes.truncate(at),
            1 => {
                bytes.splice(at..at, (0..random.random_range(1..12)).map(|_| random.random())).for_each(drop)
            }
            2 if at < bytes.len() => bytes[at] ^= 1 << random.random_range(0..8),
            _ => bytes.extend((0..4).map(|_| random.random::<u8>())),
        }
    }
}

async fn send(channel: Channel, call: &'static str, messages: Vec<Bytes>) {
    let mut grpc = tonic::client::Grpc::new(channel);
    if grpc.ready().await.is_err() {
        return;
    }
    let request = Request::new(futures::stream::iter(messages));
    let path = http::uri::PathAndQuery::from_static(call);
    if let Ok(answers) = grpc.streaming(request, path, Raw).await {
        answers.into_inner().take(50).for_each(|_| async {}).await;
    }
}

/// Not even HTTP/2, or not for long.
async fn send_garbage(node: &Node, random: &mut StdRng) {
    let mut bytes: Vec<u8> = (0..random.random_range(0..200)).map(|_| random.random()).collect();
    if random.random_bool(0.5) {
        bytes.splice(0..0, *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    }
    let mut socket = tokio::net::TcpStream::connect(node.address()).await.expect("a connection");
    // The node may hang up at any time.
    let _ = socket.write_all(&bytes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_on_the_wire_makes_the_node_panic() {
    watch_for_panics();
    let running = start().await;
    let channel = Channel::from_shared(format!("http://{}", running.node.address())).expect("an address");
    let channel = channel.connect().await.expect("a connection");
    let mut random = seeded(1);
    let (began, mut sent) = (Instant::now(), 0);
    while began.elapsed() < time() {
        let call = CALLS[random.random_range(0..CALLS.len())];
        let messages = messages(call, &mut random);
        let _ = tokio::time::timeout(PATIENCE, send(channel.clone(), call, messages)).await;
        if sent % 20 == 0 {
            send_garbage(&running.node, &mut random).await;
        }
        sent += 1;
    }
    assert!(sent > 100, "{sent} calls are few");
    let options = Default::default();
    let written = running.client.append_to_stream("sound-1", &options, event(1));
    tokio::time::timeout(LIMIT, written).await.expect("in time").expect("the node goes on");
    running.node.shutdown().await;
    assert_no_panic();
}

/// Everything that can be read, whatever the answer.
fn read_everything(storage: &Storage) {
    use event_store_node::storage::{Direction, Revision};
    let go_on = |_| std::ops::ControlFlow::Continue(());
    let _ = storage.scan_forwards(Boundary::START, u64::MAX, go_on);
    let end = storage.head().borrow().end;
    let _ = storage.scan_backwards(end, u64::MAX, go_on);
    for stream in STREAMS {
        let _ = storage.tombstone(stream);
        let _ = storage.last_revision(stream);
        for (from, direction) in [(0, Direction::Forwards), (u64::MAX, Direction::Backwards)] {
            let _ = storage.read_stream(stream, Revision(from), direction, 100, usize::MAX);
        }
    }
}

#[test]
fn nothing_on_the_disk_makes_the_storage_panic() {
    watch_for_panics();
    let dir = tempfile::tempdir().expect("a folder");
    let at = |dir: &Path| event_store_node::storage::StorageConfig { data_dir: dir.to_owned(), ..config() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let mut pair = Pair::new(Storage::open(Arc::new(FileSystem), at(dir.path())).expect("the log opens").0);
    for change in bursts(3, 20).iter().flatten() {
        let (_, outcome) = pair.begin(change);
        runtime.block_on(outcome).expect("written");
    }
    pair.storage.close();
    let files = files(dir.path());
    let mut random = seeded(2);
    let (began, mut opened, mut turns) = (Instant::now(), 0, 0);
    while began.elapsed() < time() {
        let damaged = crate::disk::MemoryDisk::holding(files.iter().map(|(path, bytes)| {
            let mut bytes = bytes.clone();
            if random.random_bool(0.4) {
                for _ in 0..random.random_range(1..4) {
                    overwrite(&mut bytes, &mut random);
                }
            }
            (path.clone(), bytes)
        }));
        if random.random_bool(0.3) {
            let _ = damaged.remove(&dir.path().join("index.redb"));
        }
        if let Ok((storage, _)) = Storage::open(Arc::new(damaged), at(dir.path())) {
            opened += 1;
            read_everything(&storage);
            storage.close();
        }
        turns += 1;
    }
    assert!(opened > 5 && opened < turns, "{opened} of {turns} opened");
    assert_no_panic();
}

fn overwrite(bytes: &mut [u8], random: &mut StdRng) {
    if bytes.is_empty() {
        return;
    }
    let from = random.random_range(0..bytes.len());
    let to = (from + random.random_range(1..64)).min(bytes.len());
    let value: u8 = random.random();
    let fill = random.random_bool(0.3);
    bytes[from..to].iter_mut().for_each(|byte| *byte = if fill { value } else { random.random() });
}

fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.clone(), std::fs::read(&path).expect("a file")));
        }
    }
    found.sort();
    found
}
