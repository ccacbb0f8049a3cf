//! The wire itself, for what the official client does not show or never sends.

#[path = "../../src/proto/mod.rs"]
#[allow(dead_code, unused_imports, unreachable_pub)]
pub mod proto;

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use prost::Message;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

use crate::support::{MAX_APPEND_BYTES, events, start, within};
use proto::streams::batch_append_req as batch;
use proto::streams::batch_append_resp;
use proto::streams::read_req::options as read;
use proto::streams::read_resp::Content;
use proto::streams::{
    AppendReq, AppendResp, BatchAppendReq, BatchAppendResp, DeleteReq, DeleteResp, ReadReq, ReadResp,
    TombstoneReq, TombstoneResp, append_req, append_resp, delete_req, read_req, tombstone_req,
};
use proto::{StreamIdentifier, WrongExpectedVersion, uuid, wrong_expected_version};

const STREAMS: &str = "/event_store.client.streams.Streams";

pub struct Wire(tonic::client::Grpc<Channel>);

impl Wire {
    pub async fn to(node: &event_store_node::Node) -> Self {
        let channel = Channel::from_shared(format!("http://{}", node.address())).expect("an address");
        Self(tonic::client::Grpc::new(channel.connect().await.expect("a connection")))
    }

    pub async fn append(&mut self, messages: Vec<append_req::Content>) -> Result<AppendResp, Status> {
        let messages = messages.into_iter().map(|content| AppendReq { content: Some(content) });
        self.0.ready().await.expect("a connection");
        let path = format!("{STREAMS}/Append").parse().expect("a path");
        let request = Request::new(stream::iter(messages));
        self.0.client_streaming(request, path, ProstCodec::default()).await.map(tonic::Response::into_inner)
    }

    pub async fn batch(&mut self, messages: Vec<BatchAppendReq>, stay: Duration) -> Vec<BatchAppendResp> {
        self.0.ready().await.expect("a connection");
        let path = format!("{STREAMS}/BatchAppend").parse().expect("a path");
        let linger = stream::once(tokio::time::sleep(stay)).filter_map(|()| async { None });
        let request = Request::new(stream::iter(messages).chain(linger));
        let answers =
            self.0.streaming(request, path, ProstCodec::default()).await.expect("a call").into_inner();
        within(answers.try_collect()).await.expect("answers")
    }

    pub async fn delete(&mut self, options: delete_req::Options) -> Result<DeleteResp, Status> {
        self.unary_of("Delete", DeleteReq { options: Some(options) }).await
    }

    pub async fn tombstone(&mut self, options: tombstone_req::Options) -> Result<TombstoneResp, Status> {
        self.unary_of("Tombstone", TombstoneReq { options: Some(options) }).await
    }

    async fn unary_of<Q, A>(&mut self, call: &str, request: Q) -> Result<A, Status>
    where
        Q: Message + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        self.0.ready().await.expect("a connection");
        let path = format!("{STREAMS}/{call}").parse().expect("a path");
        self.0
            .unary(Request::new(request), path, ProstCodec::default())
            .await
            .map(tonic::Response::into_inner)
    }

    pub async fn read(&mut self, options: read_req::Options) -> Result<Vec<Content>, Status> {
        self.0.ready().await.expect("a connection");
        let path = format!("{STREAMS}/Read").parse().expect("a path");
        let request = Request::new(ReadReq { options: Some(options) });
        let answers = self.0.server_streaming(request, path, ProstCodec::<_, ReadResp>::default()).await?;
        answers.into_inner().map_ok(|answer| answer.content.expect("content")).try_collect().await
    }

    async fn unary(&mut self, path: &'static str) -> Result<(), Status> {
        self.0.ready().await.expect("a connection");
        let codec = ProstCodec::<(), ()>::default();
        self.0.unary(Request::new(()), http::uri::PathAndQuery::from_static(path), codec).await.map(|_| ())
    }
}

pub fn stream_name(name: &str) -> Option<StreamIdentifier> {
    Some(StreamIdentifier { stream_name: Bytes::copy_from_slice(name.as_bytes()) })
}

pub(crate) fn text_id(id: u128) -> Option<proto::Uuid> {
    Some(proto::Uuid { value: Some(uuid::Value::String(::uuid::Uuid::from_u128(id).to_string())) })
}

pub fn options(stream: &str) -> append_req::Content {
    append_req::Content::Options(append_req::Options {
        stream_identifier: stream_name(stream),
        expected_stream_revision: Some(append_req::options::ExpectedStreamRevision::NoStream(())),
    })
}

fn properties(keys: &[&str]) -> HashMap<String, String> {
    keys.iter().map(|key| ((*key).to_owned(), "application/json".to_owned())).collect()
}

