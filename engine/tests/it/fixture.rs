//! A log, a database and engines between them.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use contract::LogPosition;
use deadpool_postgres::{Manager, Pool};
use engine::law::ViewRows;
use engine::versions::Version;
use engine::{Decoder, Engine, EngineError, KeepHistory, Projection, Readiness, Recorded};
use event_store::{EventId, EventStore, Expected, Metadata, NewEvent, StreamId};
use event_store_node::{Node, NodeConfig};
use jiff::Timestamp;
use private_postgres::{TestDatabase, test_database};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_postgres::NoTls;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::bank::{ACCOUNT, BankDecoder, Event, TABLES, audit, bank};
use crate::transfers;

pub const PATIENCE: Duration = Duration::from_secs(20);

/// A node of its own on a port of its own.
pub struct Log {
    pub store: EventStore,
    _node: Node,
    _directory: tempfile::TempDir,
}

impl Log {
    pub async fn start() -> Log {
        let directory = tempfile::tempdir().unwrap();
        let mut config = NodeConfig::new(directory.path(), "127.0.0.1:0".parse().unwrap());
        config.segment_bytes = 4 * 1024 * 1024;
        let node = Node::start(config).await.unwrap();
        let store = EventStore::connect(&format!("esdb://{}?tls=false", node.address())).unwrap();
        store.identity().await.unwrap();
        Log { store, _node: node, _directory: directory }
    }

    /// Appends to the stream of the event's first account, or a note's.
    pub async fn append(&self, events: &[Event]) -> LogPosition {
        let mut position = LogPosition::START;
        for event in events {
            let stream = match event {
                Event::Opened { account, .. } | Event::Booked { account, .. } | Event::Closed { account } => {
                    StreamId::new(ACCOUNT, account)
                }
                Event::Transferred { from, .. } => StreamId::new(ACCOUNT, from),
                Event::Noted { .. } => StreamId::named("note-1"),
            };
            position = self.append_to(&stream, vec![record(event)]).await;
        }
        position
    }

    /// The same as [`append`](Self::append), many at once: all into one stream, which no view asks for.
    pub async fn append_many(&self, events: &[Event]) {
        for chunk in events.chunks(500) {
            self.append_to(&StreamId::new(ACCOUNT, &account(0)), chunk.iter().map(record).collect()).await;
        }
    }

    pub async fn append_to(&self, stream: &StreamId, events: Vec<NewEvent>) -> LogPosition {
        self.store.append(stream, Expected::Any, events).await.unwrap().position
    }

    /// Everything there is, decoded.
    pub async fn events(&self, categories: &[&str]) -> Vec<Recorded<Event>> {
        self.decoded(&BankDecoder::default(), categories).await
    }

    pub async fn decoded<E>(&self, decoder: &dyn Decoder<E>, categories: &[&str]) -> Vec<Recorded<E>> {
        let mut events = Vec::new();
        let mut at = LogPosition::START;
        loop {
            let page = self.store.read_all(at, &[], 1000).await.unwrap();
            at = page.considered;
            for record in page.events {
                if categories.contains(&record.stream.category())
                    && let Some(event) = decoder.decode(&record).await.unwrap()
                {
                    events.push(Recorded::new(event, record));
                }
            }
            if page.is_end {
                return events;
            }
        }
    }
}

/// An event on its way into the log.
pub fn record(event: &Event) -> NewEvent {
    raw(event.type_name(), 1, &serde_json::to_vec(event).unwrap())
}

pub fn raw(event_type: &'static str, schema_version: u32, data: &[u8]) -> NewEvent {
    let id = Uuid::new_v4();
    NewEvent {
        id: EventId(id),
        event_type: Cow::Borrowed(event_type),
        data: Bytes::copy_from_slice(data),
        metadata: Metadata::of_command(id, schema_version, Timestamp::now()),
    }
}

/// Connections as the read model makes them: our schema first.
pub fn pool_of(url: &str) -> Pool {
    let mut config: tokio_postgres::Config = url.parse().unwrap();
    config.options("-c search_path=headwater -c statement_timeout=10000");
    Pool::builder(Manager::new(config, NoTls)).max_size(4).build().unwrap()
}

/// The row of a projection.
#[derive(Debug, Clone)]
pub struct Standing {
    pub state: String,
    pub position: LogPosition,
    pub fence: i64,
    pub pending: bool,
    pub lag_events: Option<i64>,
    pub reason: Option<String>,
    pub failed_position: Option<i64>,
    pub heartbeat_age_seconds: f64,
}

pub struct Database {
    pub pool: Pool,
    pub url: String,
    _database: Option<TestDatabase>,
}

impl Database {
    pub async fn new() -> Database {
        let database = test_database().await;
        let pool = pool_of(database.url());
        set_up(&pool).await;
        Database { pool, url: database.url().to_owned(), _database: Some(database) }
    }

    pub fn at(url: String) -> Database {
        Database { pool: pool_of(&url), url, _database: None }
    }

    pub async fn execute(&self, sql: &str) {
        self.pool.get().await.unwrap().batch_execute(sql).await.unwrap();
    }

