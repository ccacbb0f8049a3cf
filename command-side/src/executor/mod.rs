//! From a command to its acknowledged events, the same way for every aggregate: load, decide, append.
//!
//! Commands of one stream wait for each other in this process; the log's expected revision settles the rest. A state
//! may come from memory and be behind another process's writes. So from a remembered state only an acknowledged
//! append is answered; every other answer (a rejection, nothing to do, a revision that does not match, a read) is
//! given after the stream's tail was read and the answer worked out again.

mod cache;
mod loaded;
mod locks;
mod outcome;
mod prepare;
mod read;
mod request;
mod write;

use std::sync::Arc;
use std::time::Duration;

use contract::Position;
use domain::Decider;
use event_store::{EventStore, Revision, StreamId};
use observability::span;
use tracing::Instrument as _;
use uuid::Uuid;
use vault::Vault;

use self::cache::StateCache;
use self::loaded::Loaded;
use self::locks::KeyedLocks;
use self::write::WriteError;
use crate::metrics;

pub use outcome::{CommandError, Done, How};
pub use prepare::{Prepare, Ready};
pub use request::{CommandId, CommandRequest, Fingerprinted, IfMatch, Origin};

/// How often a command is decided anew because another process was quicker.
pub const MAX_ATTEMPTS: u32 = 10;

/// The pause before a command is decided anew grows by this with every attempt, with up to as much again by chance.
const CONFLICT_PAUSE: Duration = Duration::from_millis(2);

/// Carries out the commands of one kind of aggregate. Cheap to clone; clones share memory and locks. Routes and
/// sagas use the same one.
pub struct Executor<D: Aggregate> {
    shared: Arc<Shared<D>>,
}

/// A decider whose commands can be carried out: one that may cross threads.
pub trait Aggregate:
    Decider<Command: Clone + Send + Sync + 'static, Event: Send + Sync, State: Send + Sync + 'static>
    + Send
    + Sync
    + 'static
{
    /// About how much memory a state takes, kilobytes.
    #[must_use]
    fn weight(_state: &Self::State) -> usize {
        1
    }
}

struct Shared<D: Aggregate> {
    log: EventStore,
    vault: Vault,
    states: StateCache<D::State>,
    locks: KeyedLocks,
}

/// An aggregate as it stands in the log now.
#[derive(Debug, Clone, PartialEq)]
pub struct Current<S> {
    /// Its state.
    pub state: S,
    /// The revision of its last event.
    pub revision: Revision,
    /// The position of its last event.
    pub position: Position,
}

/// What a state says to a command.
enum Verdict<E> {
    /// Nothing that may be answered before the tail was read.
    NotYet,
    /// This, whatever comes behind the state.
    Answer(Result<Done, CommandError>),
    /// These events.
    Append(Vec<E>),
}

