//! BatchAppend: many appends over one call, each in one or several messages that share a correlation id. Answers come
//! in the order in which the appends were complete.

use std::collections::HashMap;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};
use uuid::Uuid;

use super::batch_answer::{Outcome, Refusal, answer};
use super::batch_deadline::deadline;
use super::{propose, refuse, uuids};
use crate::proto::streams::batch_append_req::options::ExpectedStreamPosition;
use crate::proto::streams::batch_append_req::{Options, ProposedMessage};
use crate::proto::streams::{BatchAppendReq, BatchAppendResp};
use crate::proto::{self, StreamIdentifier};
use crate::storage::{AppendRequest, Expected, Pending, ProposedEvent, Revision, Storage, StreamName};

/// Appends of one call that wait for their answer; the call is not read further until one is given.
const MAX_UNANSWERED: usize = 4096;
/// Appends of one call of which only a part has come in, and their bytes.
const MAX_INCOMPLETE: usize = 1024;
const MAX_INCOMPLETE_BYTES: u64 = 32 * 1024 * 1024;

/// What the reading half hands to the answering half.
enum Step {
    Answer(Asked, Settled),
    /// The call ends with this.
    End(Status),
}

/// What an answer repeats.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) correlation: Option<proto::Uuid>,
    pub(super) stream: Option<StreamIdentifier>,
    pub(super) expected: Expected,
    /// When its first message came.
    pub(super) began: Instant,
}

enum Settled {
    Now(Refusal),
    Later(Pending, Instant),
}

/// An append of which not everything has come in yet.
struct Incomplete {
    asked: Asked,
    stream: Option<StreamName>,
    events: Vec<ProposedEvent>,
    size: u64,
    deadline: Instant,
    refusal: Option<Refusal>,
    /// It took too long and was answered; the rest of it is passed over.
    is_answered: bool,
}

/// Serves one call.
pub(super) fn serve(
    storage: Storage,
    write_timeout: Duration,
    stop: CancellationToken,
    messages: Streaming<BatchAppendReq>,
) -> BoxStream<'static, Result<BatchAppendResp, Status>> {
    let limit = storage.max_append_bytes();
    let (steps, receiver) = mpsc::channel(MAX_UNANSWERED);
    let session = Session { storage, limit, write_timeout, steps, incomplete: HashMap::new() };
    tokio::spawn(session.run(messages, stop));
    stream::unfold(receiver, move |mut receiver| async move {
        let answered = match receiver.recv().await? {
            Step::End(status) => Err(status),
            Step::Answer(asked, Settled::Now(refusal)) => Ok(answer(asked, Err(refusal), limit)),
            Step::Answer(asked, Settled::Later(pending, deadline)) => {
                let outcome: Outcome = match tokio::time::timeout_at(deadline, pending).await {
                    Ok(outcome) => outcome.map_err(Refusal::from),
                    Err(_) => Err(Refusal::Timeout),
                };
                Ok(answer(asked, outcome, limit))
            }
        };
        Some((answered, receiver))
    })
    .boxed()
}

struct Session {
    storage: Storage,
    limit: u64,
    write_timeout: Duration,
    steps: mpsc::Sender<Step>,
    incomplete: HashMap<Uuid, Incomplete>,
}

