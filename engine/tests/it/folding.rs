//! What an undisturbed engine does.

use std::time::Duration;

use contract::status::{CHANNEL, Moved};
use event_store::StreamId;
use futures::StreamExt;
use tokio_postgres::{AsyncMessage, NoTls};

use crate::bank::{ACCOUNT, Event};
use crate::fixture::{Database, Log, PATIENCE, Running, account, booked, opened, record, set_up};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_is_folded_and_then_what_is_appended_live() {
    let (log, database) = (Log::start().await, Database::new().await);
    let transfer = Event::Transferred { from: account(1), to: account(2), cents: 30 };
    log.append(&[opened(1), opened(2), booked(1, 100), Event::Noted { text: "a".into() }, transfer]).await;
    let mut engine = Running::start(&log, &database);
    engine.ready().await;
    database.assert_is_naive_fold_of(&log).await;

    database.until("bank", |row| row.state == "LIVE").await;
    log.append(&[booked(2, -30), Event::Closed { account: account(2) }]).await;
    let end = log.append(&[Event::Closed { account: account(1) }]).await;
    let row = database.until_reached("bank", end).await;
    assert_eq!((row.state.as_str(), row.pending, row.lag_events, row.reason), ("LIVE", false, Some(0), None));
    database.until_reached("audit", end).await;
    database.assert_is_naive_fold_of(&log).await;

    engine.stop().await;
    assert_eq!(database.standing("bank").await.unwrap().state, "STOPPED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_checkpoint_moves_past_events_that_a_projection_does_not_fold() {
    let (log, database) = (Log::start().await, Database::new().await);
    let mut engine = Running::start(&log, &database);
    engine.ready().await;
    for state in ["CATCHING_UP then LIVE", "LIVE"] {
        let noted = log.append(&[Event::Noted { text: state.into() }]).await;
        database.until_reached("bank", noted).await;
        database.until("bank", |row| row.state == "LIVE").await;
    }
    // Of a category that nobody folds: the node tells of these now and then.
    let foreign = StreamId::named("foreign-1");
    for _ in 0..10 {
        log.append_to(&foreign, (0..100).map(|_| record(&opened(9))).collect()).await;
    }
    let before = database.standing("bank").await.unwrap().position;
    database.until("bank", |row| row.position > before).await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_are_notified_of_each_move() {
    let (log, database) = (Log::start().await, Database::new().await);
    let mut engine = Running::start(&log, &database);
    engine.ready().await;

    let (client, mut connection) = tokio_postgres::connect(&database.url, NoTls).await.unwrap();
    let mut messages = futures::stream::poll_fn(move |context| connection.poll_message(context));
    let (sender, mut notified) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) = messages.next().await {
            if let AsyncMessage::Notification(notification) = message {
                let _ = sender.send(Moved::parse(notification.payload()).unwrap());
            }
        }
    });
    client.batch_execute(&format!("LISTEN {CHANNEL}")).await.unwrap();
    let end = log.append(&[opened(1)]).await;
    let heard = async {
        while let Some(moved) = notified.recv().await {
            if moved.projection == "bank" && moved.position >= end {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, heard).await.expect("a notification");
    let row = client.query_one("SELECT count(*) FROM headwater.accounts_v1", &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 1, "the rows are there when the notification is");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projection_that_is_held_up_leaves_the_tail_and_the_others_go_on() {
    let (log, database) = (Log::start().await, Database::new().await);
    let mut engine = Running::start(&log, &database);
    engine.ready().await;
    database.until("bank", |row| row.state == "LIVE").await;

    let mut client = database.pool.get().await.unwrap();
    let holding = client.transaction().await.unwrap();
    let hold = "SELECT 1 FROM projection_version WHERE name = 'bank' FOR UPDATE";
    holding.batch_execute(hold).await.unwrap();
    log.append(&[opened(1)]).await;
    let stream = StreamId::new(ACCOUNT, &account(1));
    let mut end = None;
    // More than the tail's queue and the worker's buffer hold together.
    for _ in 0..12 {
        end = Some(log.append_to(&stream, (0..500).map(|_| record(&booked(1, 1))).collect()).await);
    }
    database.until_reached("audit", end.unwrap()).await;
    holding.rollback().await.unwrap();
    drop(client);
    database.until_reached("bank", end.unwrap()).await;
    database.until("bank", |row| row.state == "LIVE").await;
    database.assert_is_naive_fold_of(&log).await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_worker_says_that_it_is_there() {
    let (log, database) = (Log::start().await, Database::new().await);
    let mut engine = Running::start(&log, &database);
    engine.ready().await;
    let fence = database.until("bank", |row| row.state == "LIVE").await.fence;
    let row = database.until("bank", |row| row.fence >= fence + 2).await;
    assert!(row.heartbeat_age_seconds < 4.0, "{row:?}");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_reset_everything_folds_again_from_nothing() {
    let (log, database) = (Log::start().await, Database::new().await);
    log.append(&[opened(1), booked(1, 5)]).await;
    let mut engine = Running::start(&log, &database);
    engine.ready().await;
    engine.stop().await;

    engine::reset(&database.pool).await.unwrap();
    assert!(database.standing("bank").await.is_none());
    set_up(&database.pool).await;
    let mut engine = Running::start(&log, &database);
    engine.ready().await;
    database.assert_is_naive_fold_of(&log).await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_stops_within_its_grace_when_nothing_answers() {
    let (log, database) = (Log::start().await, Database::new().await);
    let engine = Running::start(&log, &database);
    database.until("bank", |_| true).await;
    let mut client = database.pool.get().await.unwrap();
    let holding = client.transaction().await.unwrap();
    holding.batch_execute("LOCK TABLE projection_version").await.unwrap();
    // The one who looks at the versions waits for us, and the worker or its heartbeat.
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'
        AND datname = current_database() AND query LIKE '%previous_version%'";
    // On a connection of its own: within a transaction the view does not change.
    let onlooker = database.pool.get().await.unwrap();
    while onlooker.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::timeout(Duration::from_secs(8), engine.stop())
        .await
        .expect("stops though a statement hangs");
    holding.rollback().await.unwrap();
}
