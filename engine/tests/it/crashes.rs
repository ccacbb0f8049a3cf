//! Whatever crashes, restarts or stands by, rows, counts and checksums are those of one fold of the log.

use std::collections::HashMap;
use std::time::Duration;

use contract::status::Stage;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::time::sleep;
use uuid::Uuid;

use crate::bank::Event;
use crate::fixture::{Database, Log, Running, account};

const ACCOUNTS: u128 = 5;

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<(u8, u128, u128, i64)>),
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
    let head = log.store.head().await.unwrap();
    database
        .until_versions("bank", |versions| {
            versions.iter().all(|version| version.stage == Stage::Ready && version.position >= head)
        })
        .await;
    database.until_reached("audit", head).await;
    database.assert_is_naive_fold_of(&log).await;
    for engine in engines {
        engine.stop().await;
    }
}

#[test]
fn any_interleaving_of_batches_crashes_and_restarts_gives_what_one_naive_fold_gives() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config = Config { cases: 12, max_shrink_iters: 20, failure_persistence: None, ..Config::default() };
    let steps = proptest::collection::vec(step(), 4..24);
    TestRunner::new(config)
        .run(&steps, |steps| {
            // A failed assertion is a panic, which the runner takes as a failed case.
            runtime.block_on(play(steps));
            Ok(())
        })
        .unwrap();
}
