//! Opens the snapshot of a request, after waiting for the position that it asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use contract::status::State;
use contract::{ApiError, ErrorCode, LogPosition, Position};
use deadpool_postgres::Pool;
use jiff::Timestamp;
use observability::span;
use postgres_types::ToSql;
use read_model::catalogue::CATALOGUE;
use read_model::search::{NAME as SEARCH, Published, SearchIndexes};
use read_model::{Hints, Projection, View};
use tokio::sync::OnceCell;
use tokio_postgres::Row;
use tracing::Instrument as _;
use uuid::Uuid;

use super::parked::Parked;
use super::snapshot::Snapshot;
use crate::QueryConfig;
use crate::as_of::AsOf;
use crate::error::{Failure, ReadError};
use crate::metrics::POSITION_WAIT;

/// While a request waits, it looks this often without a hint.
const SLOW_LOOK: Duration = Duration::from_millis(250);

/// Items of all lists without pages in one answer: lines, payments and whatever else belongs to orders. A page of 100
/// orders with as many lines as an order may have would be ten times that.
const MAX_ITEMS: usize = 50_000;

/// Where answers are read from.
#[derive(Debug)]
pub(crate) struct Reader {
    pool: Pool,
    hints: Hints,
    indexes: SearchIndexes,
    position_wait: Duration,
}

/// What a request reads.
#[derive(Debug)]
struct Reads {
    projections: BTreeSet<&'static str>,
    /// Whether the search index too.
    index: bool,
}

/// What a request was given to read.
#[derive(Debug)]
struct Opened {
    snapshot: Snapshot,
    /// The index that belongs to the tables of the snapshot; there when it is read.
    index: Option<Arc<Published>>,
}

impl Reader {
    /// Makes a pool, which connects when it is used, and starts to listen for notifications.
    pub(crate) fn new(config: &QueryConfig) -> Result<Self, read_model::PoolError> {
        Ok(Self {
            pool: read_model::reader_pool(&config.database_url, config.connections)?,
            hints: Hints::listen(&config.database_url)?,
            indexes: config.search_indexes.clone(),
            position_wait: config.position_wait,
        })
    }

    /// Opens a snapshot in which everything that is read has reached the position, or says after a bounded time why
    /// there is none. A worker that has failed is not waited for.
    async fn open(
        &self,
        reads: &Reads,
        position: Option<Position>,
        as_of: Option<AsOf>,
    ) -> Result<Opened, ReadError> {
        let Some(as_of) = as_of else { return self.open_now(reads, position).await };
        let of_the_past = match as_of {
            AsOf::Position(position) => Some(position),
            AsOf::Time(_) => None,
        };
        if let (Some(position), Some(past)) = (position, of_the_past)
            && position.log != past.log
        {
            return Err(ReadError::OtherLog { requested: past });
        }
        let wanted = position.into_iter().chain(of_the_past).max_by_key(|position| position.at);
        let mut opened = self.open_now(reads, wanted).await.map_err(|error| match error {
            ReadError::Behind { position: Some(at), requested, .. } if Some(requested) == of_the_past => {
                ReadError::AsOfNotYet { position: Position { at, ..requested } }
            }
            other => other,
        })?;
        opened.snapshot.go_back(&reads.projections, as_of).await?;
        Ok(opened)
    }

    async fn open_now(&self, reads: &Reads, position: Option<Position>) -> Result<Opened, ReadError> {
        let Some(position) = position else {
            // The index first: the snapshot is then at or ahead of it, never behind.
            let indexes = self.indexes.watch().borrow().clone();
            let mut snapshot = Snapshot::open(&self.pool).await?;
            let index = reads.index.then(|| index_of(&mut snapshot, &indexes)).transpose()?;
            return Ok(Opened { snapshot, index });
        };
        let begun = Instant::now();
        let span = tracing::info_span!(
            "wait for position",
            headwater.position.requested = position.at.0.cast_signed(),
        );
        let opened = self.open_at(reads, position, begun + self.position_wait).instrument(span.clone()).await;
        let outcome = match &opened {
            Ok(_) => "reached",
            Err(ReadError::Behind { .. }) => "behind",
            Err(_) => "error",
        };
        span::note(&span, "headwater.outcome", outcome);
        if outcome != "reached" {
            span::failed(&span, outcome);
        }
        metrics::histogram!(POSITION_WAIT, "outcome" => outcome).record(begun.elapsed().as_secs_f64());
        opened
    }

