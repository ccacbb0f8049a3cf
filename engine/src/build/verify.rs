//! Folds history aside and compares the result with the live tables themselves, row by row, without changing them.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashSet};
use std::pin::{Pin, pin};
use std::sync::Arc;

use contract::LogPosition;
use deadpool_postgres::{ClientWrapper, Pool};
use event_store::EventStore;
use futures::TryStreamExt as _;
use postgres_types::ToSql;
use serde::Serialize;
use tokio_postgres::RowStream;

use super::aside::Snapshot;
use super::bulk::{Bulk, History};
use super::progress::{Phase, Progress};
use super::{BuildError, check, session};
use crate::error::EngineError;
use crate::event::Decoder;
use crate::parked::decision::Skips;
use crate::projection::Projection;
use crate::table::Table;
use crate::value::{SqlType, Value};
use crate::versions::shape;

/// The tables that are folded into have this number, which no version has.
const ASIDE: i32 = 0;

/// Keys that are named of each view.
pub const SAMPLE_MAX: usize = 10;

/// What to verify, and with what.
pub struct Verify<E> {
    /// The projection, with the settings that its rows were folded with.
    pub projection: Arc<Projection<E>>,
    /// The database. Its connections must have the schema of the tables first in their search path.
    pub pool: Pool,
    /// The log.
    pub store: EventStore,
    /// How its events are read.
    pub decoder: Arc<dyn Decoder<E>>,
    /// What rows may take in memory, bytes, about.
    pub memory: usize,
    /// Counted up meanwhile.
    pub progress: Arc<Progress>,
}

/// What a comparison has shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    /// The projection.
    pub projection: String,
    /// The version that readers use.
    pub version: i32,
    /// Where both were compared.
    pub position: LogPosition,
    /// Events folded.
    pub events: u64,
    /// Rows that were not compared because they are parked, or a person has decided about them.
    pub left_out_keys: u64,
    /// Rows of summaries that were not compared because such rows contribute to them.
    pub left_out_sums: u64,
    /// Its views.
    pub views: Vec<VerifiedView>,
}

impl Verified {
    /// Whether all is as it has to be.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.views.iter().all(VerifiedView::is_sound)
    }
}

/// What a comparison has shown of one view.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifiedView {
    /// Its name.
    pub view: String,
    /// Rows of the live table.
    pub rows: u64,
    /// Rows that the log has and the table lacks.
    pub missing: u64,
    /// Rows that the table has and the log does not.
    pub extra: u64,
    /// Rows that hold something else.
    pub different: u64,
    /// The columns in which they do.
    pub columns: BTreeSet<String>,
    /// The keys of the first rows of any of these kinds.
    pub keys: Vec<String>,
    /// Whether count and checksums that the engine keeps are those of the rows.
    pub checksums_fit: bool,
}

impl VerifiedView {
    /// Whether all is as it has to be.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.missing + self.extra + self.different == 0 && self.checksums_fit
    }

    fn name(&mut self, key: &[Value]) {
        if self.keys.len() < SAMPLE_MAX {
            self.keys.push(crate::parked::key::KeyText(key).to_string());
        }
    }
}

/// Why nothing was compared.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Nothing has been folded yet.
    #[error("projection {0} has no version yet: it has never been started")]
    NoProjection(&'static str),
    /// Another binary, or this one with other settings, made the rows.
    #[error("the rows of {projection} were folded with {stored:?}, this is {found:?}")]
    OtherFold {
        /// The projection.
        projection: &'static str,
        /// With what they were folded.
        stored: String,
        /// What this is.
        found: String,
    },
    /// Somebody is verifying it already.
    #[error("projection {0} is being verified already")]
    Busy(&'static str),
    /// History cannot be folded.
    #[error("{0}")]
    Stopped(String),
    /// The database or the log.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl From<BuildError> for VerifyError {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::Stopped(stopped) => VerifyError::Stopped(stopped.reason),
            BuildError::PutAside(rows) => {
                let reason = rows.first().map_or("", |(_, reason)| reason);
                let rows = rows.len();
                VerifyError::Stopped(format!(
                    "{rows} rows cannot be folded, though they are not parked: {reason}"
                ))
            }
            BuildError::Engine(error) => VerifyError::Engine(error),
            BuildError::Cancelled | BuildError::BrokenOff => {
                VerifyError::Stopped("it was broken off".to_owned())
            }
        }
    }
}

