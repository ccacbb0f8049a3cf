//! A rebuild of the shop's projection from a long history, beside what COPY makes of the same rows.

use std::collections::HashSet;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use contract::LogPosition;
use deadpool_postgres::Pool;
use engine::versions::{self, Build, Version};
use event_store::{EventId, EventStore, Expected, NewEvent, RecordedEvent, StreamId};
use futures::{SinkExt as _, StreamExt as _, TryStreamExt as _};
use private_postgres::{Config, PrivatePostgres};
use read_model::Past;
use read_model::shop::SHOP;
use serde_json::Value;
use tokio::time::sleep;
use uuid::Uuid;

use super::flags::ProjectionsBenchFlags;
use super::limits;
use super::place::Place;
use super::process::{Process, Setup, free_addresses};
use super::report::{Figure, Report, Unit};
use crate::failure::Failure;

const ROLES: &[&str] = &["node", "projections", "private PostgreSQL"];

/// Copies that are written at the same time.
const WRITERS: usize = 32;

/// A rebuild that takes longer does not end.
const REBUILT_WITHIN: Duration = Duration::from_secs(3600);

/// Asking more often would take from what is measured, whose times stand in its row.
const REBUILD_LOOK_EVERY: Duration = Duration::from_millis(250);

/// The categories of the streams that the projection folds, as prefixes.
const PREFIXES: &[&str] = &["order-", "payment-", "shipment-", "return-"];

/// The most events considered by one read.
const PAGE_EVENTS: usize = 4096;

/// Measures and prints.
///
/// # Errors
/// The system does not start, or does not do what it is there for.
pub async fn projections(flags: &ProjectionsBenchFlags) -> Result<(), Failure> {
    let place = Place::make(flags.dir.as_deref())?;
    let limits = limits::of_disk_and_database(place.path()).await?;
    let data = place.path().join("data");
    eprintln!("importing {}", flags.file.display());
    super::import::filled(&data, &flags.file).await?.stop().await?;

    let [_, admin, node, other_admin] = free_addresses().map_err(|error| Failure::of(&error))?;
    let arguments = |role: &str| -> Vec<OsString> {
        let words = ["serve", role, "--data-dir"].map(OsString::from);
        words.into_iter().chain([data.clone().into()]).collect()
    };
    let mut of_node = arguments("node");
    of_node.extend(["--node-listen".into(), node.to_string().into()]);
    let (log, _) = Process::start(of_node, admin, &place.path().join("node.log"), &Setup::default()).await?;
    let url = format!("esdb://{node}?tls=false");
    let store = EventStore::connect(&url).map_err(|error| Failure::of(&error))?;
    let events = lengthen(&store, flags.events).await?;

    let database = PrivatePostgres::start(Config::new(place.path().join("postgres"))).await;
    let database = database.map_err(|error| Failure::of(&error))?;
    let mut of_projections = arguments("projections");
    for (flag, value) in [("--database-url", database.url()), ("--eventstore", url)] {
        of_projections.extend([flag.into(), value.into()]);
    }
    eprintln!("folding {events} events for the first time");
    let log_file = place.path().join("projections.log");
    let patient = Setup { patience: REBUILT_WITHIN, ..Setup::default() };
    let starting = async |history: &str| {
        let history = ["--history".into(), history.into()];
        let arguments = of_projections.iter().cloned().chain(history).collect::<Vec<OsString>>();
        Process::start(arguments, other_admin, &log_file, &patient).await
    };
    let (folding, first) = starting("off").await?;
    let pool = read_model::pool(&database.url(), 2).map_err(|error| Failure::of(&error))?;
    let mut runs = Vec::new();
    for number in 1..=flags.runs {
        eprintln!("rebuild {number} of {}", flags.runs);
        let rebuilt = rebuild(&pool).await?;
        let copied = copy_again(&pool, &rebuilt, false).await?;
        runs.push(figures(&rebuilt, events, first, copied, folding.peak_bytes())?);
    }
    folding.stop().await?;
    let (folding, _) = starting("all").await?;
    for (number, run) in runs.iter_mut().enumerate() {
        eprintln!("rebuild {} of {} with history", number + 1, flags.runs);
        let rebuilt = rebuild(&pool).await?;
        let copied = copy_again(&pool, &rebuilt, true).await?;
        run.extend(with_history(&rebuilt, copied, folding.peak_bytes())?);
    }
    folding.stop().await?;
    drop(pool);
    database.stop().await.map_err(|error| Failure::of(&error))?;
    log.stop().await?;
    Report { name: "projections", roles: ROLES, limits, runs }.print(flags.json)
}

