//! What rows were is kept, begins, ends and is forgotten.

use std::sync::Arc;
use std::time::Duration;

use contract::LogPosition;
use engine::versions::rebuild;
use engine::{KeepHistory, law};

use crate::bank::{BankDecoder, Event, bank};
use crate::fixture::{Database, Log, Running, account, booked, opened};
use crate::rebuild::append_history;

fn keeping(log: &Log, database: &Database, history: KeepHistory) -> Running {
    Running::keeping(log, database, vec![bank()], Arc::new(BankDecoder::default()), history)
}

/// Rows of the tables of what was, of a version.
async fn past_rows(database: &Database, version: i32) -> i64 {
    let client = database.pool.get().await.unwrap();
    let mut rows = 0;
    for view in ["accounts", "tallies", "branches", "totals"] {
        let table = contract::history::table(view, version);
        rows +=
            client.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await.unwrap().get::<_, i64>(0);
    }
    rows
}

async fn exists(database: &Database, table: &str) -> bool {
    let client = database.pool.get().await.unwrap();
    client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&table]).await.unwrap().get(0)
}

/// The bank as of each position from the first of these on is what a fold up to there gives.
async fn assert_past_from(log: &Log, database: &Database, version: i32, from: LogPosition) {
    let events = log.events(&["account"]).await;
    let client = database.pool.get().await.unwrap();
    for (number, event) in events.iter().enumerate().filter(|(_, event)| event.position >= from) {
        let expected = law::naive_fold(&bank(), &events[..=number]).unwrap();
        let stored = law::stored_as_of(&client, &bank(), version, event.position).await.unwrap();
        for (expected, stored) in expected.iter().zip(&stored) {
            assert_eq!(expected.rows, stored.rows, "{} as of {}", stored.table.name, event.position);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_position_shows_what_a_fold_up_to_there_gives_live_and_built() {
    let (log, database) = (Log::start().await, Database::new().await);
    append_history(&log, 12).await;
    let mut engine = Running::start(&log, &database);
    engine.ready().await;
    let again = [booked(1, 3), Event::Transferred { from: account(1), to: account(2), cents: 17 }];
    log.append(&again).await;
    let end = log
        .append(&[opened(90), booked(90, 4), booked(90, -4), Event::Closed { account: account(90) }])
        .await;
    database.until_reached("bank", end).await;
    assert_past_from(&log, &database, 1, LogPosition::START).await;
    // With so little room that rows leave memory and come back.
    engine.stop().await;
    let decoder = Arc::new(BankDecoder::default());
    let engine = Running::with_memory(&log, &database, vec![bank()], decoder, 1);
    rebuild(&database.pool, "bank").await.unwrap();
    database.until_active("bank", 2).await;
    assert_eq!(database.history("bank", 2).await, Some((0, false)));
    assert_past_from(&log, &database, 2, LogPosition::START).await;
    assert_eq!(past_rows(&database, 1).await, past_rows(&database, 2).await);
    database.assert_is_naive_fold(&bank(), &log.events(&["account"]).await).await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_parked_stands_at_the_events_own_positions_once_it_is_folded() {
    let (log, database) = (Log::start().await, Database::new().await);
    database.execute("ALTER TABLE accounts_v1 ADD CONSTRAINT poor CHECK (balance < 100)").await;
    let engine = Running::start(&log, &database);
    log.append(&[opened(1), opened(2), booked(1, 7)]).await;
    let refused = log.append(&[booked(1, 500)]).await;
    // Or what comes behind would be in its batch, and nothing of it refused.
    database.until_reached("bank", refused).await;
    let end = log.append(&[booked(2, 1), booked(1, -490), booked(1, 3), booked(2, 2)]).await;
    database.until_reached("audit", end).await;
    let standing = database.until_reached("bank", end).await;
    assert_eq!((standing.state.as_str(), database.history("bank", 1).await), ("LIVE", Some((0, false))));
    let client = database.pool.get().await.unwrap();
    let balances = async |at| {
        let accounts = law::stored_as_of(&client, &bank(), 1, at).await.unwrap().remove(0).rows;
        [1, 2].map(|number| accounts[&vec![account(number).into()]][2].clone())
    };
    assert_eq!(balances(end).await, [7_i64.into(), 3_i64.into()], "the first one waits");

    database.execute("ALTER TABLE accounts_v1 DROP CONSTRAINT poor").await;
    let parked = engine::parked::list(&database.pool, Some("bank")).await.unwrap().remove(0);
    engine::parked::retry(&database.pool, &log.store, &parked, crate::fixture::PATIENCE).await.unwrap();
    assert_eq!(balances(refused).await, [507_i64.into(), 0_i64.into()]);
    assert_past_from(&log, &database, 1, LogPosition::START).await;
    // And what comes behind follows on it.
    let end =
        log.append(&[booked(1, 2), Event::Transferred { from: account(1), to: account(2), cents: 1 }]).await;
    database.until_reached("bank", end).await;
    assert_past_from(&log, &database, 1, LogPosition::START).await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_begins_when_it_is_asked_for_and_again_when_somebody_has_folded_without_it() {
    let (log, database) = (Log::start().await, Database::new().await);
    append_history(&log, 6).await;
    let mut engine = keeping(&log, &database, KeepHistory::Nothing);
    engine.ready().await;
    let first = log.store.head().await.unwrap();
    assert_eq!((database.history("bank", 1).await, exists(&database, "accounts_h1").await), (None, false));
    engine.stop().await;

    let engine = keeping(&log, &database, KeepHistory::Everything);
    let end = log.append(&[booked(1, 5), Event::Closed { account: account(2) }]).await;
    database.until_reached("bank", end).await;
    let (from, has_moment) = database.history("bank", 1).await.unwrap();
    assert!(has_moment && from > 0 && from <= first.0.cast_signed(), "{from} {first}");
    assert_past_from(&log, &database, 1, LogPosition(from.cast_unsigned() + 1)).await;
    engine.stop().await;

    // As a binary would that moves the version and knows nothing of this.
    database.execute("UPDATE projection_version SET history_to = history_to - 1 WHERE name = 'bank'").await;
    assert_eq!(database.history("bank", 1).await, None, "what lies between is missing");
    let engine = keeping(&log, &database, KeepHistory::Everything);
    let behind = log.append(&[booked(1, 6)]).await;
    database.until_reached("bank", behind).await;
    let (again, _) = database.history("bank", 1).await.unwrap();
    assert!(again >= end.0.cast_signed() && again < behind.0.cast_signed(), "{end} {again} {behind}");
    assert_past_from(&log, &database, 1, behind).await;
    engine.stop().await;

    let engine = keeping(&log, &database, KeepHistory::Nothing);
    let end = log.append(&[booked(1, 6)]).await;
    database.until_reached("bank", end).await;
    assert_eq!((database.history("bank", 1).await, exists(&database, "accounts_h1").await), (None, false));
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_old_is_forgotten_and_the_rest_still_fits() {
    let (log, database) = (Log::start().await, Database::new().await);
    append_history(&log, 6).await;
    let mut engine = keeping(&log, &database, KeepHistory::Everything);
    engine.ready().await;
    assert!(past_rows(&database, 1).await > 0);
    engine.stop().await;

    let engine = keeping(&log, &database, KeepHistory::For(Duration::ZERO));
    let deadline = tokio::time::Instant::now() + crate::fixture::PATIENCE;
    while past_rows(&database, 1).await > 0 {
        assert!(tokio::time::Instant::now() < deadline, "nothing was forgotten");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (from, has_moment) = database.history("bank", 1).await.unwrap();
    let last = log.events(&["account"]).await.last().unwrap().position;
    assert!(has_moment && from == last.0.cast_signed(), "{from} {last}");
    engine.stop().await;
    // Of what is not old enough nothing goes.
    let engine = keeping(&log, &database, KeepHistory::For(Duration::from_secs(3600)));
    let end = log.append(&[booked(1, 6), booked(1, 7)]).await;
    database.until_reached("bank", end).await;
    assert_eq!(database.history("bank", 1).await, Some((from, true)));
    assert_past_from(&log, &database, 1, last).await;
    engine.stop().await;
}
