//! The rows of what is parked and of the events that wait there.

use std::collections::HashMap;

use contract::LogPosition;
use deadpool_postgres::{ClientWrapper, Transaction};
use event_store::{Revision, StreamId};
use jiff::Timestamp;
use postgres_types::ToSql;
use tokio_postgres::Error;

use crate::parked::decision::PlaceName;
use crate::parked::{NewlyParked, Parked, Place, Stuck, Waiting};
use crate::table::Table;

/// What becomes of a place that was tried again.
#[derive(Debug, Clone)]
pub(crate) struct Retried {
    pub(crate) place: Place,
    /// Events before this position do not wait any more.
    pub(crate) below: LogPosition,
    /// Nothing waits there any more.
    pub(crate) is_over: bool,
}

/// A place of a version that is parked.
pub(crate) struct ParkedRow {
    pub(crate) place: Place,
    /// Put aside while the version was built.
    pub(crate) is_held: bool,
}

const LOAD: &str =
    "SELECT view, key, position, since, held FROM projection_parked WHERE name = $1 AND version = $2";

const COUNT: &str = "SELECT count(*) FROM projection_waiting WHERE name = $1 AND version = $2";

/// Reads what is parked of a version.
pub(crate) async fn load(
    client: &ClientWrapper,
    (name, version): (&str, i32),
    tables: &[&'static Table],
) -> Result<(Parked, Vec<ParkedRow>), Error> {
    let (mut parked, mut rows) = (Parked::default(), Vec::new());
    for row in client.query(LOAD, &[&name, &version]).await? {
        let of = PlaceName { view: row.try_get(0)?, key: row.try_get(1)? };
        let Some(place) = of.resolve(tables) else {
            tracing::warn!(projection = name, version, view = of.view, "parked under a key that no view has");
            continue;
        };
        let position = LogPosition(row.try_get::<_, i64>(2)?.cast_unsigned());
        parked.insert(place.clone(), position, row.try_get::<_, Timestamp>(3)?);
        rows.push(ParkedRow { place, is_held: row.try_get(4)? });
    }
    if !rows.is_empty() {
        let waiting: i64 = client.query_one(COUNT, &[&name, &version]).await?.try_get(0)?;
        parked.waiting = usize::try_from(waiting).unwrap_or_default();
    }
    Ok((parked, rows))
}

const PARK: &str = "
    INSERT INTO projection_parked AS p
        (name, version, view, key, since, position, stream, revision, event_type, reason, tries, held)
    SELECT $1, $2, u.*, 0, $11 FROM unnest($3::text[], $4::text[], $5::timestamptz[], $6::bigint[], $7::text[],
        $8::bigint[], $9::text[], $10::text[]) u
    ON CONFLICT (name, version, view, key) DO UPDATE SET since = EXCLUDED.since, position = EXCLUDED.position,
        stream = EXCLUDED.stream, revision = EXCLUDED.revision, event_type = EXCLUDED.event_type,
        reason = EXCLUDED.reason, tries = CASE WHEN p.held THEN 0 ELSE p.tries + 1 END, held = EXCLUDED.held";

const WAIT: &str = "
    INSERT INTO projection_waiting (name, version, view, key, position, stream, revision)
    SELECT $1, $2, u.* FROM unnest($3::text[], $4::text[], $5::bigint[], $6::text[], $7::bigint[]) u
    ON CONFLICT DO NOTHING";

/// Parks and lets wait.
pub(crate) async fn park(
    transaction: &Transaction<'_>,
    of: (&str, i32),
    tables: &[&'static Table],
    stuck: &Stuck,
    is_held: bool,
) -> Result<(), Error> {
    park_places(transaction, of, tables, &stuck.parked, is_held).await?;
    wait(transaction, of, tables, &stuck.waiting).await
}

async fn park_places(
    transaction: &Transaction<'_>,
    (name, version): (&str, i32),
    tables: &[&'static Table],
    parked: &[NewlyParked],
    is_held: bool,
) -> Result<(), Error> {
    if parked.is_empty() {
        return Ok(());
    }
    let (views, keys) = named(parked.iter().map(|parked| &parked.place), tables);
    let events = || parked.iter().map(|parked| &parked.event);
    let since: Vec<Timestamp> = events().map(|event| event.recorded_at).collect();
    let positions: Vec<i64> = events().map(|event| event.position.0.cast_signed()).collect();
    let streams: Vec<&str> = events().map(|event| event.stream.as_str()).collect();
    let revisions: Vec<i64> = events().map(|event| event.revision.0.cast_signed()).collect();
    let types: Vec<&str> = events().map(|event| event.event_type.as_str()).collect();
    // A reason may quote what Postgres takes in no text.
    let reasons: Vec<String> = parked.iter().map(|parked| parked.reason.replace('\0', "\u{fffd}")).collect();
    let statement = transaction.prepare_cached(PARK).await?;
    let values: [&(dyn ToSql + Sync); 11] = [
        &name, &version, &views, &keys, &since, &positions, &streams, &revisions, &types, &reasons, &is_held,
    ];
    transaction.execute(&statement, &values).await?;
    Ok(())
}

async fn wait(
    transaction: &Transaction<'_>,
    (name, version): (&str, i32),
    tables: &[&'static Table],
    waiting: &[Waiting],
) -> Result<(), Error> {
    if waiting.is_empty() {
        return Ok(());
    }
    let (views, keys) = named(waiting.iter().map(|waiting| &waiting.place), tables);
    let positions: Vec<i64> = waiting.iter().map(|waiting| waiting.position.0.cast_signed()).collect();
    let streams: Vec<&str> = waiting.iter().map(|waiting| waiting.stream.as_str()).collect();
    let revisions: Vec<i64> = waiting.iter().map(|waiting| waiting.revision.0.cast_signed()).collect();
    let statement = transaction.prepare_cached(WAIT).await?;
    let values: [&(dyn ToSql + Sync); 7] = [&name, &version, &views, &keys, &positions, &streams, &revisions];
    transaction.execute(&statement, &values).await?;
    Ok(())
}

fn named<'p>(
    places: impl Iterator<Item = &'p Place>,
    tables: &[&'static Table],
) -> (Vec<String>, Vec<String>) {
    // Many events wait at few places.
    let mut known: HashMap<&Place, PlaceName> = HashMap::new();
    let names =
        places.map(|place| known.entry(place).or_insert_with(|| PlaceName::new(place, tables)).clone());
    names.map(|name| (name.view, name.key)).unzip()
}

const RELEASE: &str = "
    DELETE FROM projection_waiting
    WHERE name = $1 AND version = $2 AND view = $3 AND key = $4 AND position < $5";

const UNPARK: &str =
    "DELETE FROM projection_parked WHERE name = $1 AND version = $2 AND view = $3 AND key = $4";

/// Writes what became of a place that was tried again.
pub(crate) async fn settle(
    transaction: &Transaction<'_>,
    (name, version): (&str, i32),
    tables: &[&'static Table],
    retried: &Retried,
) -> Result<(), Error> {
    let PlaceName { view, key } = PlaceName::new(&retried.place, tables);
    if retried.is_over {
        transaction.execute(UNPARK, &[&name, &version, &view, &key]).await?;
    } else {
        let below = retried.below.0.cast_signed();
        transaction.execute(RELEASE, &[&name, &version, &view, &key, &below]).await?;
    }
    Ok(())
}

const PAGE: &str = "
    SELECT position, stream, revision FROM projection_waiting
    WHERE name = $1 AND version = $2 AND view = $3 AND key = $4 ORDER BY position LIMIT $5";

/// The next events that wait at a place.
pub(crate) async fn page(
    client: &ClientWrapper,
    (name, version): (&str, i32),
    tables: &[&'static Table],
    place: &Place,
    limit: usize,
) -> Result<Vec<Waiting>, Error> {
    let PlaceName { view, key } = PlaceName::new(place, tables);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = client.query(PAGE, &[&name, &version, &view, &key, &limit]).await?;
    let waiting = |row: &tokio_postgres::Row| {
        Ok(Waiting {
            place: place.clone(),
            position: LogPosition(row.try_get::<_, i64>(0)?.cast_unsigned()),
            stream: StreamId::named(row.try_get(1)?),
            revision: Revision(row.try_get::<_, i64>(2)?.cast_unsigned()),
        })
    };
    rows.iter().map(waiting).collect()
}
