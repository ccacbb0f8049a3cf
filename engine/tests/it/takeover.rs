//! Two workers of one projection.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::fixture::{Database, Log, Running, booked, opened};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_worker_is_active_and_a_second_takes_over_when_it_goes() {
    let (log, database) = (Log::start().await, Database::new().await);
    log.append(&[opened(1)]).await;
    let mut first = Running::start(&log, &database);
    first.ready().await;
    let mut second = Running::start(&log, &database);
    second.ready().await;
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let held: i64 = database.pool.get().await.unwrap().query_one(locks, &[]).await.unwrap().get(0);
    assert_eq!(held, 2, "one lock a projection");

    let end = log.append(&[booked(1, 1)]).await;
    database.until_reached("bank", end).await;
    first.crash().await;
    let crashed = Instant::now();
    let end = log.append(&[booked(1, 2)]).await;
    database.until_reached("bank", end).await;
    assert!(crashed.elapsed() < Duration::from_secs(5), "took over after {:?}", crashed.elapsed());

    let third = Running::start(&log, &database);
    sleep(Duration::from_millis(200)).await;
    second.stop().await;
    let end = log.append(&[booked(1, 3)]).await;
    for projection in ["bank", "audit"] {
        database.until_reached(projection, end).await;
    }
    database.assert_is_naive_fold_of(&log).await;
    third.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_was_taken_over_unawares_writes_nothing_more() {
    let (log, database) = (Log::start().await, Database::new().await);
    let mut engine = Running::start(&log, &database);
    engine.ready().await;
    database.until("bank", |row| row.state == "LIVE").await;

    // The worker has a batch ready and waits for the row, while another one raises the fence and passes the event by.
    let mut client = database.pool.get().await.unwrap();
    let other = client.transaction().await.unwrap();
    other.batch_execute("SELECT 1 FROM projection_version WHERE name = 'bank' FOR UPDATE").await.unwrap();
    let end = log.append(&[opened(1)]).await;
    database.until_reached("audit", end).await;
    sleep(Duration::from_millis(200)).await;
    let position = end.0.cast_signed();
    let raise = "UPDATE projection_version SET fence = fence + 1, position = $1 WHERE name = 'bank'";
    other.execute(raise, &[&position]).await.unwrap();
    other.commit().await.unwrap();

    let fence = database.standing("bank").await.unwrap().fence;
    database.until("bank", |row| row.fence > fence && row.state == "LIVE").await;
    let rows: i64 = client.query_one("SELECT count(*) FROM accounts_v1", &[]).await.unwrap().get(0);
    assert_eq!(rows, 0, "the batch of the worker that was taken over is not written");
    drop(client);
    let end = log.append(&[opened(2)]).await;
    database.until_reached("bank", end).await;
    engine.stop().await;
}