    /// Cuts every connection but its own.
    pub async fn cut_connections(&self) {
        let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()";
        self.execute(others).await;
    }

    pub async fn standing(&self, projection: &str) -> Option<Standing> {
        let client = self.pool.get().await.ok()?;
        let row = client
            .query_opt(
                "SELECT state, position, fence, pending_since IS NOT NULL, lag_events, reason, failed_position,
                    extract(epoch FROM clock_timestamp() - heartbeat_at)::float8
                 FROM projection_version JOIN projection USING (name)
                 WHERE name = $1 AND version = active_version",
                &[&projection],
            )
            .await
            .ok()??;
        Some(Standing {
            state: row.get(0),
            position: LogPosition(row.get::<_, i64>(1).cast_unsigned()),
            fence: row.get(2),
            pending: row.get(3),
            lag_events: row.get(4),
            reason: row.get(5),
            failed_position: row.get(6),
            heartbeat_age_seconds: row.get(7),
        })
    }

    /// Waits until the projection's row is as wanted, and gives it.
    pub async fn until(&self, projection: &str, wanted: impl Fn(&Standing) -> bool) -> Standing {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let standing = self.standing(projection).await;
            if let Some(standing) = &standing
                && wanted(standing)
            {
                return standing.clone();
            }
            assert!(Instant::now() < deadline, "{projection} never came there: {standing:?}");
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until there are versions of the projection and they are as wanted.
    pub async fn until_versions(
        &self,
        projection: &str,
        wanted: impl Fn(&[Version]) -> bool,
    ) -> Vec<Version> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let versions = engine::versions::versions(&self.pool, Some(projection)).await.unwrap_or_default();
            if !versions.is_empty() && wanted(&versions) {
                return versions;
            }
            assert!(
                Instant::now() < deadline,
                "the versions of {projection} never came there: {versions:#?}"
            );
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until readers use this version.
    pub async fn until_active(&self, projection: &str, version: i32) -> Vec<Version> {
        let is_active = |found: &Version| found.version == version && found.is_active;
        self.until_versions(projection, |versions| versions.iter().any(is_active)).await
    }

    pub async fn until_reached(&self, projection: &str, position: LogPosition) -> Standing {
        self.until(projection, |standing| standing.position >= position).await
    }

    /// Rows, counts and checksums are those of one naive fold of the log.
    pub async fn assert_is_naive_fold_of(&self, log: &Log) {
        for (projection, categories) in [(bank(), vec!["account"]), (audit(), vec!["account", "note"])] {
            self.assert_is_naive_fold(&projection, &log.events(&categories).await).await;
        }
    }

    pub async fn assert_is_naive_fold<E: Send + Sync + 'static>(
        &self,
        projection: &Projection<E>,
        events: &[Recorded<E>],
    ) {
        let standing = engine::versions::versions(&self.pool, Some(projection.name())).await.unwrap();
        for version in standing {
            self.assert_version_is_naive_fold(projection, version.version, events).await;
        }
    }

    /// The same where events were skipped, without positions and the past: what has waited stands at the position of the
    /// decision about it.
    pub async fn assert_is_naive_fold_with_skips<E: Send + Sync + 'static>(
        &self,
        projection: &Projection<E>,
        events: &[Recorded<E>],
    ) {
        let expected = engine::law::naive_fold_with_skips(projection, events).unwrap();
        for version in engine::versions::versions(&self.pool, Some(projection.name())).await.unwrap() {
            self.assert_rows(projection, version.version, &expected, false).await;
        }
    }

    pub async fn assert_version_is_naive_fold<E: Send + Sync + 'static>(
        &self,
        projection: &Projection<E>,
        version: i32,
        events: &[Recorded<E>],
    ) {
        let expected = engine::law::naive_fold(projection, events).unwrap();
        self.assert_rows(projection, version, &expected, true).await;
        if self.history(projection.name(), version).await == Some((0, false)) {
            self.assert_past_is_naive_fold(projection, version, events).await;
        }
    }

    async fn assert_rows<E: Send + Sync + 'static>(
        &self,
        projection: &Projection<E>,
        version: i32,
        expected: &[ViewRows],
        with_positions: bool,
    ) {
        let client = self.pool.get().await.unwrap();
        let stored = engine::law::stored(&client, projection, version).await.unwrap();
        for (expected, (stored, checksums)) in expected.iter().zip(&stored) {
            let name = expected.table.name;
            assert_eq!(expected.rows, stored.rows, "rows of {name}");
            let entity = with_positions && !expected.updated.is_empty();
            assert!(!entity || expected.updated == stored.updated, "updated positions of {name}");
            // A column whose sum is 0 may stand there or not.
            let sums = |sums: &engine::Checksums| {
                let nonzero = sums.columns.iter().filter(|(_, sum)| **sum != 0);
                (sums.rows, nonzero.map(|(name, sum)| (name.clone(), *sum)).collect::<Vec<_>>())
            };
            assert_eq!(sums(&stored.checksums()), sums(checksums), "checksums of {name}");
        }
    }

    /// From which position on a version keeps what its rows were, and whether that is a moment behind the log's beginning.
    pub async fn history(&self, projection: &str, version: i32) -> Option<(i64, bool)> {
        let history = "SELECT history_from, history_since IS NOT NULL FROM projection_version
            WHERE name = $1 AND version = $2 AND history_from IS NOT NULL AND history_to = position";
        let client = self.pool.get().await.unwrap();
        let row = client.query_opt(history, &[&projection, &version]).await.unwrap();
        row.map(|row| (row.get(0), row.get(1)))
    }

    /// At every position, or at some of many, rows were what a fold up to there gives; and each moment is that of the
    /// position before the first event that was recorded later.
    pub async fn assert_past_is_naive_fold<E: Send + Sync + 'static>(
        &self,
        projection: &Projection<E>,
        version: i32,
        events: &[Recorded<E>],
    ) {
        const LOOKS: usize = 24;
        let client = self.pool.get().await.unwrap();
        for number in (0..events.len()).step_by(events.len().div_ceil(LOOKS).max(1)) {
            let at = events[number].position;
            let expected = engine::law::naive_fold(projection, &events[..=number]).unwrap();
            for stored in engine::law::stored_as_of(&client, projection, version, at).await.unwrap() {
                let name = stored.table.name;
                let expected = expected.iter().find(|view| view.table.name == name).unwrap();
                assert_eq!(expected.rows, stored.rows, "rows of {name} as of {at}");
                assert_eq!(expected.updated, stored.updated, "updated positions of {name} as of {at}");
            }
            let micros = |event: &Recorded<E>| event.recorded_at.as_microsecond();
            let moment = events[number].recorded_at;
            let later = events.iter().find(|event| micros(event) > moment.as_microsecond());
            let found: Option<i64> = client
                .query_one(contract::history::POSITIONS_OF_MOMENT, &[&projection.name(), &version, &moment])
                .await
                .unwrap()
                .get("later");
            assert_eq!(
                found,
                later.map(|event| event.position.0.cast_signed()),
                "what is later than {moment}"
            );
        }
    }
}

