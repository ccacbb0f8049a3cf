//! Postgres goes away in the middle and comes back.

use private_postgres::{Config, PrivatePostgres};

use crate::fixture::{Database, Log, Running, booked, opened, set_up};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folding_goes_on_when_postgres_was_killed_and_is_back() {
    let directory = tempfile::Builder::new().prefix("hw").tempdir_in("/tmp").unwrap();
    let config = Config::new(directory.path().join("pg"));
    std::fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let postgres = PrivatePostgres::start(config.clone()).await.unwrap();
    let log = Log::start().await;
    let database = Database::at(postgres.url());
    set_up(&database.pool).await;
    let mut engine = Running::start(&log, &database);
    engine.ready().await;
    log.append(&[opened(1), booked(1, 1)]).await;

    // Dropping kills the server without a shutdown.
    drop(postgres);
    log.append(&[booked(1, 2), opened(2)]).await;
    let postgres = PrivatePostgres::start(config).await.unwrap();
    let end = log.append(&[booked(2, 3)]).await;
    for projection in ["bank", "audit"] {
        database.until_reached(projection, end).await;
    }
    database.assert_is_naive_fold_of(&log).await;
    engine.stop().await;
    postgres.stop().await.unwrap();
}
