//! A saga that moves money: withdraw, deposit; when the deposit is refused, give back. And the bank that carries its
//! commands out: it appends what happened, under the command's id.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use contract::LogPosition;
use engine::{
    DecodeFailure, Decoder, Dispatch, DispatchError, FoldError, Outgoing, Projection, Reaction, Recorded,
    Refusal, Saga, Table, saga_table,
};
use event_store::{AppendError, EventId, EventStore, Expected, Metadata, NewEvent, RecordedEvent, StreamId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::fixture::{Database, Log, Running};

pub const TRANSFER: &str = "transfer";

/// Each is of the transfer in whose stream it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// A reminder is due so many milliseconds later, unless it is over by then.
    Asked {
        cents: i64,
        remind_ms: i64,
    },
    Withdrawn,
    Deposited,
    GivenBack,
    Reminded,
    Refused {
        code: Option<String>,
    },
    /// Somebody settled it by hand.
    Settled,
    /// Somebody found that it cannot go on.
    Disputed,
    /// Cannot be decoded before there is a key.
    Sealed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    Withdraw { cents: i64 },
    Deposit { cents: i64 },
    GiveBack { cents: i64 },
    Remind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    Withdrawing,
    Depositing,
    GivingBack,
    Over,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    cents: i64,
    step: Step,
    disputed: bool,
}

pub struct Transfers;

static TRANSFERS: Table = saga_table("transfers");

impl Saga for Transfers {
    type Event = Event;
    type State = State;
    type Command = Command;

    fn name(&self) -> &'static str {
        "transfer"
    }

    fn table(&self) -> &'static Table {
        &TRANSFERS
    }

    fn id(&self, event: &Recorded<Event>) -> Option<Uuid> {
        event.stream.id().filter(|_| event.event != Event::Sealed)
    }

    fn fold(
        &self,
        _: Uuid,
        state: Option<State>,
        event: &Recorded<Event>,
    ) -> Result<Option<State>, FoldError> {
        if let Event::Asked { cents, .. } = event.event {
            return Ok(Some(State { cents, step: Step::Withdrawing, disputed: false }));
        }
        let mut state = state.ok_or_else(|| FoldError::new("there is no such transfer"))?;
        match &event.event {
            Event::Withdrawn => state.step = Step::Depositing,
            Event::Deposited | Event::GivenBack => state.step = Step::Over,
            Event::Settled => state = State { step: Step::Over, disputed: false, ..state },
            Event::Disputed => state.disputed = true,
            Event::Refused { code: Some(_) } if state.step == Step::Depositing => {
                state.step = Step::GivingBack;
            }
            Event::Asked { .. } | Event::Reminded | Event::Refused { .. } | Event::Sealed => {}
        }
        Ok(Some(state))
    }

    fn react(
        &self,
        before: Option<&State>,
        event: &Recorded<Event>,
        after: &State,
    ) -> Vec<Reaction<Command>> {
        let cents = after.cents;
        if let Event::Asked { remind_ms, .. } = event.event {
            let remind = Reaction::SendAfter(SignedDuration::from_millis(remind_ms), Command::Remind);
            return vec![Reaction::Send(Command::Withdraw { cents }), remind];
        }
        if before.map(|state| state.step) == Some(after.step) {
            return vec![];
        }
        match after.step {
            Step::Withdrawing => vec![],
            Step::Depositing => vec![Reaction::Send(Command::Deposit { cents })],
            Step::GivingBack => vec![Reaction::Send(Command::GiveBack { cents })],
            Step::Over => vec![
                Reaction::Withdraw(Command::Withdraw { cents }),
                Reaction::Withdraw(Command::Deposit { cents }),
                Reaction::Withdraw(Command::Remind),
            ],
        }
    }

    fn step(&self, state: &State) -> &'static str {
        match state.step {
            Step::Withdrawing => "WITHDRAWING",
            Step::Depositing => "DEPOSITING",
            Step::GivingBack => "GIVING_BACK",
            Step::Over => "OVER",
        }
    }

    fn is_over(&self, state: &State) -> bool {
        state.step == Step::Over
    }

    fn trouble(&self, state: &State) -> Option<String> {
        state.disputed.then(|| "disputed".to_owned())
    }

    fn refusal(&self, event: &Recorded<Event>) -> Option<Refusal> {
        let Event::Refused { code } = &event.event else { return None };
        Some(Refusal { code: code.clone(), message: "the bank will not".to_owned() })
    }
}

