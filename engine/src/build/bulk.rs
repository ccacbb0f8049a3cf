//! History, read once and folded in parallel parts by key into the tables of one version.

use std::sync::Arc;

use contract::LogPosition;
use deadpool_postgres::Pool;
use event_store::{EventStore, RecordedEvent};
use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Duration, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::aside::Aside;
use super::copy::copy_in;
use super::load::Loader;
use super::part::{Chunk, Part, Share, Step, refused, too_much};
use super::progress::Progress;
use super::{BuildError, Stopped, session};
use crate::checksum::Checksums;
use crate::error::DecodeFailure;
use crate::event::{Decoder, Recorded};
use crate::fold::Change;
use crate::fold::bulk::{Leftover, Sums};
use crate::parked::decision::{PlaceName, Skips};
use crate::parked::{NewlyParked, PLACES_MAX, Parked, Place, Stuck, WAITING_MAX, Waiting};
use crate::projection::Projection;
use crate::source::{Item, Undecodable, decode, prefixes};
use crate::value::Value;
use crate::write::moments::{INSERT, Moments};
use crate::write::session::Session;
use crate::write::sql::{self, TableSql};

/// The most events considered by one read.
const PAGE_EVENTS: usize = 2000;

/// Pages that are read ahead and decoded at the same time.
const PAGES_AHEAD: usize = 4;

/// Chunks that wait for one part.
const CHUNKS_AHEAD: usize = 2;

/// Parts at most: more of them than cores bring nothing, and each holds two connections.
const PARTS_MAX: usize = 4;

/// So many events are decoded before others get their turn.
const DECODE_TURN: usize = 64;

/// Before what could not be read or decoded is tried again.
const PAUSE: Duration = Duration::from_secs(1);

pub(crate) struct Bulk<E> {
    pub(crate) projection: Arc<Projection<E>>,
    pub(crate) version: i32,
    pub(crate) pool: Pool,
    pub(crate) store: EventStore,
    pub(crate) decoder: Arc<dyn Decoder<E>>,
    /// Up to where.
    pub(crate) target: LogPosition,
    /// What rows may take in memory, bytes, about.
    pub(crate) memory: usize,
    pub(crate) progress: Arc<Progress>,
    /// Rows that are not folded.
    pub(crate) aside: Arc<Aside>,
    /// Events that do not decode and are left out.
    pub(crate) skips: Skips,
    /// Whether what rows were is kept.
    pub(crate) has_history: bool,
}

/// What history has come to.
pub(crate) struct History {
    /// In the order of the tables.
    pub(crate) checksums: Vec<Checksums>,
    pub(crate) leftover: Leftover,
    /// Streams with an event that does not decode.
    pub(crate) streams: Stuck,
}

/// One event of a page.
enum Decoded<E> {
    Event(Arc<Recorded<E>>, usize),
    Undecodable(Arc<Undecodable>),
}

impl<E> Decoded<E> {
    fn moment(&self) -> (LogPosition, Timestamp) {
        match self {
            Decoded::Event(event, _) => (event.position, event.recorded_at),
            Decoded::Undecodable(undecodable) => (undecodable.event.position, undecodable.event.recorded_at),
        }
    }
}

/// Notes when events were recorded, if what rows were is kept.
struct Calendar {
    of: (&'static str, i32),
    session: Option<Session>,
    latest: Option<Timestamp>,
}

impl Calendar {
    async fn of<E: Send + Sync + 'static>(bulk: &Bulk<E>, tables: &[TableSql]) -> Result<Self, BuildError> {
        let of = (bulk.projection.name, bulk.version);
        let session = match sql::kept(tables).next().is_some() {
            true => Some(session::writing(&bulk.pool, of.0, of.1).await?),
            false => None,
        };
        Ok(Self { of, session, latest: None })
    }

    async fn note<E>(&mut self, page: &[Decoded<E>]) -> Result<(), BuildError> {
        let Some(session) = &self.session else { return Ok(()) };
        if let Some(moments) = Moments::of(page.iter().map(Decoded::moment), self.latest) {
            self.latest = Some(moments.latest);
            let insert = session.client.prepare_cached(INSERT).await?;
            moments.write(&*session.client, &insert, self.of).await?;
        }
        Ok(())
    }
}

/// A page that is being decoded.
type Decoding<E> = AbortOnDropHandle<Result<(Vec<Decoded<E>>, LogPosition), BuildError>>;

