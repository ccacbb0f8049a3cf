//! Opens the snapshot of a request, after waiting for the position that it asks for.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use contract::status::State;
use contract::{ApiError, ErrorCode, Position};
use deadpool_postgres::Pool;
use postgres_types::ToSql;
use read_model::{Projection, View};
use tokio::sync::OnceCell;
use tokio_postgres::Row;
use uuid::Uuid;

use super::hints::Hints;
use super::snapshot::Snapshot;
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
    position_wait: Duration,
}

impl Reader {
    /// Makes a pool, which connects when it is used, and starts to listen for notifications.
    pub(crate) fn new(
        database_url: &str,
        connections: usize,
        position_wait: Duration,
    ) -> Result<Self, read_model::PoolError> {
        let pool = read_model::reader_pool(database_url, connections)?;
        let config = database_url.parse().map_err(read_model::PoolError::Url)?;
        Ok(Self { pool, hints: Hints::listen(config), position_wait })
    }

    /// Opens a snapshot in which all these projections have reached the position, or says after a bounded time why
    /// there is none. A worker that has failed is not waited for.
    async fn open(
        &self,
        projections: &BTreeSet<&'static str>,
        position: Option<Position>,
    ) -> Result<Snapshot, ReadError> {
        let Some(position) = position else { return Snapshot::open(&self.pool).await };
        let begun = Instant::now();
        let opened = self.open_at(projections, position, begun + self.position_wait).await;
        let outcome = match &opened {
            Ok(_) => "reached",
            Err(ReadError::Behind { .. }) => "behind",
            Err(_) => "error",
        };
        metrics::histogram!(POSITION_WAIT, "outcome" => outcome).record(begun.elapsed().as_secs_f64());
        opened
    }

    async fn open_at(
        &self,
        projections: &BTreeSet<&'static str>,
        position: Position,
        deadline: Instant,
    ) -> Result<Snapshot, ReadError> {
        let mut hints = self.hints.subscribe();
        loop {
            let snapshot = Snapshot::open(&self.pool).await?;
            let Some(behind) = snapshot.behind(projections, position)? else { return Ok(snapshot) };
            drop(snapshot);
            let left = deadline.saturating_duration_since(Instant::now());
            let hopeless =
                matches!(behind, ReadError::Behind { state: Some(State::Failed | State::NeedsUpgrade), .. });
            if left.is_zero() || hopeless {
                return Err(behind);
            }
            let hint = hints.reached(projections, position.at);
            // The hint and the time's end lead to the same: another look.
            let _ = tokio::time::timeout(left.min(SLOW_LOOK), hint).await;
        }
    }
}

/// What the resolvers of one request read from: a snapshot that opens when the first of them asks, so a document that
/// is refused never waits or takes a connection.
#[derive(Debug)]
pub(crate) struct ReadContext {
    reader: Arc<Reader>,
    projections: BTreeSet<&'static str>,
    position: Option<Position>,
    snapshot: OnceCell<Result<Snapshot, ApiError>>,
    items: AtomicUsize,
}

impl ReadContext {
    /// For a request that reads these projections and asks for a position.
    pub(crate) fn new(
        reader: Arc<Reader>,
        projections: BTreeSet<&'static str>,
        position: Option<Position>,
    ) -> Self {
        Self { reader, projections, position, snapshot: OnceCell::new(), items: AtomicUsize::new(0) }
    }

    /// The snapshot of the request.
    pub(crate) async fn snapshot(&self) -> Result<&Snapshot, Failure> {
        let open =
            || async { self.reader.open(&self.projections, self.position).await.map_err(ApiError::from) };
        self.snapshot.get_or_init(open).await.as_ref().map_err(|error| Failure(error.clone()))
    }

    /// The snapshot, with the table of a view that it serves.
    pub(crate) async fn table(
        &self,
        projection: &Projection,
        view: &View,
    ) -> Result<(&Snapshot, String), Failure> {
        if !self.projections.contains(projection.name) {
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
        values: &[Uuid],
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

    /// Up to where everything is folded that the answer was read from; none when no table was read.
    pub(crate) fn position_served(&self) -> Option<Position> {
        self.snapshot.get()?.as_ref().ok()?.position(&self.projections)
    }
}
