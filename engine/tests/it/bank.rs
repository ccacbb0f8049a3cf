//! A small domain whose views use every column type, deletion, a key of two columns, and summaries over two views.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use engine::{
    Column, Contributes, DecodeFailure, Decoder, Document, Entity, EntityView, FoldError, LoadError,
    Projection, Recorded, SqlType, Stored, SummaryView, Table, Value,
};
use event_store::RecordedEvent;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub const ACCOUNT: &str = "account";
pub const NOTE: &str = "note";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    Opened {
        account: Uuid,
        owner: String,
        branch: i32,
    },
    Booked {
        account: Uuid,
        cents: i64,
    },
    Transferred {
        from: Uuid,
        to: Uuid,
        cents: i64,
    },
    /// An account with a balance stays, an empty one goes.
    Closed {
        account: Uuid,
    },
    Noted {
        text: String,
    },
}

impl Event {
    pub fn type_name(&self) -> &'static str {
        match self {
            Event::Opened { .. } => "Opened",
            Event::Booked { .. } => "Booked",
            Event::Transferred { .. } => "Transferred",
            Event::Closed { .. } => "Closed",
            Event::Noted { .. } => "Noted",
        }
    }

    fn accounts(&self) -> Vec<Uuid> {
        match self {
            Event::Opened { account, .. } | Event::Booked { account, .. } | Event::Closed { account } => {
                vec![*account]
            }
            Event::Transferred { from, to, .. } => vec![*from, *to],
            Event::Noted { .. } => vec![],
        }
    }
}

/// Decodes version 1, and version 2 if it is the decoder of a newer binary. Data under `sealed` can only be read
/// once the key is there.
#[derive(Default)]
pub struct BankDecoder {
    pub is_newer: bool,
    pub has_key: AtomicBool,
}

#[async_trait]
impl Decoder<Event> for BankDecoder {
    async fn decode(&self, record: &RecordedEvent) -> Result<Option<Event>, DecodeFailure> {
        if !["Opened", "Booked", "Transferred", "Closed", "Noted"].contains(&record.event_type.as_str()) {
            return Ok(None);
        }
        if record.metadata.schema_version > 1 && !self.is_newer {
            return Err(DecodeFailure::NeedsUpgrade(format!("version {}", record.metadata.schema_version)));
        }
        let malformed = |error: serde_json::Error| DecodeFailure::Malformed(error.to_string());
        let mut data: serde_json::Value = serde_json::from_slice(&record.data).map_err(malformed)?;
        if let Some(sealed) = data.get_mut("sealed") {
            if !self.has_key.load(Ordering::SeqCst) {
                return Err(DecodeFailure::Retry("there is no key".to_owned()));
            }
            data = sealed.take();
        }
        serde_json::from_value(data).map(Some).map_err(malformed)
    }
}

pub struct Accounts;

#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    owner: Option<String>,
    branch: i32,
    balance: i64,
    open: bool,
    opened_at: Timestamp,
    opened_on: Date,
    last: serde_json::Value,
}

static ACCOUNTS: Table = Table {
    name: "accounts",
    key: &[Column::new("account", SqlType::Uuid)],
    data: &[
        Column::new("owner", SqlType::Text).personal(),
        Column::new("branch", SqlType::Integer),
        Column::new("balance", SqlType::BigInt),
        Column::new("open", SqlType::Boolean),
        Column::new("opened_at", SqlType::TimestampTz),
        Column::new("opened_on", SqlType::Date),
        Column::new("last", SqlType::Jsonb),
    ],
    person: Some("account"),
    history: true,
};

impl EntityView for Accounts {
    type Event = Event;
    type Key = Uuid;
    type Row = Account;