impl<E: Send + Sync + 'static> Bulk<E> {
    /// Folds everything up to the target but what is put aside.
    pub(crate) async fn run(&self) -> Result<History, BuildError> {
        let tables = Arc::new(sql::of_version(&self.projection, self.version, self.has_history));
        let parts = std::thread::available_parallelism().map_or(1, usize::from).clamp(1, PARTS_MAX);
        let mut senders = Vec::with_capacity(parts);
        let mut tasks = JoinSet::new();
        for part in 0..parts {
            let (sender, steps) = mpsc::channel(CHUNKS_AHEAD);
            senders.push(sender);
            let writer = session::writing(&self.pool, self.projection.name, self.version).await?;
            let sessions = (writer, session::open(&self.pool).await?);
            let part = Part {
                projection: Arc::clone(&self.projection),
                part: part as u64,
                parts: parts as u64,
                aside: Arc::clone(&self.aside),
                budget: self.memory / parts,
                tables: Arc::clone(&tables),
                loader: Loader::new(sessions, &tables, &self.progress, Handle::current()),
            };
            tasks.spawn_blocking(move || part.run(steps));
        }
        let handed_out = self.hand_out(&senders, &tables).await;
        drop(senders);
        let shares = join(tasks).await;
        let streams = handed_out?;
        let mut shares = shares?;
        let mut leftover = Leftover::default();
        shares.iter_mut().for_each(|share| leftover.append(std::mem::take(&mut share.leftover)));
        if leftover.is_too_much() {
            return Err(too_much(&leftover));
        }
        if !leftover.failed.is_empty() {
            return Err(BuildError::PutAside(leftover.failed));
        }
        let checksums = self.summaries(shares, &tables).await?;
        Ok(History { checksums, leftover, streams })
    }

    /// Reads and decodes, and hands every chunk to every part, which takes what is its own.
    async fn hand_out(
        &self,
        parts: &[mpsc::Sender<Step<E>>],
        tables: &[TableSql],
    ) -> Result<Stuck, BuildError> {
        let mut calendar = Calendar::of(self, tables).await?;
        let (sender, mut pages) = mpsc::channel::<Decoding<E>>(PAGES_AHEAD);
        let reading = self.read(sender);
        let handing = async {
            let (mut parked, mut streams) = (Parked::default(), Stuck::default());
            while let Some(page) = pages.recv().await {
                let (decoded, considered) = page.await.map_err(BuildError::of_task)??;
                let events = decoded.len() as u64;
                calendar.note(&decoded).await?;
                let chunk = Arc::new(self.without_parked(decoded, &mut parked, &mut streams)?);
                for part in parts {
                    if part.send(Step::Fold(Arc::clone(&chunk))).await.is_err() {
                        // The part says why when it is asked.
                        return Ok(streams);
                    }
                }
                self.progress.folded(events, considered.min(self.target));
            }
            for part in parts {
                let _ = part.send(Step::End).await;
            }
            Ok(streams)
        };
        tokio::pin!(reading, handing);
        tokio::select! {
            handed = &mut handing => handed,
            read = &mut reading => match read {
                Ok(()) => handing.await,
                Err(error) => Err(error),
            },
        }
    }

    /// The events of a page that are folded: a stream is parked from the first event that does not decode, unless it was
    /// decided to leave that event out.
    fn without_parked(
        &self,
        page: Vec<Decoded<E>>,
        parked: &mut Parked,
        streams: &mut Stuck,
    ) -> Result<Chunk<E>, BuildError> {
        let mut chunk = Vec::with_capacity(page.len());
        for decoded in page {
            match decoded {
                Decoded::Event(event, _) if parked.holds(&event.stream) => {
                    streams.waiting.push(Waiting::of(Place::Stream(event.stream.clone()), &event));
                }
                Decoded::Event(event, bytes) => chunk.push((event, bytes)),
                Decoded::Undecodable(undecodable) => {
                    let event = &undecodable.event;
                    let place = Place::Stream(event.stream.clone());
                    if !parked.contains(&place) {
                        if self.skips.of(&PlaceName::new(&place, &[])).contains(&event.position) {
                            continue;
                        }
                        parked.insert(place.clone(), event.position, event.recorded_at);
                        let reason = undecodable.failure.to_string();
                        streams.parked.push(NewlyParked {
                            place: place.clone(),
                            event: event.clone(),
                            reason,
                        });
                    }
                    streams.waiting.push(Waiting::at(place, event));
                }
            }
        }
        if streams.parked.len() > PLACES_MAX || streams.waiting.len() > WAITING_MAX {
            let reason =
                "more than 1,000 streams hold events that do not decode, or 100,000 events wait there";
            return Err(BuildError::Stopped(Stopped::without_event(reason.to_owned())));
        }
        Ok(chunk)
    }

    async fn read(&self, pages: mpsc::Sender<Decoding<E>>) -> Result<(), BuildError> {
        let prefixes = prefixes(self.projection.categories);
        let prefixes: Vec<&str> = prefixes.iter().map(String::as_str).collect();
        let mut at = LogPosition::START;
        while at < self.target {
            let page = match self.store.read_all(at, &prefixes, PAGE_EVENTS).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::warn!(%error, "waiting for the log, to build a version");
                    sleep(PAUSE).await;
                    continue;
                }
            };
            let (target, considered) = (self.target, page.considered);
            let decoder = Arc::clone(&self.decoder);
            let records = page.events.into_iter().filter(move |record| record.position <= target);
            let decoding = async move { Ok((decode_all(&*decoder, records.collect()).await?, considered)) };
            let decoding = AbortOnDropHandle::new(tokio::spawn(decoding));
            if pages.send(decoding).await.is_err() || page.is_end {
                break;
            }
            at = considered;
        }
        Ok(())
    }

    /// Adds the shares together, and writes the summaries.
    async fn summaries(&self, shares: Vec<Share>, tables: &[TableSql]) -> Result<Vec<Checksums>, BuildError> {
        let mut checksums = vec![Checksums::default(); self.projection.entities.len()];
        let mut sums = Sums::default();
        for share in shares {
            for (all, of_part) in checksums.iter_mut().zip(&share.checksums) {
                all.add(of_part);
            }
            for (key, sum) in share.sums {
                match sums.entry(key) {
                    std::collections::hash_map::Entry::Vacant(entry) => {
                        entry.insert(sum);
                    }
                    std::collections::hash_map::Entry::Occupied(mut entry) => {
                        entry.get_mut().add(&sum.amounts, sum.position);
                    }
                }
            }
        }
        let mut rows: Vec<Vec<Change>> = self.projection.summaries.iter().map(|_| Vec::new()).collect();
        for ((summary, key), sum) in sums {
            if sum.amounts.iter().all(|amount| *amount == 0) {
                continue;
            }
            let amounts: Result<Vec<Value>, _> =
                sum.amounts.iter().map(|amount| i64::try_from(*amount).map(Value::BigInt)).collect();
            let Ok(amounts) = amounts else {
                let view = self.projection.summaries[summary].name;
                return Err(BuildError::Stopped(Stopped::without_event(format!(
                    "view {view}: a sum overflows"
                ))));
            };
            let (position, since) = (sum.position, sum.position);
            rows[summary].push(Change { key, before: None, after: Some(amounts), position, since });
        }
        let session = session::writing(&self.pool, self.projection.name, self.version).await?;
        for (sql, rows) in tables[self.projection.entities.len()..].iter().zip(rows) {
            let table = sql.table;
            let mut of_view = Checksums::default();
            for row in &rows {
                of_view.replace(table, &row.key, None, row.after.as_deref());
            }
            checksums.push(of_view);
            copy_in(&session.client, sql, &rows).await.map_err(|e| refused(table.name, e))?;
            self.progress.wrote(rows.len() as u64);
        }
        Ok(checksums)
    }
}