impl Session {
    /// Reads the call to its end. `Err` means that the client no longer listens.
    async fn run(mut self, mut messages: Streaming<BatchAppendReq>, stop: CancellationToken) {
        loop {
            let next_deadline = self
                .incomplete
                .values()
                .filter(|append| !append.is_answered)
                .map(|append| append.deadline)
                .min();
            let expiry = async {
                match next_deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            let step = tokio::select! {
                () = self.steps.closed() => return,
                () = stop.cancelled() => Err(refuse::stopping()),
                () = expiry => {
                    self.expire().await;
                    Ok(())
                }
                message = messages.message() => match message {
                    Ok(Some(message)) => self.take(message).await,
                    Ok(None) => return,
                    Err(status) => Err(status),
                },
            };
            if let Err(status) = step {
                // The client may be gone already.
                let _ = self.steps.send(Step::End(status)).await;
                return;
            }
        }
    }

    /// Answers what was not completed in time.
    async fn expire(&mut self) {
        let now = Instant::now();
        for append in self.incomplete.values_mut() {
            if append.deadline <= now && !append.is_answered {
                append.is_answered = true;
                append.events = Vec::new();
                append.size = 0;
                let timeout = Step::Answer(append.asked.clone(), Settled::Now(Refusal::Timeout));
                let _ = self.steps.send(timeout).await;
            }
        }
    }

    /// Takes one message, and writes its append when it was the last one of it.
    async fn take(&mut self, message: BatchAppendReq) -> Result<(), Status> {
        let BatchAppendReq { correlation_id, options, proposed_messages, is_final } = message;
        let correlation = uuids::from_wire(correlation_id.as_ref())
            .ok_or_else(|| refuse::invalid("a batch append needs a correlation id"))?;
        let mut append = match (self.incomplete.remove(&correlation), options) {
            (Some(append), _) => append,
            (None, Some(options)) => Incomplete::new(correlation_id, &options, self.write_timeout),
            (None, None) => return Ok(()),
        };
        append.add(proposed_messages, self.limit);
        if !is_final {
            let bytes: u64 = self.incomplete.values().map(|append| append.size).sum();
            if self.incomplete.len() >= MAX_INCOMPLETE || bytes + append.size > MAX_INCOMPLETE_BYTES {
                return Err(Status::resource_exhausted("too many incomplete appends on one call"));
            }
            self.incomplete.insert(correlation, append);
            return Ok(());
        }
        if append.is_answered {
            return Ok(());
        }
        let Incomplete { asked, stream, events, deadline, refusal, .. } = append;
        let settled = match (refusal, stream) {
            (None, Some(_)) if deadline <= Instant::now() => Settled::Now(Refusal::Timeout),
            (None, Some(stream)) => {
                let request = AppendRequest { stream, expected: asked.expected, events };
                match self.storage.enqueue(request).await {
                    Ok(pending) => Settled::Later(pending, deadline),
                    Err(error) => Settled::Now(error.into()),
                }
            }
            (refusal, _) => Settled::Now(refusal.unwrap_or(Refusal::Timeout)),
        };
        // An answer that nobody waits for is let go; the append itself goes on.
        let _ = self.steps.send(Step::Answer(asked, settled)).await;
        Ok(())
    }
}

impl Incomplete {
    fn new(correlation: Option<proto::Uuid>, options: &Options, write_timeout: Duration) -> Self {
        let mut refusal = None;
        let mut refuse_with = |status: &Status| refusal = Some(Refusal::Bad(status.message().to_owned()));
        let stream = propose::stream_name(options.stream_identifier.as_ref());
        let stream = stream.inspect_err(&mut refuse_with).ok();
        let expected = expected(options).inspect_err(&mut refuse_with).unwrap_or(Expected::Any);
        let deadline = deadline(options.deadline_option.as_ref(), write_timeout);
        Self {
            asked: Asked {
                correlation,
                stream: options.stream_identifier.clone(),
                expected,
                began: Instant::now(),
            },
            stream,
            events: Vec::new(),
            size: 0,
            deadline: Instant::now() + deadline,
            refusal,
            is_answered: false,
        }
    }

    fn add(&mut self, messages: Vec<ProposedMessage>, limit: u64) {
        for message in messages {
            if self.refusal.is_some() || self.is_answered {
                return;
            }
            let ProposedMessage { id, metadata, custom_metadata, data } = message;
            match propose::event(id.as_ref(), metadata, custom_metadata, data) {
                Ok(event) => {
                    self.size += event.payload_bytes();
                    self.events.push(event);
                }
                Err(status) => self.refusal = Some(Refusal::Bad(status.message().to_owned())),
            }
            if self.size > limit {
                self.events = Vec::new();
                self.size = 0;
                self.refusal = Some(Refusal::TooLarge);
            }
        }
    }
}

fn expected(options: &Options) -> Result<Expected, Status> {
    match options.expected_stream_position {
        Some(ExpectedStreamPosition::StreamPosition(revision)) => Ok(Expected::Revision(Revision(revision))),
        Some(ExpectedStreamPosition::NoStream(())) => Ok(Expected::NoStream),
        Some(ExpectedStreamPosition::Any(())) => Ok(Expected::Any),
        Some(ExpectedStreamPosition::StreamExists(())) => Ok(Expected::StreamExists),
        None => Err(refuse::invalid("an append says which revision it expects")),
    }
}