/// In the order they are shown.
fn figures(
    rebuilt: &Rebuilt,
    events: u64,
    first: Duration,
    copied: f64,
    peak: Option<u64>,
) -> Result<Vec<Figure>, Failure> {
    let (build, seconds) = rebuilt.build()?;
    let rows = build.rows as f64;
    let rate = |count: f64| count / seconds;
    Ok(vec![
        Figure::new("events", "events in the log", Unit::Count, events as f64),
        Figure::new("rows", "rows", Unit::Count, rows),
        Figure::new("firstFoldSeconds", "first fold, batch by batch", Unit::Seconds, first.as_secs_f64()),
        Figure::new("rebuildSeconds", "rebuild: fold, load, index, compare", Unit::Seconds, seconds),
        Figure::new(
            "switchedSeconds",
            "from the request to readers switched",
            Unit::Seconds,
            rebuilt.seconds,
        ),
        Figure::new("eventsPerSecond", "events rebuilt", Unit::PerSecond, rate(build.events as f64)),
        Figure::new("rowsPerSecond", "rows rebuilt", Unit::PerSecond, rate(rows)),
        Figure::new("copyRowsPerSecond", "COPY of the same rows into such tables", Unit::PerSecond, copied),
        Figure::new("rowsToCopy", "rows rebuilt to rows copied", Unit::Ratio, rate(rows) / copied),
        Figure::new(
            "peakBytes",
            "most memory of the process, without PostgreSQL",
            Unit::Mebibytes,
            peak.map_or(f64::NAN, |bytes| bytes as f64),
        ),
    ])
}

/// The same of a rebuild that keeps what the rows were.
fn with_history(rebuilt: &Rebuilt, copied: f64, peak: Option<u64>) -> Result<Vec<Figure>, Failure> {
    let (build, seconds) = rebuilt.build()?;
    let rows = build.rows as f64;
    Ok(vec![
        Figure::new("historyRows", "with history: rows, those of the past among them", Unit::Count, rows),
        Figure::new("historyRebuildSeconds", "with history: rebuild", Unit::Seconds, seconds),
        Figure::new(
            "historyEventsPerSecond",
            "with history: events rebuilt",
            Unit::PerSecond,
            build.events as f64 / seconds,
        ),
        Figure::new(
            "historyRowsToCopy",
            "with history: rows rebuilt to rows copied",
            Unit::Ratio,
            rows / seconds / copied,
        ),
        Figure::new(
            "historyPeakBytes",
            "with history: most memory of the process, without PostgreSQL",
            Unit::Mebibytes,
            peak.map_or(f64::NAN, |bytes| bytes as f64),
        ),
    ])
}

struct Rebuilt {
    version: Version,
    /// From the request to the switch.
    seconds: f64,
}

impl Rebuilt {
    /// How it was built, and how many seconds that took.
    fn build(&self) -> Result<(&Build, f64), Failure> {
        let build = self.version.build.as_ref().ok_or_else(|| Failure::run("the version was not built"))?;
        let finished = build.finished_at.unwrap_or(build.started_at);
        Ok((build, finished.duration_since(build.started_at).as_secs_f64()))
    }
}

async fn rebuild(pool: &Pool) -> Result<Rebuilt, Failure> {
    let begun = Instant::now();
    let number = versions::rebuild(pool, SHOP.name).await.map_err(|error| Failure::of(&error))?;
    loop {
        let all = versions::versions(pool, Some(SHOP.name)).await.map_err(|error| Failure::of(&error))?;
        let version = all.into_iter().find(|version| version.version == number);
        let version = version.ok_or_else(|| Failure::run("the version is gone"))?;
        if version.is_active {
            return Ok(Rebuilt { version, seconds: begun.elapsed().as_secs_f64() });
        }
        if begun.elapsed() > REBUILT_WITHIN || version.reason.is_some() {
            return Err(Failure::run(format!("the rebuild does not end: {version:?}")));
        }
        sleep(REBUILD_LOOK_EVERY).await;
    }
}