/// The engine's tables and those of the views.
pub async fn set_up(pool: &Pool) {
    engine::migrate(pool).await.unwrap();
    pool.get().await.unwrap().batch_execute(TABLES).await.unwrap();
    pool.get().await.unwrap().batch_execute(transfers::TABLE).await.unwrap();
}

/// An engine at work.
pub struct Running {
    pub readiness: Vec<Readiness>,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), EngineError>>,
}

impl Running {
    pub fn start(log: &Log, database: &Database) -> Running {
        Running::with(log, database, vec![bank(), audit()], Arc::new(BankDecoder::default()))
    }

    pub fn with<E: Send + Sync + 'static>(
        log: &Log,
        database: &Database,
        projections: Vec<Projection<E>>,
        decoder: Arc<dyn Decoder<E>>,
    ) -> Running {
        Running::with_memory(log, database, projections, decoder, 1 << 24)
    }

    /// With so many bytes for the rows that a build holds in memory.
    pub fn with_memory<E: Send + Sync + 'static>(
        log: &Log,
        database: &Database,
        projections: Vec<Projection<E>>,
        decoder: Arc<dyn Decoder<E>>,
        bytes: usize,
    ) -> Running {
        let engine = Engine::new(projections, log.store.clone(), database.pool.clone(), decoder).unwrap();
        Running::run(engine.with_build_memory(bytes))
    }

    /// That keeps so much of what rows were.
    pub fn keeping<E: Send + Sync + 'static>(
        log: &Log,
        database: &Database,
        projections: Vec<Projection<E>>,
        decoder: Arc<dyn Decoder<E>>,
        history: KeepHistory,
    ) -> Running {
        let engine = Engine::new(projections, log.store.clone(), database.pool.clone(), decoder).unwrap();
        Running::run(engine.with_history(history))
    }

    fn run<E: Send + Sync + 'static>(engine: Engine<E>) -> Running {
        let (readiness, shutdown) = (engine.readiness(), CancellationToken::new());
        let task = tokio::spawn(engine.run(shutdown.clone()));
        Running { readiness, shutdown, task }
    }

    pub async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }

    /// As a process that is killed, wherever it was; but a command under way may outlive it for a moment.
    pub async fn crash(self) {
        self.task.abort();
        assert!(self.task.await.is_err_and(|ended| ended.is_cancelled()));
    }

    /// The error with which it ends by itself.
    pub async fn refusal(self) -> EngineError {
        tokio::time::timeout(PATIENCE, self.task).await.expect("the engine ends").unwrap().unwrap_err()
    }

    /// Waits until all its projections have reached the head seen at its start.
    pub async fn ready(&mut self) {
        for readiness in &mut self.readiness {
            let reached = tokio::time::timeout(PATIENCE, readiness.reached()).await;
            assert_eq!(reached, Ok(true), "{}", readiness.projection());
        }
    }
}

/// An account's id.
pub fn account(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

pub fn opened(number: u128) -> Event {
    Event::Opened { account: account(number), owner: format!("owner {number}"), branch: 1 }
}

pub fn booked(number: u128, cents: i64) -> Event {
    Event::Booked { account: account(number), cents }
}
