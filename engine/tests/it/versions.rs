//! Versions that are taken back and dropped.

use std::time::Duration;

use contract::LogPosition;
use contract::status::Stage;
use engine::versions::{VersionError, abandon, drop_version, rebuild, rollback};
use tokio::time::sleep;

use crate::bank::bank;
use crate::fixture::{Database, Log, PATIENCE, Running, opened};
use crate::rebuild::append_history;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_somebody_may_be_reading_is_not_dropped_from_under_them() {
    let (log, database) = (Log::start().await, Database::new().await);
    append_history(&log, 3).await;
    let mut engine = Running::start(&log, &database);
    engine.ready().await;
    rebuild(&database.pool, "bank").await.unwrap();
    database.until_active("bank", 2).await;
    // It knows of both versions, and has touched no table of them.
    let reader = database.pool.get().await.unwrap();
    reader.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.unwrap();
    reader.query("SELECT * FROM projection_version", &[]).await.unwrap();
    let pool = database.pool.clone();
    let dropping = tokio::spawn(async move { drop_version(&pool, &bank(), 1).await });
    let waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid <> pg_backend_pid()
        AND datname = current_database() AND query LIKE '%backend_xmin IS NOT NULL%')";
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !database.pool.get().await.unwrap().query_one(waits, &[]).await.unwrap().get::<_, bool>(0) {
        assert!(
            tokio::time::Instant::now() < deadline && !dropping.is_finished(),
            "nobody waited for the reader"
        );
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(reader.query("SELECT * FROM accounts_v1", &[]).await.unwrap().len(), 2);
    // One that is about to go keeps nobody from building another.
    assert_eq!(rebuild(&database.pool, "bank").await.unwrap(), 3);
    reader.batch_execute("COMMIT").await.unwrap();
    dropping.await.unwrap().unwrap();
    assert_eq!(tables_of(&database, 1).await, 2, "only those of the other projections");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_becomes_the_active_one_meanwhile_is_not_dropped() {
    let (log, database) = (Log::start().await, Database::new().await);
    append_history(&log, 3).await;
    let mut engine = Running::start(&log, &database);
    engine.ready().await;
    rebuild(&database.pool, "bank").await.unwrap();
    database.until_active("bank", 2).await;
    engine.stop().await;
    // As a worker's switch back to the first one, in its middle.
    let switching = database.pool.get().await.unwrap();
    switching
        .batch_execute(
            "BEGIN; SELECT FROM projection WHERE name = 'bank' FOR UPDATE;
             SELECT FROM projection_version WHERE name = 'bank' FOR UPDATE;
             UPDATE projection SET active_version = 1, previous_version = 2 WHERE name = 'bank';
             UPDATE projection_version SET stage = 'READY' WHERE name = 'bank' AND version = 1",
        )
        .await
        .unwrap();
    let pool = database.pool.clone();
    let dropping = tokio::spawn(async move { abandon(&pool, "bank", 1).await });
    let waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'
        AND datname = current_database())";
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !database.pool.get().await.unwrap().query_one(waits, &[]).await.unwrap().get::<_, bool>(0) {
        assert!(
            tokio::time::Instant::now() < deadline && !dropping.is_finished(),
            "nobody waited for the switch"
        );
        sleep(Duration::from_millis(5)).await;
    }
    switching.batch_execute("COMMIT").await.unwrap();
    assert!(matches!(dropping.await.unwrap(), Err(VersionError::Active { version: 1, .. })));
    let versions = database.until_active("bank", 1).await;
    assert!(versions.iter().all(|version| version.stage == Stage::Ready), "{versions:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_go_back_to_the_version_before_which_has_kept_up() {
    let (log, database) = (Log::start().await, Database::new().await);
    append_history(&log, 5).await;
    let mut engine = Running::start(&log, &database);
    engine.ready().await;
    assert!(matches!(rollback(&database.pool, "bank").await, Err(VersionError::NoPrevious(_))));
    rebuild(&database.pool, "bank").await.unwrap();
    database.until_active("bank", 2).await;
    let position = log.append(&[opened(77)]).await;
    assert_eq!(rollback(&database.pool, "bank").await.unwrap(), 1);
    let versions = database.until_active("bank", 1).await;
    assert!(versions[0].position >= position && versions[1].is_previous, "{versions:#?}");
    let dropped = drop_version(&database.pool, &bank(), 1).await;
    assert!(matches!(dropped, Err(VersionError::Active { version: 1, .. })));
    drop_version(&database.pool, &bank(), 2).await.unwrap();
    assert!(matches!(drop_version(&database.pool, &bank(), 2).await, Err(VersionError::NoVersion { .. })));
    assert_eq!(tables_of(&database, 2).await, 0);
    database.assert_is_naive_fold_of(&log).await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_go_back_to_a_slower_version_before_the_work_is_done() {
    let (log, database) = (Log::start().await, Database::new().await);
    append_history(&log, 3).await;
    let mut engine = Running::start(&log, &database);
    engine.ready().await;
    rebuild(&database.pool, "bank").await.unwrap();
    database.until_active("bank", 2).await;
    // The first version is an event behind when somebody goes back to it and the process is killed.
    let slow = |seconds: f64| {
        format!(
            "CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql
                AS $$ BEGIN PERFORM pg_sleep({seconds}); RETURN NEW; END $$;
             CREATE OR REPLACE TRIGGER slow BEFORE INSERT ON accounts_v1 FOR EACH ROW EXECUTE FUNCTION slow()"
        )
    };
    database.execute(&slow(60.0)).await;
    log.append(&[opened(50)]).await;
    database.until_versions("bank", |versions| versions[0].position < versions[1].position).await;
    engine.crash().await;
    database.cut_connections().await;
    let back = "UPDATE projection_version SET stage = 'SWITCHING' WHERE name = 'bank' AND version = 1";
    database.execute(back).await;
    // Each of them has more to do than can be done at once, and the first version is the slower one.
    database.execute(&slow(0.0003)).await;
    let events: Vec<_> = (1_000..7_000).map(opened).collect();
    log.append_many(&events).await;
    let end = log.store.head().await.unwrap();
    // Noted by the switch itself: whoever only looks at the versions may look too late.
    let note = "
        CREATE TABLE switched (position bigint);
        CREATE FUNCTION switched() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO switched SELECT position FROM projection_version
                WHERE name = NEW.name AND version = OLD.active_version;
            RETURN NEW;
        END $$;
        CREATE TRIGGER switched AFTER UPDATE OF active_version ON projection
            FOR EACH ROW WHEN (NEW.name = 'bank') EXECUTE FUNCTION switched()";
    database.execute(note).await;
    let engine = Running::start(&log, &database);
    database.until_active("bank", 1).await;
    let client = database.pool.get().await.unwrap();
    let noted = client.query_one("SELECT position FROM switched", &[]).await.unwrap();
    let position = LogPosition(noted.get::<_, i64>(0).cast_unsigned());
    assert!(position < end, "readers went back only after all the work: {position:?} of {end:?}");
    database.execute("DROP TRIGGER slow ON accounts_v1").await;
    database.until_versions("bank", |versions| versions.iter().all(|version| version.position >= end)).await;
    database.until_reached("audit", end).await;
    database.assert_is_naive_fold_of(&log).await;
    engine.stop().await;
}

pub async fn tables_of(database: &Database, version: i32) -> i64 {
    let client = database.pool.get().await.unwrap();
    let count = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relname LIKE '%\\_v' || $1::int4";
    client.query_one(count, &[&version]).await.unwrap().get(0)
}