    async fn open_at(
        &self,
        reads: &Reads,
        position: Position,
        deadline: Instant,
    ) -> Result<Opened, ReadError> {
        let mut hints = self.hints.subscribe();
        let mut indexes = self.indexes.watch();
        loop {
            let published = indexes.borrow_and_update().clone();
            let mut snapshot = Snapshot::open(&self.pool).await?;
            // First, for it settles which version of the tables is read.
            let index = reads.index.then(|| index_of(&mut snapshot, &published));
            let behind = match (snapshot.behind(&reads.projections, position)?, index) {
                (Some(behind), _) => behind,
                (None, None) => return Ok(Opened { snapshot, index: None }),
                (None, Some(index)) => match index {
                    Ok(index) if index.position.at >= position.at => {
                        return Ok(Opened { snapshot, index: Some(index) });
                    }
                    Ok(index) => index_behind(Some(index.position.at), position),
                    Err(ReadError::NotIndexed { .. }) => index_behind(None, position),
                    Err(error) => return Err(error),
                },
            };
            drop(snapshot);
            let left = deadline.saturating_duration_since(Instant::now());
            let hopeless =
                matches!(behind, ReadError::Behind { state: Some(State::Failed | State::NeedsUpgrade), .. });
            if left.is_zero() || hopeless {
                return Err(behind);
            }
            let hint = async {
                tokio::select! {
                    () = hints.reached(&reads.projections, position.at) => {}
                    Ok(()) = indexes.changed(), if reads.index => {}
                }
            };
            // The hint and the time's end lead to the same: another look.
            let _ = tokio::time::timeout(left.min(SLOW_LOOK), hint).await;
        }
    }
}

/// The index of the version that a snapshot serves; while the active version has none here, the snapshot serves the one
/// before. An index that is of another log or ahead of its table is not served: the table was built anew, and the index
/// will be.
fn index_of(
    snapshot: &mut Snapshot,
    published: &BTreeMap<i32, Arc<Published>>,
) -> Result<Arc<Published>, ReadError> {
    let version = snapshot.served(CATALOGUE.name)?.version;
    let indexed = snapshot.servable(CATALOGUE.name).into_iter().find_map(|served| {
        let index = published.get(&served.version)?;
        let belongs = index.position.log == served.position.log && index.position.at <= served.position.at;
        belongs.then(|| (served.version, Arc::clone(index)))
    });
    let (indexed, index) = indexed.ok_or(ReadError::NotIndexed { version })?;
    snapshot.pin(CATALOGUE.name, indexed);
    Ok(index)
}

fn index_behind(position: Option<LogPosition>, requested: Position) -> ReadError {
    ReadError::Behind { projection: SEARCH, position, requested, state: Some(State::Live) }
}

/// What the resolvers of one request read from: a snapshot that opens when the first of them asks, so a document that
/// is refused never waits or takes a connection.
#[derive(Debug)]
pub(crate) struct ReadContext {
    reader: Arc<Reader>,
    reads: Reads,
    position: Option<Position>,
    as_of: Option<AsOf>,
    opened: OnceCell<Result<Opened, ApiError>>,
    parked: OnceCell<Parked>,
    items: AtomicUsize,
}

impl ReadContext {
    /// For a request that reads these projections, and the index if [`SEARCH`] is among them, and asks for a position, or as
    /// of one.
    pub(crate) fn new(
        reader: Arc<Reader>,
        mut projections: BTreeSet<&'static str>,
        position: Option<Position>,
        as_of: Option<AsOf>,
    ) -> Self {
        let index = projections.remove(SEARCH);
        let reads = Reads { projections, index };
        Self {
            reader,
            reads,
            position,
            as_of,
            opened: OnceCell::new(),
            parked: OnceCell::new(),
            items: AtomicUsize::new(0),
        }
    }

    async fn opened(&self) -> Result<&Opened, Failure> {
        let open = || async {
            self.reader.open(&self.reads, self.position, self.as_of).await.map_err(ApiError::from)
        };
        self.opened.get_or_init(open).await.as_ref().map_err(|error| Failure(error.clone()))
    }

    /// The snapshot of the request.
    pub(crate) async fn snapshot(&self) -> Result<&Snapshot, Failure> {
        Ok(&self.opened().await?.snapshot)
    }