#[derive(Default)]
pub struct TransferDecoder {
    pub has_key: AtomicBool,
}

#[async_trait]
impl Decoder<Event> for TransferDecoder {
    async fn decode(&self, record: &RecordedEvent) -> Result<Option<Event>, DecodeFailure> {
        let event = serde_json::from_slice(&record.data)
            .map_err(|error| DecodeFailure::Malformed(error.to_string()))?;
        if event == Event::Sealed && !self.has_key.load(Ordering::SeqCst) {
            return Err(DecodeFailure::Retry("there is no key".to_owned()));
        }
        Ok(Some(event))
    }
}

/// How the bank answers a command.
pub enum Answer {
    Done,
    /// With this code; without one it had nothing to change.
    Refuse(Option<&'static str>),
    Fail,
    NotYet,
    Panic,
    /// Waits for a permit, then does it.
    AtGate(Arc<Semaphore>),
}

#[derive(Debug, Clone, Copy)]
pub struct Call {
    pub transfer: Uuid,
    pub id: Uuid,
    pub command: Command,
    pub at: Timestamp,
}

/// By the command and how often its id has come before.
type Rule = dyn Fn(&Outgoing<Command>, usize) -> Answer + Send + Sync;

/// Carries commands out, as the rule says, and keeps a record of every call.
pub struct Bank {
    store: EventStore,
    rule: Box<Rule>,
    calls: Mutex<Vec<Call>>,
}

impl Bank {
    pub fn new(
        log: &Log,
        rule: impl Fn(&Outgoing<Command>, usize) -> Answer + Send + Sync + 'static,
    ) -> Arc<Bank> {
        Arc::new(Bank { store: log.store.clone(), rule: Box::new(rule), calls: Mutex::default() })
    }

    /// Every call so far, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    pub fn calls_of(&self, transfer: Uuid) -> Vec<Command> {
        self.calls().iter().filter(|call| call.transfer == transfer).map(|call| call.command).collect()
    }

    /// No command was sent twice.
    pub fn assert_each_once(&self) {
        let mut ids: Vec<Uuid> = self.calls().iter().map(|call| call.id).collect();
        let calls = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), calls, "{:?}", self.calls());
    }
}

#[async_trait]
impl Dispatch<Command> for Bank {
    async fn dispatch(&self, outgoing: &Outgoing<Command>) -> Result<(), DispatchError> {
        let id = outgoing.command_id;
        let nth = {
            let mut calls = self.calls.lock().unwrap();
            let nth = calls.iter().filter(|call| call.id == id).count();
            let (transfer, command) = (outgoing.saga_id, outgoing.command);
            calls.push(Call { transfer, id, command, at: Timestamp::now() });
            nth
        };
        let event = match (self.rule)(outgoing, nth) {
            Answer::Done => outcome(outgoing.command),
            Answer::Refuse(code) => Event::Refused { code: code.map(str::to_owned) },
            Answer::Fail => return Err(DispatchError::Failed("the bank is closed".to_owned())),
            Answer::NotYet => return Err(DispatchError::NotYet),
            Answer::Panic => panic!("the bank is on fire"),
            Answer::AtGate(gate) => {
                gate.acquire().await.unwrap().forget();
                outcome(outgoing.command)
            }
        };
        append(&self.store, outgoing.saga_id, &event, id).await;
        Ok(())
    }
}

fn outcome(command: Command) -> Event {
    match command {
        Command::Withdraw { .. } => Event::Withdrawn,
        Command::Deposit { .. } => Event::Deposited,
        Command::GiveBack { .. } => Event::GivenBack,
        Command::Remind => Event::Reminded,
    }
}