impl From<tokio_postgres::Error> for VerifyError {
    fn from(error: tokio_postgres::Error) -> Self {
        VerifyError::Engine(error.into())
    }
}

impl<E: Send + Sync + 'static> Verify<E> {
    /// Compares at the position at which the live tables stand now; they may be written meanwhile.
    ///
    /// # Errors
    /// See [`VerifyError`].
    pub async fn run(&self) -> Result<Verified, VerifyError> {
        let projection = &*self.projection;
        let name = projection.name;
        let aside = session::open(&self.pool).await?;
        if !aside.try_lock(name, ASIDE).await? {
            return Err(VerifyError::Busy(name));
        }
        session::until_writers_are_gone(&aside, name, ASIDE).await?;
        let verified = self.compare(&aside.client).await;
        // A verification that is killed leaves them to the next one.
        for table in projection.tables() {
            let sql = format!("DROP TABLE IF EXISTS {}", table.versioned(ASIDE));
            aside.client.batch_execute(&sql).await?;
        }
        self.progress.enter(Phase::Done);
        verified
    }

    /// Folds into tables aside, and compares.
    async fn compare(&self, aside: &ClientWrapper) -> Result<Verified, VerifyError> {
        let projection = &*self.projection;
        let name = projection.name;
        let Some(mut live) = Snapshot::open(&self.pool, projection).await? else {
            return Err(VerifyError::NoProjection(name));
        };
        self.check_fold(live.client(), &live.in_use).await?;
        let (version, position) = (live.in_use.version, live.in_use.position);
        let skips = Skips::until(&self.store, name, position).await.map_err(EngineError::from)?;
        let rows_aside = Arc::new(live.aside(projection, &HashSet::new(), &skips).await?);
        for table in projection.tables() {
            shape::create(&**aside, table, projection.fold, Some(version), ASIDE).await?;
        }
        self.progress.begin(position);
        let bulk = Bulk {
            projection: Arc::clone(&self.projection),
            version: ASIDE,
            pool: self.pool.clone(),
            store: self.store.clone(),
            decoder: Arc::clone(&self.decoder),
            target: position,
            memory: self.memory,
            progress: Arc::clone(&self.progress),
            aside: Arc::clone(&rows_aside),
            skips,
            has_history: false,
        };
        let History { mut checksums, leftover, .. } = bulk.run().await?;
        self.progress.enter(Phase::Checking);
        let mut views = Vec::new();
        for table in projection.tables() {
            let found = check::of_table(live.client(), table, version).await?;
            let kept = live.in_use.checksums.get(table.name).cloned().unwrap_or_default();
            let checksums_fit = found.is_same(&kept, table);
            views.push(VerifiedView {
                view: table.name.to_owned(),
                checksums_fit,
                ..VerifiedView::default()
            });
        }
        let built = (aside, ASIDE, checksums.as_mut_slice());
        let left_out = live.leave_out(&rows_aside, projection, &leftover, built).await?;
        let none = HashSet::new();
        for (table, view) in projection.tables().zip(&mut views) {
            if left_out.whole.contains(table.name) {
                continue;
            }
            let keys = left_out.keys.get(table.name).unwrap_or(&none);
            compare(table, (live.client(), version), aside, keys, view).await?;
        }
        live.client().batch_execute("COMMIT").await?;
        Ok(Verified {
            projection: name.to_owned(),
            version,
            position,
            left_out_keys: left_out.counts.0,
            left_out_sums: left_out.counts.1,
            events: self.progress.events(),
            views,
        })
    }

    async fn check_fold(&self, client: &ClientWrapper, in_use: &check::InUse) -> Result<(), VerifyError> {
        let projection = &*self.projection;
        let settings = "SELECT settings FROM projection_version WHERE name = $1 AND version = $2";
        let settings: String =
            client.query_one(settings, &[&projection.name, &in_use.version]).await?.try_get(0)?;
        if in_use.fold == projection.fold && settings == projection.settings {
            return Ok(());
        }
        let stored = format!("fold {}, {settings}", in_use.fold);
        let found = format!("fold {}, {}", projection.fold, projection.settings);
        Err(VerifyError::OtherFold { projection: projection.name, stored, found })
    }
}