    /// The search index that belongs to the snapshot.
    pub(crate) async fn index(&self) -> Result<&Published, Failure> {
        let index = self.opened().await?.index.as_deref();
        index.ok_or_else(|| ReadError::Undeclared { projection: SEARCH }.into())
    }

    /// The snapshot, with the table of a view that it serves.
    pub(crate) async fn table(
        &self,
        projection: &Projection,
        view: &View,
    ) -> Result<(&Snapshot, String), Failure> {
        if !self.reads.projections.contains(projection.name) {
            return Err(ReadError::Undeclared { projection: projection.name }.into());
        }
        let snapshot = self.snapshot().await?;
        let table = snapshot.table(projection, view)?;
        Ok((snapshot, table))
    }

    /// The one row of which a column has this value.
    pub(crate) async fn row(
        &self,
        projection: &Projection,
        view: &View,
        column: &'static str,
        value: &(dyn ToSql + Sync),
    ) -> Result<Option<Row>, Failure> {
        let (snapshot, table) = self.table(projection, view).await?;
        let sql = format!("SELECT {} FROM {table} WHERE {column} = $1", view.column_list());
        Ok(snapshot.query(&sql, &[value]).await?.pop())
    }

    /// All rows of which a column has one of these values, in one statement, in the order of the columns `sort`. Counts
    /// them against [`MAX_ITEMS`].
    pub(crate) async fn rows(
        &self,
        projection: &Projection,
        view: &View,
        column: &'static str,
        sort: &'static str,
        values: &[impl ToSql + Sync],
    ) -> Result<Vec<Row>, Failure> {
        let (snapshot, table) = self.table(projection, view).await?;
        // One more than an answer may hold tells that there are too many.
        let sql = format!(
            "SELECT {} FROM {table} WHERE {column} = ANY ($1) ORDER BY {sort} LIMIT {}",
            view.column_list(),
            MAX_ITEMS + 1
        );
        let rows = snapshot.query(&sql, &[&values]).await?;
        self.count_items(rows.len())?;
        Ok(rows)
    }

    /// Counts what lists without pages bring into the answer.
    ///
    /// # Errors
    /// There are more than [`MAX_ITEMS`] by now.
    pub(crate) fn count_items(&self, more: usize) -> Result<(), Failure> {
        // The largest list has some millions of lines: nothing that an answer has room for makes the count wrap.
        if self.items.fetch_add(more, Ordering::Relaxed).saturating_add(more) <= MAX_ITEMS {
            return Ok(());
        }
        let message = format!(
            "the lists in this answer hold more than {MAX_ITEMS} lines, payments and the like; ask for smaller pages"
        );
        let details = serde_json::json!({"limit": MAX_ITEMS});
        Err(ApiError::new(ErrorCode::QueryTooComplex).with_message(message).with_details(details).into())
    }

    /// Since when events wait that an aggregate's rows do not show; none when none do.
    pub(crate) async fn parked_since(&self, aggregate: Uuid) -> Result<Option<Timestamp>, Failure> {
        let snapshot = self.snapshot().await?;
        let read = || Parked::read(snapshot, &self.reads.projections);
        let parked = self.parked.get_or_try_init(read).await?;
        Ok(parked.since(aggregate, snapshot.as_of().map(|as_of| as_of.at)))
    }

    /// The projections that the answer was read from of which something is parked, and how many rows and streams.
    pub(crate) fn parked(&self) -> Vec<(&'static str, i32)> {
        let Some(Ok(Opened { snapshot, .. })) = self.opened.get() else { return Vec::new() };
        let parked = |name: &&'static str| Some((*name, snapshot.served(name).ok()?.parked));
        self.reads.projections.iter().filter_map(parked).filter(|(_, parked)| *parked > 0).collect()
    }

    /// Up to where everything is folded that the answer was read from, or as of where it was read; none when no table was.
    pub(crate) fn position_served(&self) -> Option<Position> {
        let Opened { snapshot, index } = self.opened.get()?.as_ref().ok()?;
        if let Some(as_of) = snapshot.as_of() {
            return Some(as_of);
        }
        let tables = snapshot.position(&self.reads.projections)?;
        // Belongs to the same log.
        let index = index.as_ref().map_or(tables.at, |index| index.position.at);
        Some(Position { at: tables.at.min(index), ..tables })
    }
}
