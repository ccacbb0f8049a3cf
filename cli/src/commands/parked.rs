//! `headwater parked`: rows and streams that wait because an event could not be folded, and what becomes of them.

use deadpool_postgres::Pool;
use engine::parked::{self, Decided, ParkedPlace, WaitingEvent};
use serde::Serialize;

use super::projection::{database_and_log, names_of, pool};
use crate::args::{ParkedListFlags, ParkedRetryFlags, ParkedShowFlags, ParkedSkipFlags};
use crate::config::Config;
use crate::database::Database;
use crate::failure::Failure;
use crate::print;
use crate::roles::parked::{PATIENCE, WAITING_SHOWN};
use crate::roles::projections::views;
use crate::table::table;

/// Prints a row for each.
pub async fn list(config: &Config, flags: &ParkedListFlags) -> Result<(), Failure> {
    flags.name.as_deref().map_or(Ok(()), |name| known(config, name))?;
    let database = Database::open(config).await?;
    let found = async { all(&pool(database.url())?, flags.name.as_deref()).await }.await;
    database.close().await?;
    let found = found?;
    if flags.json {
        return print_json(&found);
    }
    print(&as_table(&found))
}

/// Prints one with what waits there.
pub async fn show(config: &Config, flags: &ParkedShowFlags) -> Result<(), Failure> {
    known(config, &flags.name)?;
    let database = Database::open(config).await?;
    let found = async {
        let pool = pool(database.url())?;
        let place = find(all(&pool, Some(&flags.name)).await?, &flags.name, &flags.place)?;
        let waiting =
            parked::waiting(&pool, &place, WAITING_SHOWN).await.map_err(|error| Failure::of(&error))?;
        Ok(Shown { place, waiting_events: waiting })
    }
    .await;
    database.close().await?;
    let shown: Shown = found?;
    if flags.json {
        return print_json(&shown);
    }
    print(&shown.text())
}

/// Has them folded again.
pub async fn retry(config: &Config, flags: &ParkedRetryFlags) -> Result<(), Failure> {
    let named = |found: Vec<ParkedPlace>| match flags.all {
        true => Ok(found),
        false => flags.places.iter().map(|place| find(found.clone(), &flags.name, place)).collect(),
    };
    decide(config, flags.report.json, &flags.name, named, false).await
}

/// Has the event that failed left out.
pub async fn skip(config: &Config, flags: &ParkedSkipFlags) -> Result<(), Failure> {
    let named = |found| find(found, &flags.name, &flags.place).map(|place| vec![place]);
    decide(config, flags.report.json, &flags.name, named, true).await
}

async fn decide(
    config: &Config,
    json: bool,
    name: &str,
    named: impl FnOnce(Vec<ParkedPlace>) -> Result<Vec<ParkedPlace>, Failure>,
    is_skip: bool,
) -> Result<(), Failure> {
    known(config, name)?;
    let (database, log) = database_and_log(config).await?;
    let decided = async {
        let (pool, store) = (pool(database.url())?, log.store());
        let mut decided = Vec::new();
        for at in named(all(&pool, Some(name)).await?)? {
            let one = match is_skip {
                true => parked::skip(&pool, store, &at, PATIENCE).await,
                false => parked::retry(&pool, store, &at, PATIENCE).await,
            };
            decided.push(one.map_err(|error| Failure::of(&error))?);
        }
        Ok(decided)
    }
    .await;
    log.close().await;
    database.close().await?;
    tell(&decided?, json)
}

/// Refuses what is neither a projection nor a saga.
fn known(config: &Config, name: &str) -> Result<(), Failure> {
    let sagas = process_managers::tables().map(|(saga, ..)| saga);
    let names: Vec<&str> = names_of(&views(config)).into_iter().chain(sagas).collect();
    match names.contains(&name) {
        true => Ok(()),
        false => Err(Failure::usage(format!("there is no projection or saga {name:?}"))
            .hint(format!("there are {}", names.join(", ")))),
    }
}

async fn all(pool: &Pool, name: Option<&str>) -> Result<Vec<ParkedPlace>, Failure> {
    parked::list(pool, name).await.map_err(|error| Failure::of(&error))
}

fn find(found: Vec<ParkedPlace>, name: &str, place: &str) -> Result<ParkedPlace, Failure> {
    found.into_iter().find(|at| at.place == place).ok_or_else(|| {
        Failure::run(format!("nothing is parked at {place} in {name}"))
            .hint(format!("`headwater parked list {name}` shows what is"))
    })
}

fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::of(&error))?;
    print(&(text + "\n"))
}

fn as_table(found: &[ParkedPlace]) -> String {
    if found.is_empty() {
        return "nothing is parked\n".to_owned();
    }
    let row = |at: &ParkedPlace| {
        [
            at.projection.clone(),
            at.place.clone(),
            at.since.to_string(),
            at.waiting.to_string(),
            at.tries.to_string(),
            at.event_type.clone(),
            at.reason.clone(),
        ]
    };
    let rows: Vec<_> = found.iter().map(row).collect();
    table(["PROJECTION", "PLACE", "SINCE", " WAITING", " TRIES", "EVENT", "REASON"], &rows)
}

/// A place with what waits there.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    #[serde(flatten)]
    place: ParkedPlace,
    /// The first of them.
    waiting_events: Vec<WaitingEvent>,
}

impl Shown {
    fn text(&self) -> String {
        let at = &self.place;
        let mut text = format!(
            "{} of {}: parked since {}, tried again {} times\n{} at position {}, {} ({}): {}\n\n",
            at.place,
            at.projection,
            at.since,
            at.tries,
            at.event_type,
            at.position,
            at.stream,
            at.revision,
            at.reason
        );
        let row = |event: &WaitingEvent| {
            [event.position.to_string(), event.stream.clone(), event.revision.to_string()]
        };
        let rows: Vec<_> = self.waiting_events.iter().map(row).collect();
        text += &table([" POSITION", "STREAM", " REVISION"], &rows);
        let more = at.waiting - i64::try_from(rows.len()).unwrap_or(i64::MAX);
        if more > 0 {
            text += &format!("and {more} more\n");
        }
        text
    }
}

fn tell(decided: &[Decided], json: bool) -> Result<(), Failure> {
    if json {
        print_json(&decided)?;
    } else if decided.is_empty() {
        print("nothing is parked\n")?;
    } else {
        print(&decided.iter().map(line).collect::<String>())?;
    }
    match decided.iter().filter(|one| one.still.is_some()).count() {
        0 => Ok(()),
        1 => Err(Failure::run("one place is still parked")),
        several => Err(Failure::run(format!("{several} places are still parked"))),
    }
}

fn line(decided: &Decided) -> String {
    match &decided.still {
        None => format!("{}: folded\n", decided.place),
        Some(still) => {
            format!("{}: still parked, at position {}: {}\n", decided.place, still.position, still.reason)
        }
    }
}
