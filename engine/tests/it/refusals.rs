//! Logs and versions that the stored views are not of.

use std::sync::Arc;

use engine::{Engine, EngineError, Entity, Projection};

use crate::bank::{Accounts, BankDecoder, Event, audit, bank, bank_of_fold};
use crate::fixture::{Database, Log, Running, opened};

async fn folded() -> (Log, Database) {
    let (log, database) = (Log::start().await, Database::new().await);
    log.append(&[opened(1)]).await;
    let mut engine = Running::start(&log, &database);
    engine.ready().await;
    engine.stop().await;
    (log, database)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_log_is_refused_with_the_command_that_mends_it() {
    let (log, database) = folded().await;
    let before = database.standing("bank").await.unwrap();
    let other = Log::start().await;
    other.append(&[opened(7), opened(8)]).await;
    let error = Running::start(&other, &database).refusal().await;
    let found = other.store.identity().await.unwrap();
    let stored = log.store.identity().await.unwrap();
    assert!(
        matches!(error, EngineError::ForeignLog { stored: s, found: f, .. } if s == stored && f == found)
    );
    assert!(error.to_string().contains("headwater reset-views"), "{error}");
    assert_eq!(database.standing("bank").await.unwrap().fence, before.fence, "nothing was written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_ends_before_the_checkpoint_is_refused_with_the_command_that_mends_it() {
    let (log, database) = folded().await;
    database.execute("UPDATE projection_version SET position = position + 1000000").await;
    let error = Running::start(&log, &database).refusal().await;
    assert!(matches!(error, EngineError::HeadBehindCheckpoint { .. }));
    assert!(error.to_string().contains("headwater reset-views"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_binary_older_than_the_views_is_refused_and_told_what_to_do() {
    let (log, database) = (Log::start().await, Database::new().await);
    log.append(&[opened(1)]).await;
    let with = |fold| {
        let projections = vec![bank_of_fold(fold), audit()];
        Running::with(&log, &database, projections, Arc::new(BankDecoder::default()))
    };
    let mut newer = with(2);
    newer.ready().await;
    newer.stop().await;
    let error = with(1).refusal().await;
    assert!(matches!(error, EngineError::OtherFold { projection: "bank", active: 2, folded: 1 }), "{error}");
    assert!(error.to_string().contains("start the binary that made them"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_settings_are_refused_with_the_command_that_mends_it_and_the_same_go_on() {
    let (log, database) = (Log::start().await, Database::new().await);
    let with = |settings: &str| {
        let projections = vec![bank().with_settings(settings), audit()];
        Running::with(&log, &database, projections, Arc::new(BankDecoder::default()))
    };
    for number in 1..=2 {
        let mut engine = with("the zone UTC");
        log.append(&[opened(number)]).await;
        engine.ready().await;
        engine.stop().await;
    }
    let before = database.standing("bank").await.unwrap();
    let error = with("the zone EET").refusal().await;
    let expected = "were folded with \"the zone UTC\", but the setting is now \"the zone EET\"";
    assert!(matches!(error, EngineError::OtherSettings { projection: "bank", .. }));
    assert!(error.to_string().contains(expected), "{error}");
    assert!(error.to_string().contains("headwater reset-views"), "{error}");
    assert_eq!(database.standing("bank").await.unwrap().fence, before.fence, "nothing was written");
    assert!(matches!(Running::start(&log, &database).refusal().await, EngineError::OtherSettings { .. }));
}

#[tokio::test]
async fn a_projection_that_cannot_work_is_refused_before_anything_runs() {
    let (log, database) = (Log::start().await, Database::new().await);
    let twice = || bank().entity(Entity::new(Accounts));
    let empty: Projection<Event> = Projection::new("empty", 1, &["account"]);
    for projections in [vec![bank(), bank()], vec![bank_of_fold(0)], vec![twice()], vec![empty]] {
        let decoder = Arc::new(BankDecoder::default());
        let refused = Engine::new(projections, log.store.clone(), database.pool.clone(), decoder);
        assert!(matches!(refused.err(), Some(EngineError::Misdeclared { .. })));
    }
}
