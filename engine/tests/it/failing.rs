//! Events that cannot be folded.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use event_store::StreamId;

use crate::bank::{ACCOUNT, BankDecoder, Event, audit, bank};
use crate::fixture::{Database, Log, Running, account, booked, opened, raw, record};

/// Appends good events, the bad one and another good one; the bank stops at the bad one, the audit goes on.
async fn assert_stops_at(bad: impl AsyncFnOnce(&Log) -> contract::LogPosition, live: bool, reason: &str) {
    let (log, database) = (Log::start().await, Database::new().await);
    let mut engine = Running::start(&log, &database);
    if live {
        engine.ready().await;
        database.until("bank", |row| row.state == "LIVE").await;
    }
    let good = log.append(&[opened(1), booked(1, 5)]).await;
    let bad = bad(&log).await;
    let end = log.append(&[Event::Noted { text: "end".into() }, opened(3)]).await;

    let row = database.until("bank", |row| row.state == "FAILED").await;
    assert_eq!(row.failed_position, Some(bad.0.cast_signed()));
    assert!(row.reason.as_ref().is_some_and(|text| text.contains(reason)), "{row:?}");
    assert!(row.position >= good && row.position < bad, "what stands before it is folded: {row:?}");
    assert!(row.pending);
    database.until_reached("audit", end).await;
    let fence = row.fence;
    let later = database.until("bank", |row| row.fence > fence).await;
    assert_eq!((later.state.as_str(), later.failed_position), ("FAILED", row.failed_position));
    let client = database.pool.get().await.unwrap();
    let accounts = client.query("SELECT balance FROM accounts_v1", &[]).await.unwrap();
    assert_eq!(accounts.iter().map(|row| row.get::<_, i64>(0)).collect::<Vec<_>>(), [5]);
    drop(client);
    engine.stop().await;
    let stopped = database.standing("bank").await.unwrap();
    assert_eq!((stopped.state.as_str(), stopped.reason), ("STOPPED", row.reason), "it still says why");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_fold_stops_its_projection_and_the_others_go_on() {
    for live in [true, false] {
        let bad = async |log: &Log| log.append(&[booked(2, 1)]).await;
        assert_stops_at(
            bad,
            live,
            "view accounts, key 00000000-0000-0000-0000-000000000002: there is no such",
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_postgres_refuses_stops_its_projection_at_the_event() {
    let bad = async |log: &Log| {
        log.append(&[Event::Opened { account: account(2), owner: "a\0b".into(), branch: 1 }]).await
    };
    assert_stops_at(bad, true, "Postgres refuses").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sum_that_overflows_fails_the_event_that_made_it() {
    let bad = async |log: &Log| {
        log.append(&[opened(2), Event::Closed { account: account(2) }]).await;
        // Each balance fits, their sum by branch does not.
        log.append(&[booked(1, i64::MAX - 5), booked(1, 5 - i64::MAX)]).await;
        log.append(&[opened(4), booked(4, i64::MAX)]).await
    };
    let (log, database) = (Log::start().await, Database::new().await);
    log.append(&[opened(1), booked(1, 5)]).await;
    let bad = bad(&log).await;
    let engine = Running::start(&log, &database);
    let row = database.until("bank", |row| row.state == "FAILED").await;
    assert_eq!(row.failed_position, Some(bad.0.cast_signed()));
    assert!(
        row.reason.as_ref().is_some_and(|text| text.contains("view branches, key 1: the sum overflows")),
        "{row:?}"
    );
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_known_version_that_does_not_decode_stops_its_projection() {
    let (log, database) = (Log::start().await, Database::new().await);
    let mut engine = Running::start(&log, &database);
    engine.ready().await;
    let stream = StreamId::new(ACCOUNT, &account(1));
    let bad = log.append_to(&stream, vec![raw("Opened", 1, b"{}")]).await;
    let row = database.until("bank", |row| row.state == "FAILED").await;
    assert_eq!(row.failed_position, Some(bad.0.cast_signed()));
    assert!(row.reason.unwrap().contains("does not decode"));
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
async fn an_unknown_version_waits_for_a_newer_binary_which_takes_over() {
    let (log, database) = (Log::start().await, Database::new().await);
    let mut old = Running::start(&log, &database);
    old.ready().await;
    let newer = serde_json::to_vec(&opened(1)).unwrap();
    let bad = log.append_to(&StreamId::new(ACCOUNT, &account(1)), vec![raw("Opened", 2, &newer)]).await;
    let row = database.until("bank", |row| row.state == "NEEDS_UPGRADE").await;
    assert_eq!(row.failed_position, Some(bad.0.cast_signed()));
    assert!(row.position < bad);

    // The old binary is still there, and has let go of the lock.
    let decoder = Arc::new(BankDecoder { is_newer: true, ..BankDecoder::default() });
    let mut new = Running::with(&log, &database, vec![bank(), audit()], decoder);
    let row = database.until("bank", |row| row.position >= bad && row.state == "LIVE").await;
    assert_eq!((row.reason, row.failed_position), (None, None));
    old.stop().await;
    new.ready().await;
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