/// Rows a second that COPY alone brings into tables like those of the version, all indexes on; with those of the past.
async fn copy_again(pool: &Pool, rebuilt: &Rebuilt, with_past: bool) -> Result<f64, Failure> {
    let client = pool.get().await.map_err(|error| Failure::of(&error))?;
    let copying = async {
        client.batch_execute("SET statement_timeout = 0").await?;
        let (mut rows, mut seconds) = (0, 0.0);
        let version = rebuilt.version.version;
        let past = SHOP.views.iter().filter(|view| with_past && view.past != Past::Nothing);
        let past = past.map(|view| contract::history::table(view.name, version));
        for table in SHOP.views.iter().map(|view| view.table(version)).chain(past) {
            let out = client.copy_out(&format!("COPY {table} TO STDOUT BINARY")).await?;
            let pieces: Vec<Bytes> = out.try_collect().await?;
            client.batch_execute(&format!("CREATE TABLE copied (LIKE {table} INCLUDING ALL)")).await?;
            let begun = Instant::now();
            let mut sink = Box::pin(client.copy_in("COPY copied FROM STDIN BINARY").await?);
            for piece in pieces {
                sink.send(piece).await?;
            }
            rows += sink.as_mut().finish().await?;
            seconds += begun.elapsed().as_secs_f64();
            client.batch_execute("DROP TABLE copied").await?;
        }
        Ok::<_, tokio_postgres::Error>(rows as f64 / seconds)
    };
    copying.await.map_err(|error| Failure::of(&error))
}

/// Writes the orders, payments, shipments and returns of the log again and again under other ids and numbers, until
/// there are so many events of them, and gives how many there are.
async fn lengthen(store: &EventStore, wanted: u64) -> Result<u64, Failure> {
    let month = Arc::new(Month::read(store).await?);
    let of_month = month.events.len() as u64;
    let copies = wanted.saturating_sub(of_month).div_ceil(of_month.max(1));
    eprintln!("writing {} events", copies * of_month);
    let written = futures::stream::iter(1..=copies).map(|copy| {
        let (store, month) = (store.clone(), Arc::clone(&month));
        async move { month.write_again(&store, copy).await }
    });
    written.buffer_unordered(WRITERS).try_collect::<()>().await?;
    Ok(of_month * (copies + 1))
}

struct Month {
    /// In the order of the log.
    events: Vec<RecordedEvent>,
    /// The ids of their streams.
    ids: HashSet<Uuid>,
}

impl Month {
    async fn read(store: &EventStore) -> Result<Self, Failure> {
        let (mut events, mut at) = (Vec::new(), LogPosition::START);
        loop {
            let page =
                store.read_all(at, PREFIXES, PAGE_EVENTS).await.map_err(|error| Failure::of(&error))?;
            events.extend(page.events);
            at = page.considered;
            if page.is_end {
                break;
            }
        }
        let ids = events.iter().filter_map(|event: &RecordedEvent| event.stream.id()).collect();
        Ok(Self { events, ids })
    }

    /// One after the other, for a payment follows its order.
    async fn write_again(&self, store: &EventStore, copy: u64) -> Result<(), Failure> {
        for event in &self.events {
            let Some(id) = event.stream.id() else { continue };
            let mut data: Value = serde_json::from_slice(&event.data).map_err(|error| Failure::of(&error))?;
            self.rename(&mut data, copy);
            let event_id = other(event.id.0, copy);
            let again = NewEvent {
                id: EventId(event_id),
                event_type: event.event_type.clone().into(),
                data: serde_json::to_vec(&data).map_err(|error| Failure::of(&error))?.into(),
                metadata: event.metadata.clone(),
            };
            let stream = StreamId::new(event.stream.category(), &other(id, copy));
            let appended = store.append(&stream, Expected::Any, vec![again]).await;
            appended.map_err(|error| Failure::of(&error))?;
        }
        Ok(())
    }

    /// Other ids for all that the copy brings with it, and other numbers, which have to be one of a kind.
    fn rename(&self, data: &mut Value, copy: u64) {
        match data {
            Value::String(text) => {
                if let Some(id) = Uuid::parse_str(text).ok().filter(|id| self.ids.contains(id)) {
                    *text = other(id, copy).to_string();
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.rename(value, copy)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value {
                        Value::String(number) if name == "number" => *number = format!("{number}-{copy}"),
                        value => self.rename(value, copy),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

fn other(id: Uuid, copy: u64) -> Uuid {
    Uuid::new_v5(&id, &copy.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_copy_has_ids_and_numbers_of_its_own_and_products_of_the_same() {
        let (order, product) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let month = Month { events: Vec::new(), ids: [order].into() };
        let mut data =
            json!({"orderId": order, "number": "536365", "lines": [{"productId": product, "quantity": 6}]});
        month.rename(&mut data, 3);
        let expected = json!({"orderId": other(order, 3), "number": "536365-3",
                              "lines": [{"productId": product, "quantity": 6}]});
        assert_eq!(data, expected);
        assert_ne!(other(order, 3), other(order, 4));
    }
}
