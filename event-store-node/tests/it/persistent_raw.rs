//! Persistent subscriptions on the wire, for what the official client does not show or never sends.

use futures::{StreamExt, stream};
use tokio::sync::mpsc;
use tonic::transport::Channel;
use tonic::{Code, Request, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::raw::proto::persistent_subscriptions::{
    AllOptions, CreateReq, CreateResp, GetInfoReq, GetInfoResp, GroupOptions, Position, ReadReq, ReadResp,
    ReplayParkedReq, ReplayParkedResp, Settings, all_options, get_info_req, group_options, read_req,
    read_resp, replay_parked_req, settings,
};
use crate::raw::proto::streams::read_req::options as read;
use crate::raw::proto::{self, uuid};
use crate::raw::{stream_name, text_id, trailers};
use crate::support::{event, events, expect, start, within};

const SERVICE: &str = "/event_store.client.persistent_subscriptions.PersistentSubscriptions";

struct Wire(tonic::client::Grpc<Channel>);

/// A consumer's call: what it says, and what it is told.
struct Call {
    say: mpsc::Sender<ReadReq>,
    told: Streaming<ReadResp>,
}

impl Wire {
    async fn to(node: &event_store_node::Node) -> Self {
        let channel = Channel::from_shared(format!("http://{}", node.address())).expect("an address");
        Self(tonic::client::Grpc::new(channel.connect().await.expect("a connection")))
    }

    async fn ask<Q, A>(&mut self, method: &str, request: Q) -> Result<A, Status>
    where
        Q: prost::Message + Default + Send + Sync + 'static,
        A: prost::Message + Default + Send + Sync + 'static,
    {
        self.0.ready().await.expect("a connection");
        let path = format!("{SERVICE}/{method}").parse().expect("a path");
        let answer = self.0.unary(Request::new(request), path, ProstCodec::<Q, A>::default()).await;
        answer.map(tonic::Response::into_inner)
    }

    async fn create(&mut self, options: GroupOptions) -> Result<CreateResp, Status> {
        self.ask("Create", CreateReq { options: Some(options) }).await
    }

    async fn info(&mut self, stream: Option<&str>, group: &str) -> Result<GetInfoResp, Status> {
        use get_info_req::options::StreamOption;
        let stream_option = match stream {
            Some(stream) => StreamOption::StreamIdentifier(stream_name(stream).expect("a name")),
            None => StreamOption::All(()),
        };
        let options =
            get_info_req::Options { stream_option: Some(stream_option), group_name: group.to_owned() };
        self.ask("GetInfo", GetInfoReq { options: Some(options) }).await
    }

    async fn read(&mut self, first: read_req::Content) -> Result<Call, Status> {
        self.0.ready().await.expect("a connection");
        let path = format!("{SERVICE}/Read").parse().expect("a path");
        let (say, said) = mpsc::channel(10);
        say.send(ReadReq { content: Some(first) }).await.expect("said");
        let said = stream::unfold(said, |mut said| async move { said.recv().await.map(|next| (next, said)) });
        let answer = self.0.streaming(Request::new(said), path, ProstCodec::default()).await?;
        Ok(Call { say, told: answer.into_inner() })
    }
}

impl Call {
    async fn next(&mut self) -> Option<Result<read_resp::Content, Status>> {
        within(self.told.next()).await.map(|told| told.map(|told| told.content.expect("content")))
    }

    async fn event(&mut self) -> read_resp::ReadEvent {
        match self.next().await {
            Some(Ok(read_resp::Content::Event(event))) => event,
            other => panic!("{other:?}"),
        }
    }

    async fn say(&self, content: read_req::Content) {
        self.say.send(ReadReq { content: Some(content) }).await.expect("said");
    }
}

fn settings() -> Settings {
    Settings {
        message_timeout: Some(settings::MessageTimeout::MessageTimeoutTicks(300_000_000)),
        max_retry_count: 1,
        checkpoint_after: Some(settings::CheckpointAfter::CheckpointAfterTicks(20_000)),
        min_checkpoint_count: 1,
        max_checkpoint_count: 10,
        live_buffer_size: 50,
        read_batch_size: 5,
        history_buffer_size: 50,
        ..Settings::default()
    }
}

/// As old clients ask for a group: the stream and the start in the first fields there were.
fn old(stream: &str, revision: u64) -> GroupOptions {
    GroupOptions {
        stream_identifier: stream_name(stream),
        group_name: "g".to_owned(),
        settings: Some(Settings { revision, ..settings() }),
        stream_option: None,
    }
}

#[tokio::test]
async fn the_end_of_a_stream_may_be_told_by_the_greatest_revision() {
    // As the Node clients do, in the field that the protocol no longer names.
    let running = start().await;
    let any = expect(eventstore::ExpectedRevision::Any);
    running.client.append_to_stream("a-1", &any, events(0..3)).await.expect("appended");
    let mut wire = Wire::to(&running.node).await;
    wire.create(old("a-1", u64::MAX)).await.expect("made");
    let info = wire.info(Some("a-1"), "g").await.expect("told").subscription_info.expect("a group");
    assert_eq!(info.start_from, "-1");
    running.node.shutdown().await;
}

fn all(position: Position, filter: Option<all_options::FilterOption>) -> GroupOptions {
    let all =
        AllOptions { all_option: Some(all_options::AllOption::Position(position)), filter_option: filter };
    GroupOptions {
        group_name: "g".to_owned(),
        settings: Some(settings()),
        stream_option: Some(group_options::StreamOption::All(all)),
        stream_identifier: None,
    }
}

fn consumer(stream: &str, form: Option<read::UuidOption>) -> read_req::Content {
    use read_req::options::StreamOption;
    read_req::Content::Options(read_req::Options {
        stream_option: Some(StreamOption::StreamIdentifier(stream_name(stream).expect("a name"))),
        group_name: "g".to_owned(),
        buffer_size: 1,
        uuid_option: form,
    })
}

fn expected(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_carry_the_trailers_that_clients_look_at() {
    let running = start().await;
    let mut wire = Wire::to(&running.node).await;
    let missing = wire.info(Some("ä-1"), "g").await.expect_err("refused");
    assert_eq!(missing.code(), Code::NotFound);
    let companions =
        |exception| expected(&[("exception", exception), ("group-name", "g"), ("stream-name", "\\u{e4}-1")]);
    assert_eq!(trailers(&missing), companions("persistent-subscription-does-not-exist"));
    wire.create(old("ä-1", 0)).await.expect("a group");
    let twice = wire.create(old("ä-1", 0)).await.expect_err("refused");
    assert_eq!(twice.code(), Code::AlreadyExists);
    assert_eq!(trailers(&twice), companions("persistent-subscription-exists"));
    let pinned = GroupOptions {
        settings: Some(Settings { consumer_strategy: "PinnedByCorrelation".to_owned(), ..settings() }),
        ..old("a-2", 0)
    };
    let refused = wire.create(pinned).await.expect_err("refused");
    assert_eq!(refused.code(), Code::Internal);
    let reason =
        "the consumer strategy PinnedByCorrelation is not supported; take RoundRobin or DispatchToSingle";
    let pairs = [
        ("exception", "persistent-subscription-failed"),
        ("group-name", "g"),
        ("reason", reason),
        ("stream-name", "a-2"),
    ];
    assert_eq!(trailers(&refused), expected(&pairs));
    let backwards = all(Position { commit_position: 1, prepare_position: 2 }, None);
    let refused = wire.create(backwards).await.expect_err("refused");
    assert_eq!(trailers(&refused)[0].1, "persistent-subscription-failed");
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_make_no_sense_are_refused() {
    let running = start().await;
    let mut wire = Wire::to(&running.node).await;
    let no_filter = read::FilterOptions { filter: None, window: None, checkpoint_interval_multiplier: 1 };
    for nonsense in [
        old("", 0),
        GroupOptions { group_name: String::new(), ..old("a-1", 0) },
        GroupOptions { settings: None, ..old("a-1", 0) },
        all(Position::default(), Some(all_options::FilterOption::Filter(no_filter))),
    ] {
        let refused = wire.create(nonsense.clone()).await.expect_err("refused");
        assert_eq!(refused.code(), Code::InvalidArgument, "{nonsense:?}");
    }
    wire.create(old("a-1", 0)).await.expect("a group");
    let no_options =
        wire.read(read_req::Content::Ack(read_req::Ack::default())).await.err().expect("refused");
    assert_eq!(no_options.code(), Code::InvalidArgument);
    let read_req::Content::Options(options) = consumer("a-1", None) else { panic!("options") };
    for nonsense in [
        read_req::Options { buffer_size: 0, ..options.clone() },
        read_req::Options { buffer_size: -1, ..options.clone() },
        read_req::Options { stream_option: None, ..options },
    ] {
        let refused = wire.read(read_req::Content::Options(nonsense)).await.err().expect("refused");
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
    let options = replay_parked_req::Options {
        group_name: "g".to_owned(),
        stream_option: Some(replay_parked_req::options::StreamOption::StreamIdentifier(
            stream_name("a-1").expect("a name"),
        )),
        stop_at_option: Some(replay_parked_req::options::StopAtOption::StopAt(-1)),
    };
    let refused: Result<ReplayParkedResp, _> =
        wire.ask("ReplayParked", ReplayParkedReq { options: Some(options) }).await;
    assert_eq!(refused.expect_err("refused").code(), Code::InvalidArgument);
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_is_confirmed_and_answers_in_either_form_of_ids() {
    let running = start().await;
    for number in 0..4 {
        running.client.append_to_stream("a-1", &Default::default(), event(number)).await.expect("written");
    }
    let mut wire = Wire::to(&running.node).await;
    wire.create(old("a-1", 1)).await.expect("a group");
    let text = read::UuidOption { content: Some(read::uuid_option::Content::String(())) };
    let mut call = wire.read(consumer("a-1", Some(text))).await.expect("a consumer");
    let Some(Ok(read_resp::Content::SubscriptionConfirmation(confirmation))) = call.next().await else {
        panic!("no confirmation")
    };
    assert_eq!(confirmation.subscription_id, "a-1::g");
    let first = call.event().await;
    let record = first.event.expect("an event");
    assert_eq!((record.stream_revision, first.count), (1, Some(read_resp::read_event::Count::RetryCount(0))));
    let position = read_resp::read_event::Position::CommitPosition(record.commit_position);
    assert_eq!(first.position, Some(position));
    let Some(proto::Uuid { value: Some(uuid::Value::String(_)) }) = &record.id else { panic!("{record:?}") };
    // An id that nobody knows, one that is none, and the same message twice do no harm.
    let ids = vec![text_id(99).expect("an id"), proto::Uuid { value: None }, record.id.expect("an id")];
    let ack = read_req::Ack { id: "whatever".into(), ids };
    call.say(read_req::Content::Ack(ack.clone())).await;
    call.say(read_req::Content::Ack(ack)).await;
    call.say(consumer("a-1", None)).await;
    let second = call.event().await.event.expect("an event");
    assert_eq!(second.stream_revision, 2);
    let Some(proto::Uuid { value: Some(uuid::Value::String(id)) }) = second.id else { panic!("no id") };
    let (high, low) = ::uuid::Uuid::parse_str(&id).expect("an id").as_u64_pair();
    let halves = uuid::Structured { most_significant_bits: high as i64, least_significant_bits: low as i64 };
    let ids = vec![proto::Uuid { value: Some(uuid::Value::Structured(halves)) }];
    // An action that is not known counts as unknown: try again.
    call.say(read_req::Content::Nack(read_req::Nack { ids: ids.clone(), action: 77, ..Default::default() }))
        .await;
    let again = call.event().await;
    assert_eq!(again.count, Some(read_resp::read_event::Count::RetryCount(1)));
    call.say(read_req::Content::Ack(read_req::Ack { ids, ..Default::default() })).await;
    assert_eq!(call.event().await.event.expect("an event").stream_revision, 3);
    let Call { say, mut told } = call;
    drop(say);
    assert!(within(told.next()).await.is_none(), "who says no more has left, and the call is over");
    let info = wire.info(Some("a-1"), "g").await.expect("info").subscription_info.expect("info");
    assert_eq!((info.start_from.as_str(), info.named_consumer_strategy.as_str()), ("1", "DispatchToSingle"));
    assert_eq!((info.message_timeout_milliseconds, info.check_point_after_milliseconds), (30_000, 2));
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_dropped_and_who_is_one_too_many_are_told_so() {
    let running = start().await;
    let mut wire = Wire::to(&running.node).await;
    let single = Settings { max_subscriber_count: 1, ..settings() };
    wire.create(GroupOptions { settings: Some(single), ..old("a-1", 0) }).await.expect("a group");
    let mut call = wire.read(consumer("a-1", None)).await.expect("a consumer");
    assert!(matches!(call.next().await, Some(Ok(read_resp::Content::SubscriptionConfirmation(_)))));
    let refused = wire.read(consumer("a-1", None)).await.err().expect("refused");
    let companions =
        |exception| expected(&[("exception", exception), ("group-name", "g"), ("stream-name", "a-1")]);
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(trailers(&refused), companions("maximum-subscribers-reached"));
    running.client.delete_persistent_subscription("a-1", "g", &Default::default()).await.expect("deleted");
    let Some(Err(dropped)) = call.next().await else { panic!("not dropped") };
    assert_eq!(dropped.code(), Code::Cancelled);
    assert_eq!(trailers(&dropped), companions("persistent-subscription-dropped"));
    let missing = wire.read(consumer("a-1", None)).await.err().expect("refused");
    assert_eq!(trailers(&missing), companions("persistent-subscription-does-not-exist"));
    running.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_in_everything_are_written_as_pairs() {
    let running = start().await;
    let mut wire = Wire::to(&running.node).await;
    let written = running.client.append_to_stream("a-1", &Default::default(), event(0)).await;
    let position = written.expect("written").position.commit;
    let both = Position { commit_position: position, prepare_position: position };
    wire.create(all(both, None)).await.expect("a group");
    let info = wire.info(None, "g").await.expect("info").subscription_info.expect("info");
    assert_eq!(info.start_from, format!("C:{position}/P:{position}"));
    assert_eq!((info.event_source.as_str(), info.last_checkpointed_event_position.as_str()), ("$all", ""));
    assert!(info.last_known_event_position.starts_with("C:"), "{info:?}");
    running.node.shutdown().await;
}