const APPEND_TRIES: u32 = 5;

/// Appends to the transfer's stream, as the answer to this command.
pub async fn append(store: &EventStore, transfer: Uuid, event: &Event, command: Uuid) -> LogPosition {
    let event = NewEvent {
        id: EventId(Uuid::new_v5(&command, b"event")),
        event_type: Cow::Borrowed("Transfer"),
        data: Bytes::from(serde_json::to_vec(event).unwrap()),
        metadata: Metadata::of_command(command, 1, Timestamp::now()),
    };
    let stream = StreamId::new(TRANSFER, &transfer);
    // An outcome that is not known, as when a crash cancels many calls of the connection at once, is settled by the very same
    // once more.
    for _ in 0..APPEND_TRIES {
        match store.append(&stream, Expected::Any, vec![event.clone()]).await {
            Err(AppendError::Unknown(_)) => {}
            appended => return appended.unwrap().position,
        }
    }
    panic!("the log does not say whether it took the event");
}

/// Appends something that is nobody's answer.
pub async fn happens(log: &Log, transfer: Uuid, event: Event) -> LogPosition {
    append(&log.store, transfer, &event, Uuid::new_v4()).await
}

/// Asks for a transfer whose reminder is an hour away.
pub async fn ask(log: &Log) -> Uuid {
    let transfer = Uuid::new_v4();
    happens(log, transfer, Event::Asked { cents: 100, remind_ms: 3_600_000 }).await;
    transfer
}

pub fn projection(bank: &Arc<Bank>) -> Projection<Event> {
    let dispatch: Arc<dyn Dispatch<Command>> = bank.clone();
    Projection::saga(1, &[TRANSFER], Transfers, dispatch)
}

/// An engine with the saga alone.
pub fn start(log: &Log, database: &Database, bank: &Arc<Bank>) -> Running {
    Running::with(log, database, vec![projection(bank)], Arc::new(TransferDecoder::default()))
}

/// The row of a transfer, as far as tests look.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    pub step: String,
    pub stuck_reason: Option<String>,
    pub over: bool,
    pub pending: usize,
}

pub async fn standing(database: &Database, transfer: Uuid) -> Option<Standing> {
    let query =
        "SELECT step, stuck_reason, over, jsonb_array_length(outbox) FROM transfers_v1 WHERE saga_id = $1";
    let row = database.pool.get().await.unwrap().query_opt(query, &[&transfer]).await.unwrap()?;
    let pending = usize::try_from(row.get::<_, i32>(3)).unwrap();
    Some(Standing { step: row.get(0), stuck_reason: row.get(1), over: row.get(2), pending })
}

/// Waits until the row of the transfer is as wanted.
pub async fn until(database: &Database, transfer: Uuid, wanted: impl Fn(&Standing) -> bool) -> Standing {
    let mut last = None;
    let reached = eventually(async || {
        last = standing(database, transfer).await;
        last.as_ref().is_some_and(&wanted)
    });
    assert!(reached.await, "the transfer never came there: {last:?}");
    last.unwrap()
}

/// Whether it becomes true before patience is at an end.
pub async fn eventually(mut holds: impl AsyncFnMut() -> bool) -> bool {
    let deadline = tokio::time::Instant::now() + crate::fixture::PATIENCE;
    while tokio::time::Instant::now() < deadline {
        if holds().await {
            return true;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    false
}

pub const TABLE: &str = "
    CREATE TABLE transfers_v1 (saga_id uuid PRIMARY KEY, step text NOT NULL, state jsonb NOT NULL, outbox jsonb NOT NULL,
        due_at timestamptz, stuck_reason text, over boolean NOT NULL, updated_position bigint NOT NULL);
    CREATE INDEX ON transfers_v1 (due_at) WHERE due_at IS NOT NULL;
    CREATE INDEX ON transfers_v1 (saga_id) WHERE stuck_reason IS NOT NULL;
";