/// Waits for all parts; of several that failed, that at the earliest event counts.
async fn join(mut tasks: JoinSet<Result<Share, BuildError>>) -> Result<Vec<Share>, BuildError> {
    let mut shares = Vec::new();
    let mut failed: Option<BuildError> = None;
    while let Some(ended) = tasks.join_next().await {
        match ended.map_err(BuildError::of_task).flatten() {
            Ok(share) => shares.push(share),
            Err(error) => {
                failed = Some(match failed {
                    Some(other) => other.earlier(error),
                    None => error,
                });
            }
        }
    }
    failed.map_or(Ok(shares), Err)
}

async fn decode_all<E: Send + Sync + 'static>(
    decoder: &dyn Decoder<E>,
    records: Vec<RecordedEvent>,
) -> Result<Vec<Decoded<E>>, BuildError> {
    let mut decoded = Vec::with_capacity(records.len());
    for (number, record) in records.into_iter().enumerate() {
        if number % DECODE_TURN == 0 {
            tokio::task::yield_now().await;
        }
        let bytes = record.data.len();
        loop {
            match decode(decoder, record.clone()).await {
                Item::Event(event) => decoded.push(Decoded::Event(event, bytes)),
                Item::Passed(_) | Item::Considered(_) | Item::Decision(_) => {}
                Item::Undecodable(undecodable) => match &undecodable.failure {
                    DecodeFailure::Retry(reason) => {
                        tracing::warn!(position = undecodable.event.position.0, reason, "a build waits");
                        sleep(PAUSE).await;
                        continue;
                    }
                    DecodeFailure::Malformed(_) => decoded.push(Decoded::Undecodable(undecodable)),
                    DecodeFailure::NeedsUpgrade(_) => {
                        return Err(BuildError::Stopped(needs_upgrade(&undecodable)));
                    }
                },
            }
            break;
        }
    }
    Ok(decoded)
}

fn needs_upgrade(Undecodable { event, failure }: &Undecodable) -> Stopped {
    Stopped {
        position: Some(event.position),
        recorded_at: Some(event.recorded_at),
        reason: format!("{} in {} ({}): {failure}", event.event_type, event.stream, event.revision),
        needs_upgrade: true,
    }
}