pub fn message(id: u128, keys: &[&str], bytes: usize) -> append_req::Content {
    append_req::Content::ProposedMessage(append_req::ProposedMessage {
        id: text_id(id),
        metadata: properties(keys),
        custom_metadata: Bytes::new(),
        data: vec![7; bytes].into(),
    })
}

pub fn trailers(status: &Status) -> Vec<(String, String)> {
    let text = |value: &tonic::metadata::MetadataValue<tonic::metadata::Ascii>| {
        value.to_str().expect("text").to_owned()
    };
    let mut found: Vec<_> = status
        .metadata()
        .iter()
        .filter_map(|entry| match entry {
            tonic::metadata::KeyAndValueRef::Ascii(key, value) => {
                Some((key.as_str().to_owned(), text(value)))
            }
            tonic::metadata::KeyAndValueRef::Binary(..) => None,
        })
        .filter(|(key, _)| !["date", "content-type", "content-length"].contains(&key.as_str()))
        .collect();
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_appends_carry_the_trailers_that_clients_look_at() {
    let running = start().await;
    let mut wire = Wire::to(&running.node).await;
    let all = ["type", "content-type"];
    let refused = wire.append(vec![options("a-1"), message(1, &["type"], 1)]).await.expect_err("refused");
    assert_eq!(refused.code(), Code::InvalidArgument);
    let expected = [
        ("exception", "missing-required-metadata-property"),
        ("required-metadata-properties", "type,content-type"),
    ];
    assert_eq!(trailers(&refused), expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    let large = message(1, &all, MAX_APPEND_BYTES as usize + 1);
    let refused = wire.append(vec![options("a-1"), large]).await.expect_err("refused");
    assert_eq!(refused.code(), Code::InvalidArgument);
    let expected = [("exception", "maximum-append-size-exceeded"), ("maximum-append-size", "262144")];
    assert_eq!(trailers(&refused), expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    for nonsense in [
        vec![],
        vec![message(1, &all, 1)],
        vec![options("a-1"), options("a-1")],
        vec![options(""), message(1, &all, 1)],
        vec![options("$$"), message(1, &all, 1)],
        vec![options("$all"), message(1, &all, 1)],
        vec![options("a-1"), message(0, &all, 1)],
    ] {
        let refused = wire.append(nonsense.clone()).await.expect_err("refused");
        assert_eq!(refused.code(), Code::InvalidArgument, "{nonsense:?}");
    }
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_expected_version_fills_both_generations_of_fields() {
    let running = start().await;
    running.client.append_to_stream("a-1", &Default::default(), events(0..3)).await.expect("written");
    let mut wire = Wire::to(&running.node).await;
    let answer =
        wire.append(vec![options("a-1"), message(1, &["type", "content-type"], 1)]).await.expect("answered");
    let Some(append_resp::Result::WrongExpectedVersion(refused)) = answer.result else {
        panic!("{answer:?}")
    };
    use append_resp::wrong_expected_version::*;
    let expected = append_resp::WrongExpectedVersion {
        current_revision_option_20_6_0: Some(CurrentRevisionOption2060::CurrentRevision2060(2)),
        expected_revision_option_20_6_0: Some(ExpectedRevisionOption2060::ExpectedRevision2060(u64::MAX)),
        current_revision_option: Some(CurrentRevisionOption::CurrentRevision(2)),
        expected_revision_option: Some(ExpectedRevisionOption::ExpectedNoStream(())),
    };
    assert_eq!(refused, expected);
    running.node.shutdown().await;
}

pub fn batch_message(correlation: u128, with_options: bool, ids: &[u128], is_final: bool) -> BatchAppendReq {
    let options = batch::Options {
        stream_identifier: stream_name("a-1"),
        expected_stream_position: Some(batch::options::ExpectedStreamPosition::NoStream(())),
        deadline_option: None,
    };
    let event = |id: &u128| batch::ProposedMessage {
        id: text_id(*id),
        metadata: properties(&["type", "content-type"]),
        custom_metadata: Bytes::new(),
        data: Bytes::from_static(b"{}"),
    };
    BatchAppendReq {
        correlation_id: text_id(correlation),
        options: with_options.then_some(options),
        proposed_messages: ids.iter().map(event).collect(),
        is_final,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_append_may_come_in_pieces_and_its_refusal_is_packed() {
    let running = start().await;
    let mut wire = Wire::to(&running.node).await;
    let messages = vec![
        batch_message(1, true, &[11], false),
        batch_message(2, true, &[21], false),
        batch_message(9, false, &[91], true),
        batch_message(1, false, &[12, 13], true),
        batch_message(2, false, &[], true),
    ];
    let answers = wire.batch(messages, Duration::ZERO).await;
    assert_eq!(answers.len(), 2, "what nobody began is passed over");
    assert_eq!(answers[0].correlation_id, text_id(1), "in the form in which it came");
    assert_eq!(answers[0].stream_identifier, stream_name("a-1"));
    let Some(batch_append_resp::Result::Success(success)) = &answers[0].result else { panic!("{answers:?}") };
    let revision = batch_append_resp::success::CurrentRevisionOption::CurrentRevision(2);
    assert_eq!(success.current_revision_option, Some(revision));
    let Some(batch_append_resp::Result::Error(refused)) = &answers[1].result else { panic!("{answers:?}") };
    assert_eq!((refused.code, refused.message.as_str()), (6, "WrongExpectedVersion"));
    let detail = refused.details.as_ref().expect("a detail");
    assert_eq!(detail.type_url, "type.googleapis.com/event_store.client.WrongExpectedVersion");
    use wrong_expected_version::*;
    let expected = WrongExpectedVersion {
        current_stream_revision_option: Some(CurrentStreamRevisionOption::CurrentStreamRevision(2)),
        expected_stream_position_option: Some(ExpectedStreamPositionOption::ExpectedNoStream(())),
    };
    assert_eq!(WrongExpectedVersion::decode(&detail.value[..]), Ok(expected));
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_batch_appends_say_why_in_a_packed_detail() {
    let running = start().await;
    let mut wire = Wire::to(&running.node).await;
    let mut too_large = batch_message(1, true, &[11], true);
    too_large.proposed_messages[0].data = vec![7; MAX_APPEND_BYTES as usize + 1].into();
    let mut without_type = batch_message(2, true, &[21], true);
    without_type.proposed_messages[0].metadata = properties(&["content-type"]);
    let mut without_expectation = batch_message(3, true, &[31], true);
    without_expectation.options.as_mut().expect("options").expected_stream_position = None;
    let answers = wire.batch(vec![too_large, without_type, without_expectation], Duration::ZERO).await;
    let expected = [(1, 3, "MaximumAppendSizeExceeded"), (2, 3, "BadRequest"), (3, 3, "BadRequest")];
    assert_eq!(answers.len(), expected.len());
    for (answer, (correlation, code, kind)) in answers.iter().zip(expected) {
        assert_eq!(answer.correlation_id, text_id(correlation));
        let Some(batch_append_resp::Result::Error(refused)) = &answer.result else { panic!("{answer:?}") };
        assert_eq!((refused.code, refused.message.as_str()), (code, kind));
        let detail = refused.details.as_ref().expect("a detail");
        assert_eq!(detail.type_url, format!("type.googleapis.com/event_store.client.{kind}"));
    }
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_of_nothing_to_nothing_has_neither_revision_nor_position() {
    use append_resp::success::{CurrentRevisionOption, PositionOption};
    let running = start().await;
    let mut wire = Wire::to(&running.node).await;
    let answer = wire.append(vec![options("a-1")]).await.expect("answered");
    let expected = append_resp::Success {
        current_revision_option: Some(CurrentRevisionOption::NoStream(())),
        position_option: Some(PositionOption::NoPosition(())),
    };
    assert_eq!(answer.result, Some(append_resp::Result::Success(expected)));
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_append_that_is_not_finished_in_time_is_dropped_and_answered() {
    let running = start().await;
    let mut wire = Wire::to(&running.node).await;
    let deadline =
        |nanos| Some(batch::options::DeadlineOption::Deadline(prost_types::Duration { seconds: 0, nanos }));
    let mut late = batch_message(1, true, &[11], false);
    let mut too_late = batch_message(2, true, &[21], true);
    late.options.as_mut().expect("options").deadline_option = deadline(30_000_000);
    too_late.options.as_mut().expect("options").deadline_option = deadline(0);
    let answers = wire.batch(vec![late, too_late], Duration::from_millis(300)).await;
    assert_eq!(answers.len(), 2);
    for answer in &answers {
        let Some(batch_append_resp::Result::Error(refused)) = &answer.result else { panic!("{answers:?}") };
        assert_eq!((refused.code, refused.message.as_str()), (4, "Timeout"));
    }
    let read = wire.read(read_options("a-1", 0)).await.expect("answered");
    assert!(matches!(read[..], [Content::StreamNotFound(_)]), "{read:?}");
    running.node.shutdown().await;
}

pub fn read_options(stream: &str, compatibility: u32) -> read_req::Options {
    let stream = read::StreamOptions {
        stream_identifier: stream_name(stream),
        revision_option: Some(read::stream_options::RevisionOption::Start(())),
    };
    read_req::Options {
        stream_option: Some(read::StreamOption::Stream(stream)),
        count_option: Some(read::CountOption::Count(u64::MAX / 2)),
        filter_option: Some(read::FilterOption::NoFilter(())),
        control_option: Some(read::ControlOption { compatibility }),
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_come_in_the_form_asked_for() {
    let running = start().await;
    let mut wire = Wire::to(&running.node).await;
    let id = 0x8000_0000_0000_0001_ffff_0000_0000_0002;
    wire.append(vec![options("a-1"), message(id, &["type", "content-type"], 1)]).await.expect("written");
    let halves = uuid::Structured {
        most_significant_bits: 0x8000_0000_0000_0001_u64 as i64,
        least_significant_bits: 0xffff_0000_0000_0002_u64 as i64,
    };
    let structured = Some(proto::Uuid { value: Some(uuid::Value::Structured(halves)) });
    let text = read::UuidOption { content: Some(read::uuid_option::Content::String(())) };
    let in_halves = read::UuidOption { content: Some(read::uuid_option::Content::Structured(())) };
    for (form, expected) in
        [(None, structured.clone()), (Some(text), text_id(id)), (Some(in_halves), structured)]
    {
        let options = read_req::Options { uuid_option: form, ..read_options("a-1", 0) };
        let found = wire.read(options).await.expect("read");
        let [Content::Event(event)] = &found[..] else { panic!("{found:?}") };
        assert_eq!(event.event.as_ref().expect("an event").id, expected);
    }
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_position_of_a_stream_is_told_to_who_asks_for_it() {
    let running = start().await;
    running.client.append_to_stream("a-1", &Default::default(), events(0..1000)).await.expect("written");
    let mut wire = Wire::to(&running.node).await;
    let plain = wire.read(read_options("a-1", 0)).await.expect("read");
    assert!(plain.iter().all(|content| matches!(content, Content::Event(_))) && plain.len() == 1000);
    let mut told = wire.read(read_options("a-1", 1)).await.expect("read");
    assert_eq!(told.pop(), Some(Content::LastStreamPosition(999)));
    assert_eq!(told.len(), 1000);
    let cut = read_req::Options { count_option: Some(read::CountOption::Count(1)), ..read_options("a-1", 1) };
    let cut = wire.read(cut).await.expect("read");
    assert!(matches!(cut[..], [Content::Event(_), Content::LastStreamPosition(999)]), "{cut:?}");
    let missing = wire.read(read_options("a-2", 1)).await.expect("read");
    assert!(matches!(missing[..], [Content::StreamNotFound(_)]), "{missing:?}");
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_of_no_events_shows_none() {
    let running = start().await;
    running.client.append_to_stream("a-1", &Default::default(), events(0..3)).await.expect("written");
    let mut wire = Wire::to(&running.node).await;
    for read_direction in [0, 1] {
        let none = Some(read::CountOption::Count(0));
        let options = read_req::Options { read_direction, count_option: none, ..read_options("a-1", 0) };
        assert_eq!(wire.read(options).await.expect("read"), []);
    }
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_that_make_no_sense_are_refused() {
    let running = start().await;
    let mut wire = Wire::to(&running.node).await;
    let good = || read_options("a-1", 0);
    let all = || Some(read::StreamOption::All(read::AllOptions { all_option: None }));
    let filter = |multiplier, prefix: &str| {
        let expression =
            read::filter_options::Expression { regex: String::new(), prefix: vec![prefix.to_owned()] };
        Some(read::FilterOption::Filter(read::FilterOptions {
            filter: Some(read::filter_options::Filter::EventType(expression)),
            window: Some(read::filter_options::Window::Count(())),
            checkpoint_interval_multiplier: multiplier,
        }))
    };
    let subscribe = Some(read::CountOption::Subscription(read::SubscriptionOptions {}));
    for nonsense in [
        read_req::Options::default(),
        read_req::Options { stream_option: None, ..good() },
        read_req::Options { count_option: None, ..good() },
        read_req::Options { filter_option: filter(1, "a"), ..good() },
        read_req::Options { read_direction: 1, count_option: subscribe, ..good() },
        read_req::Options {
            stream_option: all(),
            count_option: subscribe,
            filter_option: filter(0, "a"),
            ..good()
        },
        read_options("", 0),
    ] {
        let refused = wire.read(nonsense.clone()).await.expect_err("refused");
        assert_eq!(refused.code(), Code::InvalidArgument, "{nonsense:?}");
    }
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_served_is_unimplemented() {
    let running = start().await;
    let mut wire = Wire::to(&running.node).await;
    for path in [
        "/event_store.client.operations.Operations/Shutdown",
        "/event_store.client.projections.Projections/Create",
        "/event_store.client.users.Users/Create",
    ] {
        assert_eq!(wire.unary(path).await.expect_err("refused").code(), Code::Unimplemented, "{path}");
    }
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_port_answers_http_1_1() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let running = start().await;
    let mut socket = tokio::net::TcpStream::connect(running.node.address()).await.expect("a connection");
    let request = b"GET /health/live HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n";
    socket.write_all(request).await.expect("sent");
    let mut answer = String::new();
    within(socket.read_to_string(&mut answer)).await.expect("answered");
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    running.node.shutdown().await;
}