/// Walks through both tables in the order of their keys.
async fn compare(
    table: &'static Table,
    (live, version): (&ClientWrapper, i32),
    aside: &ClientWrapper,
    left_out: &HashSet<Vec<Value>>,
    view: &mut VerifiedView,
) -> Result<(), VerifyError> {
    let mut is = Rows { table, left_out, stream: pin!(rows(live, table, version).await?), head: None };
    let mut ought = Rows { table, left_out, stream: pin!(rows(aside, table, ASIDE).await?), head: None };
    is.advance().await?;
    ought.advance().await?;
    loop {
        let order = match (&is.head, &ought.head) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((is, _)), Some((ought, _))) => in_order(is, ought),
        };
        if order.is_le() {
            view.rows += 1;
        }
        match (order, &is.head, &ought.head) {
            (Ordering::Less, Some((key, _)), _) => {
                view.extra += 1;
                view.name(key);
            }
            (Ordering::Greater, _, Some((key, _))) => {
                view.missing += 1;
                view.name(key);
            }
            (_, Some((key, is)), Some((_, ought))) if is != ought => {
                view.different += 1;
                view.name(key);
                let columns =
                    table.data.iter().zip(is.iter().zip(ought)).filter(|(_, (is, ought))| is != ought);
                view.columns.extend(columns.map(|(column, _)| column.name.to_owned()));
            }
            _ => {}
        }
        if order.is_le() {
            is.advance().await?;
        }
        if order.is_ge() {
            ought.advance().await?;
        }
    }
}

async fn rows(
    client: &ClientWrapper,
    table: &'static Table,
    version: i32,
) -> Result<RowStream, tokio_postgres::Error> {
    let order = table.key.iter().map(|column| match column.sql_type {
        SqlType::Text => format!("{} COLLATE \"C\"", column.name),
        _ => column.name.to_owned(),
    });
    let order: Vec<String> = order.collect();
    let (names, order) = (table.column_list(), order.join(", "));
    let sql = format!("SELECT {names} FROM {} ORDER BY {order}", table.versioned(version));
    let none: [&(dyn ToSql + Sync); 0] = [];
    client.query_raw(&sql, none).await
}

/// The rows of a table, one at a time: key columns, data columns.
struct Rows<'r> {
    table: &'static Table,
    /// Keys that are passed over.
    left_out: &'r HashSet<Vec<Value>>,
    stream: Pin<&'r mut RowStream>,
    head: Option<(Vec<Value>, Vec<Value>)>,
}

impl Rows<'_> {
    async fn advance(&mut self) -> Result<(), tokio_postgres::Error> {
        self.head = None;
        while let Some(row) = self.stream.try_next().await? {
            let (key, data) = self.table.read(&row)?;
            if !self.left_out.contains(&key) {
                self.head = Some((key, data));
                break;
            }
        }
        Ok(())
    }
}

/// The order in which Postgres gives keys.
fn in_order(one: &[Value], other: &[Value]) -> Ordering {
    let columns = one.iter().zip(other).map(|pair| match pair {
        (Value::Text(one), Value::Text(other)) => one.as_bytes().cmp(other.as_bytes()),
        (Value::Uuid(one), Value::Uuid(other)) => one.cmp(other),
        (Value::BigInt(one), Value::BigInt(other)) => one.cmp(other),
        (Value::Integer(one), Value::Integer(other)) => one.cmp(other),
        (Value::Boolean(one), Value::Boolean(other)) => one.cmp(other),
        (Value::TimestampTz(one), Value::TimestampTz(other)) => one.cmp(other),
        (Value::Date(one), Value::Date(other)) => one.cmp(other),
        // Keys are neither null nor documents, and of one type a column.
        _ => Ordering::Equal,
    });
    columns.fold(Ordering::Equal, Ordering::then)
}
