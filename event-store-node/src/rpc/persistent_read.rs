//! A consumer of a group: its answers come in while its events go out.

use futures::stream::{self, BoxStream, StreamExt};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Request, Status, Streaming};

use super::persistent_refuse as refused;
use super::uuids::{self, UuidForm};
use super::{persistent_settings, refuse, respond};
use crate::consumer_group::Refusal;
use crate::persistent::{
    Answer, Answers, Connection, Event, GroupError, GroupKey, Peer, Source, Subscriptions,
};
use crate::proto::persistent_subscriptions::read_req::nack::Action;
use crate::proto::persistent_subscriptions::read_req::options::StreamOption;
use crate::proto::persistent_subscriptions::read_req::{Content, Options};
use crate::proto::persistent_subscriptions::read_resp::read_event::{Count, Position};
use crate::proto::persistent_subscriptions::read_resp::{
    Content as Message, ReadEvent, SubscriptionConfirmation,
};
use crate::proto::persistent_subscriptions::{ReadReq, ReadResp};
use crate::proto::streams::read_req::options::uuid_option;
use crate::socket::PeerAddress;

/// By which a client names its connection.
const CONNECTION_NAME: &str = "connection-name";

/// A consumer's outgoing half.
struct Outgoing {
    key: GroupKey,
    connection: Connection,
    form: UuidForm,
    /// The client has ended its half of the call.
    left: CancellationToken,
    /// Gone with the client; then the incoming half leaves the group.
    _open: DropGuard,
}

/// Connects a consumer and answers with its confirmation and its events.
pub(super) async fn read(
    subscriptions: &Subscriptions,
    request: Request<Streaming<ReadReq>>,
) -> Result<BoxStream<'static, Result<ReadResp, Status>>, Status> {
    let peer = peer(&request);
    let mut incoming = request.into_inner();
    let Some(Content::Options(options)) = incoming.message().await?.and_then(|message| message.content)
    else {
        return Err(refuse::invalid("a persistent subscription begins with its options"));
    };
    let (key, buffer_size, form) = plan(options)?;
    let connected = subscriptions.connect(&key, buffer_size, peer).await;
    let connection = connected.map_err(|error| refused::group(&key, &error))?;
    let closed = CancellationToken::new();
    let left = CancellationToken::new();
    tokio::spawn(take_answers(incoming, connection.answers(), closed.clone(), left.clone()));
    let confirmation = message(Message::SubscriptionConfirmation(SubscriptionConfirmation {
        subscription_id: key.to_string(),
    }));
    let outgoing = Outgoing { key, connection, form, left, _open: closed.drop_guard() };
    let events = stream::unfold(Some(outgoing), |outgoing| async move {
        let mut outgoing = outgoing?;
        match outgoing.next().await? {
            Ok(event) => Some((Ok(event), Some(outgoing))),
            Err(status) => Some((Err(status), None)),
        }
    });
    Ok(stream::once(async { Ok(confirmation) }).chain(events).boxed())
}

impl Outgoing {
    /// The next event, or why there is none any more; nothing after the client itself ended the call.
    async fn next(&mut self) -> Option<Result<ReadResp, Status>> {
        let ended = tokio::select! {
            biased;
            ended = &mut self.connection.end => ended,
            event = self.connection.events.recv() => match event {
                Some(event) => return Some(Ok(read_event(&event, self.form))),
                None => (&mut self.connection.end).await,
            },
        };
        match ended {
            Ok(error) => Some(Err(refused::group(&self.key, &error))),
            Err(_) if self.left.is_cancelled() => None,
            // Clients take a call that simply ends for their own doing.
            Err(_) => Some(Err(refused::group(&self.key, &GroupError::NotReady))),
        }
    }
}

/// Hands a consumer's answers to the group until either side ends the call, then leaves the group.
async fn take_answers(
    mut incoming: Streaming<ReadReq>,
    answers: Answers,
    closed: CancellationToken,
    left: CancellationToken,
) {
    loop {
        let message = tokio::select! {
            () = closed.cancelled() => break,
            message = incoming.message() => message,
        };
        let Ok(Some(message)) = message else {
            left.cancel();
            break;
        };
        let (ids, answer) = match message.content {
            Some(Content::Ack(ack)) => (ack.ids, Answer::Done),
            Some(Content::Nack(nack)) => {
                let answer = match nack.action() {
                    Action::Park => Answer::Refused(Refusal::Park, nack.reason),
                    Action::Retry | Action::Unknown => Answer::Refused(Refusal::Retry, nack.reason),
                    Action::Skip => Answer::Refused(Refusal::Skip, nack.reason),
                    Action::Stop => Answer::Done,
                };
                (nack.ids, answer)
            }
            // Options once more, or nothing that is known: there is nothing to be done about it.
            Some(Content::Options(_)) | None => continue,
        };
        let ids = ids.iter().filter_map(|id| uuids::from_wire(Some(id))).collect();
        if !answers.answer(ids, answer).await {
            break;
        }
    }
    answers.leave().await;
}

fn plan(options: Options) -> Result<(GroupKey, usize, UuidForm), Status> {
    let source = match options.stream_option {
        Some(StreamOption::StreamIdentifier(stream)) => persistent_settings::stream_source(Some(&stream))?,
        Some(StreamOption::All(())) => Source::All,
        None => return Err(refuse::invalid("a persistent subscription says what it is to")),
    };
    let key = persistent_settings::key(source, options.group_name)?;
    let buffer_size = usize::try_from(options.buffer_size).ok().filter(|size| *size > 0);
    let buffer_size = buffer_size.ok_or_else(|| refuse::invalid("a buffer has room for at least 1 event"))?;
    let form = match options.uuid_option.and_then(|option| option.content) {
        Some(uuid_option::Content::String(())) => UuidForm::Text,
        Some(uuid_option::Content::Structured(())) | None => UuidForm::Structured,
    };
    Ok((key, buffer_size, form))
}

fn peer(request: &Request<Streaming<ReadReq>>) -> Peer {
    let address = request.extensions().get::<PeerAddress>().and_then(|address| address.0);
    let name = request.metadata().get(CONNECTION_NAME).and_then(|name| name.to_str().ok());
    Peer { address, connection_name: name.map(str::to_owned) }
}

fn read_event(event: &Event, form: UuidForm) -> ReadResp {
    let record = respond::recorded(event.record().clone(), form);
    let position = Some(Position::CommitPosition(event.record().position.0));
    let (event_part, link) = match event.target() {
        None => (Some(record), None),
        Some(target) => (target.cloned().map(|target| respond::recorded(target, form)), Some(record)),
    };
    let count = i32::try_from(event.retry_count).unwrap_or(i32::MAX);
    message(Message::Event(ReadEvent {
        event: event_part,
        link,
        position,
        count: Some(Count::RetryCount(count)),
    }))
}

fn message(content: Message) -> ReadResp {
    ReadResp { content: Some(content) }
}