    fn table(&self) -> &'static Table {
        &ACCOUNTS
    }

    fn keys(&self, event: &Recorded<Event>) -> Vec<Uuid> {
        event.event.accounts()
    }

    fn fold(
        &self,
        key: &Uuid,
        row: Option<Account>,
        event: &Recorded<Event>,
    ) -> Result<Option<Account>, FoldError> {
        let last =
            serde_json::json!({"type": event.event_type, "revision": event.revision.0, "tags": ["b", null]});
        if let Event::Opened { owner, branch, .. } = &event.event {
            if row.is_some() {
                return Err(FoldError::new("it is open already"));
            }
            let (owner, branch, opened_at) = (Some(owner.clone()), *branch, event.occurred_at);
            let opened_on = TimeZone::UTC.to_datetime(opened_at).date();
            return Ok(Some(Account { owner, branch, balance: 0, open: true, opened_at, opened_on, last }));
        }
        let mut row = row.ok_or_else(|| FoldError::new("there is no such account"))?;
        row.last = last;
        let change = match &event.event {
            Event::Booked { cents, .. } => *cents,
            Event::Transferred { from, cents, .. } if from == key => -cents,
            Event::Transferred { cents, .. } => *cents,
            Event::Closed { .. } if row.balance == 0 => return Ok(None),
            Event::Closed { .. } => {
                row.open = false;
                row.owner = None;
                0
            }
            Event::Opened { .. } | Event::Noted { .. } => 0,
        };
        row.balance =
            row.balance.checked_add(change).ok_or_else(|| FoldError::new("the balance overflows"))?;
        Ok(Some(row))
    }

    fn store_key(&self, key: &Uuid) -> Vec<Value> {
        vec![(*key).into()]
    }

    fn store(&self, row: &Account) -> Vec<Value> {
        vec![
            row.owner.clone().into(),
            row.branch.into(),
            row.balance.into(),
            row.open.into(),
            row.opened_at.into(),
            row.opened_on.into(),
            Document::of(&row.last).map_or(Value::Null, Value::from),
        ]
    }

    fn load(&self, _: &Uuid, values: Vec<Value>) -> Result<Account, LoadError> {
        let mut stored = Stored::new(values);
        Ok(Account {
            owner: stored.take()?,
            branch: stored.take()?,
            balance: stored.take()?,
            open: stored.take()?,
            opened_at: stored.take()?,
            opened_on: stored.take()?,
            last: stored.document()?,
        })
    }
}

/// How many events of each type an account has had.
pub struct Tallies;

static TALLIES: Table = Table {
    name: "tallies",
    key: &[Column::new("account", SqlType::Uuid), Column::new("type", SqlType::Text)],
    data: &[Column::new("events", SqlType::BigInt)],
    person: None,
    history: true,
};

impl EntityView for Tallies {
    type Event = Event;
    type Key = (Uuid, String);
    type Row = i64;

    fn table(&self) -> &'static Table {
        &TALLIES
    }

    fn keys(&self, event: &Recorded<Event>) -> Vec<(Uuid, String)> {
        event.event.accounts().into_iter().map(|account| (account, event.event_type.clone())).collect()
    }

    fn fold(
        &self,
        _: &(Uuid, String),
        row: Option<i64>,
        _: &Recorded<Event>,
    ) -> Result<Option<i64>, FoldError> {
        Ok(Some(row.unwrap_or_default() + 1))
    }

    fn store_key(&self, (account, event_type): &(Uuid, String)) -> Vec<Value> {
        vec![(*account).into(), event_type.as_str().into()]
    }

    fn store(&self, row: &i64) -> Vec<Value> {
        vec![(*row).into()]
    }

    fn load(&self, _: &(Uuid, String), values: Vec<Value>) -> Result<i64, LoadError> {
        Stored::new(values).take()
    }
}

/// Accounts and their balance by branch.
pub struct Branches;

static BRANCHES: Table = Table {
    name: "branches",
    key: &[Column::new("branch", SqlType::Integer)],
    data: &[Column::new("accounts", SqlType::BigInt), Column::new("balance", SqlType::BigInt)],
    person: None,
    history: true,
};

impl SummaryView for Branches {
    type Key = i32;

    fn table(&self) -> &'static Table {
        &BRANCHES
    }

    fn store_key(&self, key: &i32) -> Vec<Value> {
        vec![(*key).into()]
    }
}

impl Contributes<Accounts> for Branches {
    fn contributions(&self, _: &Uuid, row: &Account) -> Vec<(i32, Vec<i64>)> {
        vec![(row.branch, vec![1, 0]), (row.branch, vec![0, row.balance])]
    }
}