impl<D: Aggregate> Clone for Executor<D> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<D: Aggregate> Executor<D> {
    /// An executor that remembers nothing yet.
    #[must_use]
    pub fn new(log: EventStore, vault: Vault) -> Self {
        let shared = Shared { log, vault, states: StateCache::new(D::weight), locks: KeyedLocks::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Carries out a command, or answers as it was answered when its id is known.
    ///
    /// Dropping the future before it is done leaves the outcome open, and forgets the state.
    ///
    /// # Errors
    /// See [`CommandError`]: after all but [`CommandError::OutcomeUnknown`] nothing was written.
    pub async fn execute(&self, request: CommandRequest<D::Command>) -> Result<Done, CommandError> {
        self.prepare_and_execute(request.map(Ready)).await
    }

    /// The same for a command for which something has to be looked up first.
    ///
    /// # Errors
    /// As [`Executor::execute`], and whatever the preparation ends with.
    pub async fn prepare_and_execute<P: Prepare<D>>(
        &self,
        request: CommandRequest<P>,
    ) -> Result<Done, CommandError> {
        let id = request.aggregate;
        // Asked first: an answer needs it, and an event once written must be answered.
        self.position(contract::LogPosition::START).await?;
        let _turn = self.shared.locks.lock(id).await;
        let (mut loaded, mut fresh) = match self.shared.states.take(id) {
            Some(loaded) => (loaded, false),
            None => (self.load(id).await?, true),
        };
        let mut attempt = 0;
        loop {
            let events = match self.judge(&loaded, fresh, &request).await? {
                Verdict::Append(events) => events,
                Verdict::Answer(answer) => {
                    self.shared.states.put(id, loaded);
                    return answer;
                }
                Verdict::NotYet => {
                    self.catch_up(id, &mut loaded).await?;
                    fresh = true;
                    continue;
                }
            };
            match self.write(&request, events, &mut loaded).await {
                Ok(done) => {
                    self.shared.states.put(id, loaded);
                    return Ok(done);
                }
                Err(WriteError::Conflict) => {
                    metrics::record_conflict(D::CATEGORY);
                    attempt += 1;
                    if attempt == MAX_ATTEMPTS {
                        return Err(CommandError::ConflictExhausted);
                    }
                    metrics::record_retry(D::CATEGORY);
                    tokio::time::sleep(pause(attempt, request.command_id)).await;
                    self.catch_up(id, &mut loaded).await?;
                    fresh = true;
                }
                // The state is forgotten with `loaded`: the log is asked the next time.
                Err(WriteError::Failed(error)) => return Err(error),
            }
        }
    }

    /// The aggregate as it stands in the log now; `None` when it is not there.
    ///
    /// # Errors
    /// The log or the vault could not be read.
    pub async fn current(&self, id: Uuid) -> Result<Option<Current<D::State>>, CommandError> {
        let _turn = self.shared.locks.lock(id).await;
        let loaded = match self.shared.states.take(id) {
            Some(mut loaded) => {
                self.catch_up(id, &mut loaded).await?;
                loaded
            }
            None => self.load(id).await?,
        };
        let current = match loaded.tail() {
            Some(tail) => Some(Current {
                state: loaded.state.clone(),
                revision: tail.revision,
                position: self.position(tail.position).await?,
            }),
            None => None,
        };
        self.shared.states.put(id, loaded);
        Ok(current)
    }

    /// Whether the aggregate is there. What exists never ceases to, so memory may answer yes.
    ///
    /// # Errors
    /// The log could not be read.
    pub async fn exists(&self, id: Uuid) -> Result<bool, CommandError> {
        if self.remembers(id) {
            return Ok(true);
        }
        let tail = self.shared.log.tail(&stream_of::<D>(id)).await.map_err(read::unreadable)?;
        Ok(tail.is_some())
    }

    /// Whether memory alone knows that the aggregate is there.
    #[must_use]
    pub fn remembers(&self, id: Uuid) -> bool {
        self.shared.states.knows_stream(id)
    }

    /// What a state says to a command: first whether the command is known, then whether the revision matches, then
    /// what the rules say.
    async fn judge<P: Prepare<D>>(
        &self,
        loaded: &Loaded<D::State>,
        fresh: bool,
        request: &CommandRequest<P>,
    ) -> Result<Verdict<D::Event>, CommandError> {
        if let Some(answer) = self.known_answer(loaded, request).await? {
            return Ok(Verdict::Answer(answer));
        }
        let revision = loaded.tail().map(|tail| tail.revision);
        let position = self.position(loaded.position()).await?;
        let answer = if request.if_match.as_ref().is_some_and(|wanted| !wanted.holds(revision)) {
            Err(CommandError::PreconditionFailed { actual: revision, position })
        } else {
            match self.decide(&loaded.state, &request.command, position).await {
                Ok(events) if !events.is_empty() => return Ok(Verdict::Append(events)),
                Ok(_) => Ok(Done { aggregate: request.aggregate, revision, position, how: How::Unchanged }),
                Err(error) => Err(error),
            }
        };
        Ok(if fresh { Verdict::Answer(answer) } else { Verdict::NotYet })
    }

    /// Looks up what the command needs, and asks the rules.
    async fn decide<P: Prepare<D>>(
        &self,
        state: &D::State,
        prepare: &P,
        position: Position,
    ) -> Result<Vec<D::Event>, CommandError> {
        let span = tracing::info_span!(
            "decide",
            otel.name = format!("decide {}", D::CATEGORY),
            headwater.aggregate = D::CATEGORY,
        );
        let decided = async {
            let command = prepare.prepare(state, position).await?;
            D::decide(state, command).map_err(|rejection| CommandError::rejected(&rejection, position))
        };
        let decided = decided.instrument(span.clone()).await;
        match &decided {
            Ok(events) => span::note(&span, "headwater.events", span::count(events.len())),
            Err(error) => span::note(&span, "headwater.refused", error.public().code.as_str()),
        }
        decided
    }

    /// A log position as it is given out.
    async fn position(&self, at: contract::LogPosition) -> Result<Position, CommandError> {
        let log = self.shared.log.identity().await.map_err(read::unreadable)?;
        Ok(Position { log, at })
    }
}

fn stream_of<D: Decider>(id: Uuid) -> StreamId {
    StreamId::new(D::CATEGORY, &id)
}

/// Spreads processes that ran into each other; the command's id is as good as chance.
fn pause(attempt: u32, command: CommandId) -> Duration {
    let share = f64::from(command.0.as_bytes()[15].wrapping_mul(attempt as u8 | 1)) / 255.0;
    CONFLICT_PAUSE.mul_f64(f64::from(attempt) * (1.0 + share))
}
