//! A version built beside the one in use, while events come in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use contract::status::{Stage, State};
use engine::versions::{Progress, Verify, VersionError, abandon, accept, drop_version, rebuild, rollback};
use engine::{Entity, MayDiffer, Projection};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::time::sleep;

use crate::bank::{ACCOUNT, Accounts, BankDecoder, Branches, Event, Tallies, Totals, audit, bank};
use crate::fixture::{Database, Log, Running, account, booked, opened, raw};
use crate::versions::tables_of;

/// Events of so many accounts: opened, moved about, some of them closed with nothing left.
pub async fn append_history(log: &Log, accounts: u128) {
    let mut events = Vec::new();
    for number in 1..=accounts {
        events.extend([opened(number), booked(number, 7)]);
        if number % 3 == 0 {
            events.push(Event::Transferred { from: account(number), to: account(number - 1), cents: 7 });
            events.push(Event::Closed { account: account(number) });
        }
    }
    log.append(&events).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_is_built_compared_and_taken_into_use_while_events_come_in() {
    let (log, database) = (Log::start().await, Database::new().await);
    append_history(&log, 60).await;
    let mut engine = Running::start(&log, &database);
    engine.ready().await;

    let (store, done) = (log.store.clone(), Arc::new(AtomicBool::new(false)));
    let appending = tokio::spawn({
        let done = Arc::clone(&done);
        async move {
            let mut number = 1000;
            while !done.load(Ordering::SeqCst) {
                number += 1;
                let stream = event_store::StreamId::new(ACCOUNT, &account(number));
                let events =
                    vec![crate::fixture::record(&opened(number)), crate::fixture::record(&booked(number, 3))];
                store.append(&stream, event_store::Expected::Any, events).await.unwrap();
            }
        }
    });
    let watching = tokio::spawn(never_back(database.pool.clone(), Arc::clone(&done)));
    for expected in 2..=4 {
        assert_eq!(rebuild(&database.pool, "bank").await.unwrap(), expected);
        let versions = database.until_active("bank", expected).await;
        let active = versions.iter().find(|version| version.is_active).unwrap();
        let build = active.build.as_ref().unwrap();
        assert!(build.finished_at.is_some() && build.difference.is_none(), "{build:?}");
        assert!(build.events > 0 && build.rows > 0, "{build:?}");
    }
    // The version before stays, those before that go.
    database
        .until_versions("bank", |versions| {
            let numbers: Vec<i32> = versions.iter().map(|version| version.version).collect();
            numbers == [3, 4] && versions[0].is_previous
        })
        .await;
    done.store(true, Ordering::SeqCst);
    appending.await.unwrap();
    assert!(watching.await.unwrap() > 100, "nobody has looked");
    let head = log.store.head().await.unwrap();
    database.until_versions("bank", |versions| versions.iter().all(|v| v.position >= head)).await;
    database.assert_is_naive_fold_of(&log).await;
    engine.stop().await;
}

/// What a reader has seen stays seen: the position of the version in use never falls.
async fn never_back(pool: deadpool_postgres::Pool, done: Arc<AtomicBool>) -> usize {
    let (mut looks, mut before) = (0, (0, 0_i64));
    let sql = "SELECT active_version, position FROM projection p
        JOIN projection_version v ON v.name = p.name AND v.version = p.active_version WHERE p.name = 'bank'";
    while !done.load(Ordering::SeqCst) {
        let row = pool.get().await.unwrap().query_one(sql, &[]).await.unwrap();
        let now = (row.get::<_, i32>(0), row.get::<_, i64>(1));
        assert!(now.1 >= before.1, "from {before:?} to {now:?}");
        (looks, before) = (looks + 1, now);
    }
    looks
}

/// A fold in which an account's balance counts double in the sums: other numbers, in the same columns.
struct DoubleBranches;

impl engine::SummaryView for DoubleBranches {
    type Key = i32;

    fn table(&self) -> &'static engine::Table {
        engine::SummaryView::table(&Branches)
    }

    fn store_key(&self, key: &i32) -> Vec<engine::Value> {
        vec![(*key).into()]
    }
}

impl engine::Contributes<Accounts> for DoubleBranches {
    fn contributions(&self, key: &uuid::Uuid, row: &crate::bank::Account) -> Vec<(i32, Vec<i64>)> {
        let mut once = engine::Contributes::<Accounts>::contributions(&Branches, key, row);
        once.iter_mut().for_each(|(_, amounts)| amounts[1] *= 2);
        once
    }
}

fn double_bank() -> Projection<Event> {
    Projection::new("bank", 2, &[ACCOUNT])
        .entity(Entity::new(Accounts).sums_into(DoubleBranches).sums_into(Totals))
        .entity(Entity::new(Tallies).sums_into(Totals))
}

