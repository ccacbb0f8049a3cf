//! Events that cannot be folded.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use contract::LogPosition;
use engine::parked::{ParkedPlace, list, retry, skip};
use engine::versions::{Verify, rebuild};
use event_store::StreamId;
use uuid::Uuid;

use crate::bank::{ACCOUNT, BankDecoder, Event, audit, bank};
use crate::fixture::{Database, Log, PATIENCE, Running, account, booked, opened, raw, record};

/// What is parked of the bank: place, position, events that wait, tries.
async fn parked(database: &Database) -> Vec<(String, LogPosition, i64, i32)> {
    let parked = list(&database.pool, Some("bank")).await.unwrap();
    parked.into_iter().map(|at| (at.place, at.position, at.waiting, at.tries)).collect()
}

/// Balances by account, of one version.
async fn balances(database: &Database, version: i32) -> Vec<(Uuid, i64)> {
    let client = database.pool.get().await.unwrap();
    let sql = format!("SELECT account, balance FROM accounts_v{version} ORDER BY account");
    client.query(&sql, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn row(number: u128) -> String {
    format!("accounts/{}", account(number))
}

async fn only_place(database: &Database) -> ParkedPlace {
    let mut parked = list(&database.pool, Some("bank")).await.unwrap();
    assert_eq!(parked.len(), 1, "{parked:#?}");
    parked.remove(0)
}

/// Builds the bank anew: what is parked and what is folded are the same as before, and the tables are what the log says.
async fn assert_rebuilds_alike(log: &Log, database: &Database, version: i32, left_out: u64) {
    let (before, rows) = (parked(database).await, balances(database, version).await);
    rebuild(&database.pool, "bank").await.unwrap();
    database.until_active("bank", version + 1).await;
    let places = |parked: &[(String, LogPosition, i64, i32)]| {
        parked
            .iter()
            .map(|(place, position, waiting, _)| (place.clone(), *position, *waiting))
            .collect::<Vec<_>>()
    };
    assert_eq!(places(&parked(database).await), places(&before));
    assert_eq!(balances(database, version + 1).await, rows);
    let verify = Verify {
        projection: Arc::new(bank()),
        pool: database.pool.clone(),
        store: log.store.clone(),
        decoder: Arc::new(BankDecoder::default()),
        memory: 1 << 24,
        progress: Arc::default(),
    };
    let verified = verify.run().await.unwrap();
    assert!(verified.is_sound(), "{verified:#?}");
    assert_eq!(verified.left_out_keys, left_out);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_fold_parks_its_row_with_what_comes_behind_and_all_else_goes_on() {
    for live in [true, false] {
        let (log, database) = (Log::start().await, Database::new().await);
        let mut engine = None;
        if live {
            engine = Some(Running::start(&log, &database));
            database.until("bank", |row| row.state == "LIVE").await;
        }
        log.append(&[opened(1), booked(1, 5)]).await;
        let bad = log.append(&[booked(2, 1)]).await;
        // One row of it folds, the other waits.
        let end =
            log.append(&[Event::Transferred { from: account(1), to: account(2), cents: 3 }, opened(3)]).await;
        let engine = engine.unwrap_or_else(|| Running::start(&log, &database));
        database.until_reached("audit", end).await;
        let standing = database.until_reached("bank", end).await;
        assert_eq!((standing.reason, standing.failed_position), (None, None));
        assert_eq!(parked(&database).await, [(row(2), bad, 2, 0)]);
        assert_eq!(balances(&database, 1).await, [(account(1), 2), (account(3), 0)]);
        let at = only_place(&database).await;
        assert!(at.reason.contains("there is no such account"), "{}", at.reason);
        assert_eq!((at.event_type.as_str(), at.revision), ("Booked", 0));
        engine.stop().await;

        let engine = Running::start(&log, &database);
        let later = log.append(&[booked(2, 7)]).await;
        database.until_reached("bank", later).await;
        assert_eq!(parked(&database).await, [(row(2), bad, 3, 0)], "it is known after a restart");
        engine.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_folded_by_retry_without_what_is_skipped_and_a_rebuild_honours_it() {
    let (log, database) = (Log::start().await, Database::new().await);
    let engine = Running::start(&log, &database);
    log.append(&[opened(1), booked(1, 5)]).await;
    let first = log.append(&[booked(2, 1)]).await;
    let second = log.append(&[booked(2, 2)]).await;
    let end = log.append(&[opened(2), booked(2, 30), booked(2, 400)]).await;
    database.until_reached("bank", end).await;
    assert_eq!(parked(&database).await, [(row(2), first, 5, 0)]);
    assert_rebuilds_alike(&log, &database, 1, 1).await;

    let decided = retry(&database.pool, &log.store, &only_place(&database).await, PATIENCE).await.unwrap();
    assert_eq!(decided.still.map(|at| (at.position, at.tries)), Some((first, 1)), "it fails as before");
    let decided = skip(&database.pool, &log.store, &only_place(&database).await, PATIENCE).await.unwrap();
    assert_eq!(decided.still.map(|at| at.position), Some(second));
    assert_eq!(balances(&database, 2).await, [(account(1), 5)]);
    // A stranger's decision about what is not parked any more changes nothing.
    let stale = only_place(&database).await;
    let decided = skip(&database.pool, &log.store, &only_place(&database).await, PATIENCE).await.unwrap();
    assert_eq!(decided.still, None);
    assert_eq!(balances(&database, 2).await, [(account(1), 5), (account(2), 430)]);
    skip(&database.pool, &log.store, &stale, PATIENCE).await.unwrap();
    assert_eq!(parked(&database).await, []);
    let end = log.append(&[booked(2, 1000)]).await;
    database.until_reached("bank", end).await;
    assert_eq!(balances(&database, 2).await, [(account(1), 5), (account(2), 1430)]);
    assert_rebuilds_alike(&log, &database, 2, 1).await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_postgres_refuses_is_found_in_its_batch_and_parked() {
    // No column takes a NUL, and no index a text that fills a page.
    let random = |number: u32| Uuid::new_v5(&Uuid::nil(), &number.to_be_bytes()).simple().to_string();
    let long: String = (0..1000).map(random).collect();
    for (owner, state) in [("a\0b", "22021"), (&long, "54000")] {
        let (log, database) = (Log::start().await, Database::new().await);
        database.execute("CREATE INDEX ON accounts_v1 (owner)").await;
        log.append(&[opened(1), booked(1, 5)]).await;
        let bad = Event::Opened { account: account(2), owner: owner.into(), branch: 1 };
        let bad = log.append(&[bad]).await;
        let end = log.append(&[opened(3), booked(3, 4), booked(2, 1)]).await;
        let engine = Running::start(&log, &database);
        database.until_reached("bank", end).await;
        assert_eq!(parked(&database).await, [(row(2), bad, 2, 0)]);
        assert_eq!(only_place(&database).await.reason, format!("Postgres refuses the row: SQLSTATE {state}"));
        assert_eq!(balances(&database, 1).await, [(account(1), 5), (account(3), 4)]);
        assert_rebuilds_alike(&log, &database, 1, 1).await;
        engine.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sum_that_overflows_parks_the_row_that_made_it() {
    let (log, database) = (Log::start().await, Database::new().await);
    // Each balance fits, their sum by branch does not.
    log.append(&[opened(1), booked(1, 5), opened(4), booked(4, 1)]).await;
    let bad = log.append(&[booked(4, i64::MAX - 1)]).await;
    let end = log.append(&[booked(1, 2)]).await;
    let engine = Running::start(&log, &database);
    database.until_reached("bank", end).await;
    assert_eq!(parked(&database).await, [(row(4), bad, 1, 0)]);
    assert!(only_place(&database).await.reason.contains("view branches, key 1: the sum overflows"));
    assert_eq!(balances(&database, 1).await, [(account(1), 7), (account(4), 1)]);
    assert_rebuilds_alike(&log, &database, 1, 1).await;
    // With room for it, it is folded.
    log.append(&[booked(1, -7)]).await;
    let decided = retry(&database.pool, &log.store, &only_place(&database).await, PATIENCE).await.unwrap();
    assert_eq!(decided.still, None);
    assert_eq!(balances(&database, 2).await, [(account(1), 0), (account(4), i64::MAX)]);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_known_version_that_does_not_decode_parks_its_stream() {
    for live in [true, false] {
        let (log, database) = (Log::start().await, Database::new().await);
        let mut engine = None;
        if live {
            engine = Some(Running::start(&log, &database));
            database.until("bank", |row| row.state == "LIVE").await;
        }
        log.append(&[opened(1), booked(1, 5)]).await;
        let stream = StreamId::new(ACCOUNT, &account(1));
        let bad = log.append_to(&stream, vec![raw("Booked", 1, b"{}")]).await;
        let end = log.append(&[booked(1, 7), opened(2), booked(2, 9)]).await;
        let engine = engine.unwrap_or_else(|| Running::start(&log, &database));
        database.until_reached("bank", end).await;
        assert_eq!(parked(&database).await, [(format!("stream/{stream}"), bad, 2, 0)]);
        assert!(only_place(&database).await.reason.contains("does not decode"));
        assert_eq!(balances(&database, 1).await, [(account(1), 5), (account(2), 9)]);
        assert_rebuilds_alike(&log, &database, 1, 0).await;
        let decided = skip(&database.pool, &log.store, &only_place(&database).await, PATIENCE).await.unwrap();
        assert_eq!(decided.still, None);
        assert_eq!(balances(&database, 2).await, [(account(1), 12), (account(2), 9)]);
        assert_rebuilds_alike(&log, &database, 2, 0).await;
        engine.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projection_that_would_park_more_than_a_thousand_rows_stops() {
    let (log, database) = (Log::start().await, Database::new().await);
    log.append(&[opened(1)]).await;
    let strangers: Vec<Event> = (0..1_001).map(|number| booked(10_000 + number, 1)).collect();
    log.append_many(&strangers).await;
    let engine = Running::start(&log, &database);
    let row = database.until("bank", |row| row.state == "FAILED").await;
    assert!(row.reason.as_ref().is_some_and(|reason| reason.contains("1,000 rows are parked")), "{row:?}");
    assert!(parked(&database).await.len() <= 1_000);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projection_behind_whose_parked_rows_too_many_events_would_wait_stops() {
    let (log, database) = (Log::start().await, Database::new().await);
    log.append_many(&vec![booked(2, 1); 100_001]).await;
    let engine = Running::start(&log, &database);
    let row = database.until("bank", |row| row.state == "FAILED").await;
    assert!(row.reason.as_ref().is_some_and(|reason| reason.contains("100,000 events wait")), "{row:?}");
    let waiting: Vec<i64> = parked(&database).await.into_iter().map(|(_, _, waiting, _)| waiting).collect();
    assert!(waiting.iter().sum::<i64>() <= 100_000, "{waiting:?}");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_type_is_passed_over() {
    let (log, database) = (Log::start().await, Database::new().await);
    let stream = StreamId::new(ACCOUNT, &account(1));
    let mut engine = Running::start(&log, &database);
    for _ in 0..2 {
        let end = log.append_to(&stream, vec![raw("Renamed", 1, b"{}")]).await;
        database.until_reached("bank", end).await;
        engine.ready().await;
    }
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_version_waits_for_a_newer_binary_which_takes_over_with_what_is_parked() {
    let (log, database) = (Log::start().await, Database::new().await);
    let mut old = Running::start(&log, &database);
    old.ready().await;
    // An account that nobody has opened.
    let waits = log.append(&[booked(2, 1)]).await;
    let newer = serde_json::to_vec(&opened(1)).unwrap();
    let bad = log.append_to(&StreamId::new(ACCOUNT, &account(1)), vec![raw("Opened", 2, &newer)]).await;
    let standing = database.until("bank", |row| row.state == "NEEDS_UPGRADE").await;
    assert_eq!(standing.failed_position, Some(bad.0.cast_signed()));
    assert!(standing.position < bad);
    assert_eq!(parked(&database).await, [(row(2), waits, 1, 0)]);

    // The old binary is still there, and has let go of the lock.
    let decoder = Arc::new(BankDecoder { is_newer: true, ..BankDecoder::default() });
    let mut new = Running::with(&log, &database, vec![bank(), audit()], decoder);
    let standing = database.until("bank", |row| row.position >= bad && row.state == "LIVE").await;
    assert_eq!((standing.reason, standing.failed_position), (None, None));
    old.stop().await;
    new.ready().await;
    let end = log.append(&[booked(1, 7), booked(2, 5)]).await;
    database.until_reached("bank", end).await;
    assert_eq!(parked(&database).await, [(row(2), waits, 2, 0)], "it waits, and so does what comes behind");
    assert_eq!(balances(&database, 1).await, [(account(1), 7)]);
    new.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_decoded_yet_is_tried_until_it_can() {
    for live in [true, false] {
        let (log, database) = (Log::start().await, Database::new().await);
        let decoder = Arc::new(BankDecoder::default());
        let start = || Running::with(&log, &database, vec![bank(), audit()], Arc::clone(&decoder) as _);
        let mut engine = None;
        if live {
            engine = Some(start());
            database.until("bank", |row| row.state == "LIVE").await;
        }
        let before = log.append(&[opened(1)]).await;
        let sealed = serde_json::to_vec(&serde_json::json!({"sealed": opened(2)})).unwrap();
        let stream = StreamId::new(ACCOUNT, &account(2));
        log.append_to(&stream, vec![raw("Opened", 1, &sealed), record(&booked(2, 7))]).await;
        let end = log.append(&[booked(1, 1)]).await;
        let engine = engine.unwrap_or_else(start);
        let row = database.until("bank", |row| row.reason.is_some()).await;
        assert!(row.reason.unwrap().contains("there is no key"));
        let row = database.until_reached("bank", before).await;
        assert!(row.position < end);
        decoder.has_key.store(true, Ordering::SeqCst);
        database.until_reached("bank", end).await;
        let row = database.until("bank", |row| row.state == "LIVE" && !row.pending).await;
        assert_eq!(row.reason, None);
        engine.stop().await;
    }
}
