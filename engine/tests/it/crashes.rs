//! Whatever crashes, restarts or stands by, is parked, tried again or left out, rows, counts and checksums are those of one
//! fold of the log.

use std::collections::HashMap;
use std::time::Duration;

use contract::status::Stage;
use engine::{law, parked};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::time::sleep;
use uuid::Uuid;

use crate::bank::{Event, audit, bank};
use crate::fixture::{Database, Log, PATIENCE, Running, account, booked, opened};

const ACCOUNTS: u128 = 5;

/// Accounts beyond those, of which events come in any order: what cannot be folded parks them.
const ODD_ACCOUNTS: u128 = 2;

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<(u8, u128, u128, i64)>),
    /// Of accounts that may not be open yet, or are already: whether it opens one, which, and how much is booked.
    AppendOdd(Vec<(bool, u128, i64)>),
    /// Somebody decides about what is parked first, whether or not anybody is there to carry it out.
    Retry,
    Skip,
    /// Another engine, at most two at once.
    Start,
    Pause(Duration),
    /// The process is killed, wherever it is.
    Crash,
    Stop,
    /// Every connection is cut.
    CutConnections,
    /// Somebody asks for the bank to be built anew, or to go back.
    Rebuild,
    Rollback,
}

fn step() -> impl Strategy<Value = Step> {
    let action = (any::<u8>(), 0..ACCOUNTS, 0..ACCOUNTS, -1000_i64..1000);
    prop_oneof![
        5 => proptest::collection::vec(action, 1..40).prop_map(Step::Append),
        3 => Just(Step::Start),
        4 => (0_u64..60).prop_map(|ms| Step::Pause(Duration::from_millis(ms))),
        2 => Just(Step::Crash),
        1 => Just(Step::Stop),
        1 => Just(Step::CutConnections),
        2 => Just(Step::Rebuild),
        1 => Just(Step::Rollback),
    ]
}

/// The same, with events that park rows and decisions about them.
fn step_or_decision() -> impl Strategy<Value = Step> {
    let odd = (prop::bool::weighted(0.2), ACCOUNTS..ACCOUNTS + ODD_ACCOUNTS, -1000_i64..1000);
    prop_oneof![
        19 => step(),
        2 => proptest::collection::vec(odd, 1..6).prop_map(Step::AppendOdd),
        1 => Just(Step::Retry),
        2 => Just(Step::Skip),
    ]
}

/// Turns any numbers into an event that can follow, and keeps track of which accounts are open with which balance.
pub fn event(accounts: &mut HashMap<Uuid, (bool, i64)>, (kind, a, b, cents): (u8, u128, u128, i64)) -> Event {
    let (a, b) = (account(a), account(b));
    if kind % 16 == 0 {
        return Event::Noted { text: format!("note {cents}") };
    }
    match (accounts.get(&a).copied(), accounts.get(&b).copied()) {
        (None, _) => {
            accounts.insert(a, (true, 0));
            Event::Opened { account: a, owner: format!("owner {cents}"), branch: i32::from(kind % 3) }
        }
        (Some((_, balance)), _) if kind % 5 == 0 => {
            if balance == 0 {
                accounts.remove(&a)
            } else {
                accounts.insert(a, (false, balance))
            };
            Event::Closed { account: a }
        }
        (Some((is_open, balance)), Some((other_open, other))) if a != b && kind % 3 == 0 => {
            accounts.insert(a, (is_open, balance - cents));
            accounts.insert(b, (other_open, other + cents));
            Event::Transferred { from: a, to: b, cents }
        }
        (Some((is_open, balance)), _) => {
            let cents = if kind % 7 == 0 { -balance } else { cents };
            accounts.insert(a, (is_open, balance + cents));
            Event::Booked { account: a, cents }
        }
    }
}

/// What is parked of the bank, the earliest first; nothing before there are tables.
async fn first_parked(database: &Database) -> Option<parked::ParkedPlace> {
    parked::list(&database.pool, Some("bank")).await.ok()?.into_iter().next()
}

async fn play(steps: Vec<Step>) {
    let (log, database) = (Log::start().await, Database::new().await);
    let mut accounts = HashMap::new();
    let mut engines: Vec<Running> = Vec::new();
    for step in steps {
        match step {
            Step::Append(actions) => {
                let events: Vec<Event> =
                    actions.into_iter().map(|action| event(&mut accounts, action)).collect();
                log.append(&events).await;
            }
            Step::AppendOdd(actions) => {
                let events = actions
                    .into_iter()
                    .map(|(opens, number, cents)| if opens { opened(number) } else { booked(number, cents) });
                log.append(&events.collect::<Vec<_>>()).await;
            }
            // Perhaps nobody is there to carry it out, which is fine.
            Step::Retry => {
                if let Some(at) = first_parked(&database).await {
                    let _ = parked::retry(&database.pool, &log.store, &at, Duration::ZERO).await;
                }
            }
            Step::Skip => {
                if let Some(at) = first_parked(&database).await {
                    let _ = parked::skip(&database.pool, &log.store, &at, Duration::ZERO).await;
                }
            }
            Step::Start if engines.len() < 2 => engines.push(Running::start(&log, &database)),
            Step::Pause(pause) => sleep(pause).await,
            Step::Crash if !engines.is_empty() => engines.remove(0).crash().await,
            Step::Stop if !engines.is_empty() => engines.remove(0).stop().await,
            Step::CutConnections => database.cut_connections().await,
            // What cannot be done now is refused, which is fine.
            Step::Rebuild => drop(engine::versions::rebuild(&database.pool, "bank").await),
            Step::Rollback => drop(engine::versions::rollback(&database.pool, "bank").await),
            Step::Start | Step::Crash | Step::Stop => {}
        }
    }
    engines.push(Running::start(&log, &database));
    settled(&log, &database).await;
    while let Some(at) = first_parked(&database).await {
        parked::skip(&database.pool, &log.store, &at, PATIENCE).await.unwrap();
    }
    settled(&log, &database).await;
    let events = log.events(&["account"]).await;
    if law::naive_fold(&bank(), &events).is_ok() {
        database.assert_is_naive_fold(&bank(), &events).await;
    } else {
        database.assert_is_naive_fold_with_skips(&bank(), &events).await;
    }
    database.assert_is_naive_fold(&audit(), &log.events(&["account", "note"]).await).await;
    for engine in engines {
        engine.stop().await;
    }
}

/// Waits until everything is folded by every version that is to stay.
async fn settled(log: &Log, database: &Database) {
    let head = log.store.head().await.unwrap();
    database
        .until_versions("bank", |versions| {
            versions.iter().all(|version| version.stage == Stage::Ready && version.position >= head)
        })
        .await;
    database.until_reached("audit", head).await;
}

#[test]
fn any_interleaving_of_batches_crashes_and_restarts_gives_what_one_naive_fold_gives() {
    holds_for(step());
}

#[test]
fn any_interleaving_with_parked_rows_and_decisions_gives_what_one_naive_fold_with_skips_gives() {
    holds_for(step_or_decision());
}

fn holds_for(step: impl Strategy<Value = Step>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config = Config { cases: 12, max_shrink_iters: 20, failure_persistence: None, ..Config::default() };
    let steps = proptest::collection::vec(step, 4..24);
    TestRunner::new(config)
        .run(&steps, |steps| {
            // A failed assertion is a panic, which the runner takes as a failed case.
            runtime.block_on(play(steps));
            Ok(())
        })
        .unwrap();
}