async fn with_folds(log: &Log, database: &Database, newer: Projection<Event>) -> Running {
    let projections = vec![bank(), newer, audit()];
    Running::with(log, database, projections, Arc::new(BankDecoder::default()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_fold_is_built_by_itself_and_a_difference_that_is_not_declared_waits_for_a_person() {
    let (log, database) = (Log::start().await, Database::new().await);
    append_history(&log, 10).await;
    let mut old = Running::start(&log, &database);
    old.ready().await;
    old.stop().await;

    let mut engine = with_folds(&log, &database, double_bank()).await;
    engine.ready().await;
    let versions =
        database.until_versions("bank", |all| all.len() == 2 && all[1].stage == Stage::Differs).await;
    assert!(versions[0].is_active);
    let difference = versions[1].build.as_ref().unwrap().difference.clone().unwrap();
    assert_eq!(difference["branches"]["columns"], serde_json::json!(["balance"]));
    assert_eq!(difference["branches"]["keys"], serde_json::json!(["1"]));
    assert_eq!(difference.as_object().unwrap().len(), 1, "{difference}");

    // Both are folded on, until a person takes the new one.
    let position = log.append(&[opened(50), booked(50, 9)]).await;
    database.until_versions("bank", |all| all.iter().all(|version| version.position >= position)).await;
    assert!(matches!(rebuild(&database.pool, "bank").await, Err(VersionError::OnItsWay { version: 2, .. })));
    assert!(matches!(accept(&database.pool, "bank", 1).await, Err(VersionError::WrongStage { .. })));
    accept(&database.pool, "bank", 2).await.unwrap();
    database.until_active("bank", 2).await;
    let events = log.events(&[ACCOUNT]).await;
    database.assert_version_is_naive_fold(&bank(), 1, &events).await;
    database.assert_version_is_naive_fold(&double_bank(), 2, &events).await;
    engine.stop().await;

    // The next binary has the old fold no more: nobody can go back to its version.
    let engine =
        Running::with(&log, &database, vec![double_bank(), audit()], Arc::new(BankDecoder::default()));
    let position = log.append(&[opened(51)]).await;
    database.until_reached("bank", position).await;
    let stopped =
        "UPDATE projection_version SET heartbeat_at = now() - interval '1 minute' WHERE version = 1";
    database.execute(stopped).await;
    assert!(matches!(
        rollback(&database.pool, "bank").await,
        Err(VersionError::NotFolded { version: 1, .. })
    ));
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_difference_that_is_declared_is_taken_into_use_by_itself() {
    for may_differ in [MayDiffer::Columns(&[("branches", "balance")]), MayDiffer::Anything] {
        let (log, database) = (Log::start().await, Database::new().await);
        append_history(&log, 10).await;
        let mut old = Running::start(&log, &database);
        old.ready().await;
        old.stop().await;
        let engine = with_folds(&log, &database, double_bank().may_differ(may_differ)).await;
        database.until_active("bank", 2).await;
        engine.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_fold_takes_over_from_one_that_has_parked_or_is_not_in_the_binary_any_more() {
    let (log, database) = (Log::start().await, Database::new().await);
    append_history(&log, 4).await;
    // Nobody opened it: the fold of this binary fails here.
    log.append(&[booked(99, 1)]).await;
    let end = log.append(&[opened(100)]).await;
    let old = Running::start(&log, &database);
    database.until_reached("bank", end).await;
    assert_eq!(engine::parked::list(&database.pool, Some("bank")).await.unwrap().len(), 1);
    old.stop().await;
    let only_tallies = Projection::new("bank", 2, &[ACCOUNT])
        .entity(Entity::new(Tallies).sums_into(Totals))
        .may_differ(MayDiffer::Anything);
    let newer = vec![only_tallies, audit()];
    let engine = Running::with(&log, &database, newer, Arc::new(BankDecoder::default()));
    database.until_active("bank", 2).await;
    database.until_reached("bank", end).await;
    assert_eq!(engine::parked::list(&database.pool, Some("bank")).await.unwrap(), []);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_that_is_killed_again_and_again_begins_anew_and_the_version_in_use_goes_on() {
    let (log, database) = (Log::start().await, Database::new().await);
    append_history(&log, 400).await;
    let mut engine = Running::start(&log, &database);
    engine.ready().await;
    rebuild(&database.pool, "bank").await.unwrap();
    for kill in 0..6 {
        // At a moment of its own each time: as it begins, and the further on the later.
        database.until_versions("bank", |all| all.len() == 2).await;
        sleep(Duration::from_millis(kill * 25)).await;
        engine.crash().await;
        log.append(&[opened(1000 + u128::from(kill))]).await;
        engine = Running::start(&log, &database);
    }
    database.until_active("bank", 2).await;
    let head = log.store.head().await.unwrap();
    database.until_versions("bank", |all| all.iter().all(|version| version.position >= head)).await;
    database.assert_is_naive_fold_of(&log).await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_that_waits_is_cancelled_by_dropping_it_and_leaves_nothing() {
    let (log, database) = (Log::start().await, Database::new().await);
    append_history(&log, 10).await;
    let sealed = serde_json::json!({"sealed": opened(20)}).to_string();
    let stream = event_store::StreamId::new(ACCOUNT, &account(20));
    let at = log.append_to(&stream, vec![raw("Opened", 1, sealed.as_bytes())]).await;
    let decoder = Arc::new(BankDecoder::default());
    decoder.has_key.store(true, Ordering::SeqCst);
    let engine = Running::with(&log, &database, vec![bank(), audit()], Arc::clone(&decoder) as _);
    database.until_reached("bank", at).await;
    // From here on it cannot be read, so the build waits at it.
    decoder.has_key.store(false, Ordering::SeqCst);
    rebuild(&database.pool, "bank").await.unwrap();
    database.until_versions("bank", |all| all.len() == 2 && all[1].build.is_some()).await;
    drop_version(&database.pool, &bank(), 2).await.unwrap();
    assert_eq!(tables_of(&database, 2).await, 0);
    // Given up, it goes by itself.
    assert_eq!(rebuild(&database.pool, "bank").await.unwrap(), 3, "a number is not used again");
    database.until_versions("bank", |all| all.len() == 2 && all[1].build.is_some()).await;
    abandon(&database.pool, "bank", 3).await.unwrap();
    database.until_versions("bank", |all| all.len() == 1).await;
    assert_eq!(tables_of(&database, 3).await, 0);
    let later = log.append(&[opened(21)]).await;
    database.until_reached("bank", later).await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_that_cannot_go_on_says_where_and_why() {
    let (log, database) = (Log::start().await, Database::new().await);
    append_history(&log, 4).await;
    let mut engine = Running::start(&log, &database);
    engine.ready().await;
    let newer = serde_json::to_vec(&opened(0xff)).unwrap();
    let stream = event_store::StreamId::new(ACCOUNT, &account(0xff));
    let bad = log.append_to(&stream, vec![raw("Opened", 2, &newer)]).await;
    database.until("bank", |row| row.state == "NEEDS_UPGRADE").await;
    // As if an older fold had gone past it.
    engine.stop().await;
    database
        .execute(&format!("UPDATE projection_version SET position = {} WHERE name = 'bank'", bad.0))
        .await;
    let engine = Running::start(&log, &database);
    rebuild(&database.pool, "bank").await.unwrap();
    let failed = |all: &[engine::versions::Version]| all.len() == 2 && all[1].state == State::NeedsUpgrade;
    let versions = database.until_versions("bank", failed).await;
    let reason = versions[1].reason.clone().unwrap();
    assert!(reason.contains("Opened in account-") && reason.contains("needs a newer binary"), "{reason}");
    assert_eq!(versions[1].stage, Stage::Building);
    assert!(versions[0].is_active);
    drop_version(&database.pool, &bank(), 2).await.unwrap();
    engine.stop().await;
}

#[test]
fn rows_that_leave_memory_and_come_back_give_what_one_naive_fold_gives() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config = Config { cases: 4, max_shrink_iters: 10, failure_persistence: None, ..Config::default() };
    let actions = proptest::collection::vec((any::<u8>(), 0_u128..12, 0_u128..12, -1000_i64..1000), 50..400);
    TestRunner::new(config)
        .run(&(actions, 0_usize..40_000), |(actions, bytes)| {
            runtime.block_on(async {
                let (log, database) = (Log::start().await, Database::new().await);
                let mut accounts = std::collections::HashMap::new();
                // More than a page of events, so that rows are needed again after they have left.
                let mut events = Vec::new();
                for _ in 0..8 {
                    events.extend(actions.iter().map(|action| crate::crashes::event(&mut accounts, *action)));
                }
                log.append_many(&events).await;
                let decoder = Arc::new(BankDecoder::default());
                let projections = vec![bank(), audit()];
                let mut engine = Running::with_memory(&log, &database, projections, decoder, bytes);
                engine.ready().await;
                rebuild(&database.pool, "bank").await.unwrap();
                let ended = |all: &[engine::versions::Version]| {
                    all.len() == 2 && [Stage::Ready, Stage::Differs].contains(&all[1].stage)
                };
                let versions = database.until_versions("bank", ended).await;
                assert!(versions[1].is_active, "{versions:#?}");
                database.assert_is_naive_fold_of(&log).await;
                engine.stop().await;
            });
            Ok(())
        })
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tables_of_a_new_version_have_the_indexes_and_checks_of_the_one_they_are_made_like() {
    let (log, database) = (Log::start().await, Database::new().await);
    database
        .execute(
            "ALTER TABLE streams_v1 ADD CHECK (events > 0), ADD UNIQUE (stream, events), SET (fillfactor = 70);
             CREATE INDEX some_name ON streams_v1 (events DESC, text) WHERE text IS NOT NULL;
             CREATE UNIQUE INDEX other_name ON streams_v1 (text, stream)",
        )
        .await;
    log.append(&[opened(1)]).await;
    let mut engine = Running::start(&log, &database);
    engine.ready().await;
    rebuild(&database.pool, "audit").await.unwrap();
    database.until_active("audit", 2).await;
    let client = database.pool.get().await.unwrap();
    let shape = async |table: &str| -> Vec<String> {
        let sql = "
            SELECT replace(substring(indexdef FROM '^CREATE (UNIQUE )?INDEX') || ' ' || substring(indexdef FROM 'USING.*$'), $1, '')
                FROM pg_indexes WHERE tablename = $1
            UNION ALL SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = $1::regclass
            UNION ALL SELECT array_to_string(reloptions, ',') FROM pg_class WHERE oid = $1::regclass
            UNION ALL SELECT attname || attnotnull::text || format_type(atttypid, atttypmod) || attcollation::text
                FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0
            ORDER BY 1";
        let sql = sql.replace("$1", &format!("'{table}'"));
        client
            .query(&sql, &[])
            .await
            .unwrap()
            .iter()
            .map(|row| row.get::<_, Option<String>>(0).unwrap_or_default())
            .collect()
    };
    let (first, second) = (shape("streams_v1").await, shape("streams_v2").await);
    assert_eq!(first, second);
    assert!(first.len() >= 12, "{first:#?}");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_that_somebody_has_touched_are_found_row_by_row_and_a_rebuild_mends_them() {
    let (log, database) = (Log::start().await, Database::new().await);
    append_history(&log, 30).await;
    let mut engine = Running::start(&log, &database);
    engine.ready().await;
    let verify = async || {
        let verify = Verify {
            projection: Arc::new(bank()),
            pool: database.pool.clone(),
            store: log.store.clone(),
            decoder: Arc::new(BankDecoder::default()),
            memory: 1 << 20,
            progress: Arc::new(Progress::default()),
        };
        verify.run().await.unwrap()
    };
    let sound = verify().await;
    assert!(sound.is_sound() && sound.events > 60, "{sound:#?}");
    let rows: u64 = sound.views.iter().map(|view| view.rows).sum();

    database
        .execute(
            "UPDATE accounts_v1 SET balance = balance + 1, open = false WHERE account = '00000000-0000-0000-0000-000000000001';
             DELETE FROM accounts_v1 WHERE account = '00000000-0000-0000-0000-000000000002';
             INSERT INTO totals_v1 VALUES ('nothing', 5, 1);
             UPDATE projection_checksum SET row_count = row_count + 1 WHERE view = 'tallies'",
        )
        .await;
    let found = verify().await;
    let of = |name: &str| found.views.iter().find(|view| view.view == name).unwrap();
    let accounts = of("accounts");
    assert_eq!((accounts.different, accounts.missing, accounts.extra), (1, 1, 0), "{accounts:#?}");
    assert_eq!(accounts.columns.iter().map(String::as_str).collect::<Vec<_>>(), ["balance", "open"]);
    assert_eq!(accounts.keys, [account(1).to_string(), account(2).to_string()]);
    assert_eq!((of("totals").extra, of("totals").keys.as_slice()), (1, &["nothing".to_owned()][..]));
    assert_eq!((of("tallies").different, of("tallies").checksums_fit), (0, false));
    assert!(of("branches").is_sound());
    assert_eq!(tables_of(&database, 0).await, 0, "nothing is left of what was folded aside");

    // The checksums of the tables in use are wrong, so a person has to look before readers switch.
    rebuild(&database.pool, "bank").await.unwrap();
    database.until_versions("bank", |all| all.len() == 2 && all[1].stage == Stage::Differs).await;
    accept(&database.pool, "bank", 2).await.unwrap();
    database.until_active("bank", 2).await;
    let mended = verify().await;
    assert!(mended.is_sound() && mended.version == 2, "{mended:#?}");
    assert_eq!(mended.views.iter().map(|view| view.rows).sum::<u64>(), rows);
    engine.stop().await;
}