/// Sums over rows of both views.
pub struct Totals;

static TOTALS: Table = Table {
    name: "totals",
    key: &[Column::new("what", SqlType::Text)],
    data: &[Column::new("amount", SqlType::BigInt)],
    person: None,
    history: true,
};

impl SummaryView for Totals {
    type Key = String;

    fn table(&self) -> &'static Table {
        &TOTALS
    }

    fn store_key(&self, key: &String) -> Vec<Value> {
        vec![key.as_str().into()]
    }
}

impl Contributes<Accounts> for Totals {
    fn contributions(&self, _: &Uuid, row: &Account) -> Vec<(String, Vec<i64>)> {
        vec![(if row.open { "open" } else { "closed" }.to_owned(), vec![row.balance])]
    }
}

impl Contributes<Tallies> for Totals {
    fn contributions(&self, (_, event_type): &(Uuid, String), row: &i64) -> Vec<(String, Vec<i64>)> {
        vec![(event_type.clone(), vec![*row]), ("events".to_owned(), vec![*row])]
    }
}

/// Accounts, tallies, and the sums over them.
pub fn bank() -> Projection<Event> {
    bank_of_fold(1)
}

pub fn bank_of_fold(fold: i32) -> Projection<Event> {
    Projection::new("bank", fold, &[ACCOUNT])
        .entity(Entity::new(Accounts).sums_into(Branches).sums_into(Totals))
        .entity(Entity::new(Tallies).sums_into(Totals))
}

/// How many events each stream has had; it never fails.
pub struct Streams;

static STREAMS: Table = Table {
    name: "streams",
    key: &[Column::new("stream", SqlType::Text)],
    data: &[Column::new("events", SqlType::BigInt), Column::new("text", SqlType::Text).nullable()],
    person: None,
    history: true,
};

impl EntityView for Streams {
    type Event = Event;
    type Key = String;
    type Row = (i64, Option<String>);

    fn table(&self) -> &'static Table {
        &STREAMS
    }

    fn keys(&self, event: &Recorded<Event>) -> Vec<String> {
        vec![event.stream.to_string()]
    }

    fn fold(
        &self,
        _: &String,
        row: Option<Self::Row>,
        event: &Recorded<Event>,
    ) -> Result<Option<Self::Row>, FoldError> {
        let (events, text) = row.unwrap_or_default();
        let noted = match &event.event {
            Event::Noted { text } => Some(text.clone()),
            _ => text,
        };
        Ok(Some((events + 1, noted)))
    }

    fn store_key(&self, key: &String) -> Vec<Value> {
        vec![key.as_str().into()]
    }

    fn store(&self, (events, text): &Self::Row) -> Vec<Value> {
        vec![(*events).into(), text.clone().into()]
    }

    fn load(&self, _: &String, values: Vec<Value>) -> Result<Self::Row, LoadError> {
        let mut stored = Stored::new(values);
        Ok((stored.take()?, stored.take()?))
    }
}

/// Every stream of both categories.
pub fn audit() -> Projection<Event> {
    Projection::new("audit", 1, &[ACCOUNT, NOTE]).entity(Entity::new(Streams))
}

/// The tables of both projections.
pub const TABLES: &str = "
    CREATE TABLE accounts_v1 (account uuid PRIMARY KEY, owner text, branch integer NOT NULL, balance bigint NOT NULL,
        open boolean NOT NULL, opened_at timestamptz NOT NULL, opened_on date NOT NULL,
        last jsonb NOT NULL, updated_position bigint NOT NULL);
    CREATE TABLE tallies_v1 (account uuid, type text, events bigint NOT NULL, updated_position bigint NOT NULL,
        PRIMARY KEY (account, type));
    CREATE TABLE branches_v1 (branch integer PRIMARY KEY, accounts bigint NOT NULL, balance bigint NOT NULL,
        updated_position bigint NOT NULL);
    CREATE TABLE totals_v1 (what text PRIMARY KEY, amount bigint NOT NULL, updated_position bigint NOT NULL);
    CREATE TABLE streams_v1 (stream text PRIMARY KEY, events bigint NOT NULL, text text,
        updated_position bigint NOT NULL);
";
