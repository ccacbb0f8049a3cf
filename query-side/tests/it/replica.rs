//! The service on a read replica, which lags as long as a test wants it to.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use private_postgres::{Config, PrivatePostgres};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_postgres::config::Host;

use crate::support::{Service, token};

const PRODUCT: &str = "{ product(sku: \"A\") { sku } }";
const PATIENCE: Duration = Duration::from_secs(20);

struct Servers {
    primary: PrivatePostgres,
    replica: PrivatePostgres,
    _folder: TempDir,
}

impl Servers {
    async fn start() -> Self {
        let folder = tempfile::Builder::new().permissions(Permissions::from_mode(0o755)).tempdir().unwrap();
        let (first, second) = (folder.path().join("primary"), folder.path().join("replica"));
        let primary = server(&first, &[]).await;
        let socket = socket_of(&primary);
        primary.stop().await.unwrap();
        // As it lies there stopped, a copy is a whole backup.
        std::fs::create_dir(&second).unwrap();
        let copied =
            Command::new("cp").arg("-a").args([first.join("cluster"), second.join("cluster")]).status();
        assert!(copied.unwrap().success());
        std::fs::write(second.join("cluster/standby.signal"), "").unwrap();
        let primary = server(&first, &[]).await;
        let replica =
            server(&second, &[("primary_conninfo", &format!("host={socket} user=headwater"))]).await;
        Self { primary, replica, _folder: folder }
    }

    /// Waits until the replica has all that the primary has now.
    async fn until_replayed(&self) {
        let (primary, replica) = (connect(&self.primary).await, connect(&self.replica).await);
        let at: String = primary.query_one("SELECT pg_current_wal_lsn()::text", &[]).await.unwrap().get(0);
        let is_there = format!("SELECT pg_last_wal_replay_lsn() >= '{at}'::pg_lsn");
        let deadline = Instant::now() + PATIENCE;
        while !replica.query_one(&is_there, &[]).await.unwrap().get::<_, bool>(0) {
            assert!(Instant::now() < deadline, "the replica never gets there");
        }
    }

    /// What happens on the primary does not reach the replica from now on.
    async fn pause(&self) {
        let database = connect(&self.replica).await;
        database.batch_execute("SELECT pg_wal_replay_pause()").await.unwrap();
        let deadline = Instant::now() + PATIENCE;
        let is_paused = "SELECT pg_get_wal_replay_pause_state() = 'paused'";
        while !database.query_one(is_paused, &[]).await.unwrap().get::<_, bool>(0) {
            assert!(Instant::now() < deadline, "the replica never pauses");
        }
    }

    async fn resume(&self) {
        connect(&self.replica).await.batch_execute("SELECT pg_wal_replay_resume()").await.unwrap();
    }
}

async fn server(folder: &Path, more: &[(&str, &str)]) -> PrivatePostgres {
    let mut config = Config::new(folder);
    config.fsync = false;
    let settings = [("wal_level", "replica"), ("max_wal_senders", "4")];
    let settings = settings.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    config.settings = settings.collect();
    PrivatePostgres::start(config).await.unwrap()
}

fn socket_of(server: &PrivatePostgres) -> String {
    let config: tokio_postgres::Config = server.url().parse().unwrap();
    match config.get_hosts() {
        [Host::Unix(folder)] => folder.to_str().unwrap().to_owned(),
        hosts => panic!("{hosts:?}"),
    }
}

async fn connect(server: &PrivatePostgres) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(&server.url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_lags_is_waited_for_and_answers_no_further_than_it_is() {
    let servers = Servers::start().await;
    let service = Service::between(&servers.primary.url(), &servers.replica.url()).await;
    service.folded("catalogue", 100).await;
    let deadline = Instant::now() + PATIENCE;
    // The tables are on their way.
    while service.ask(PRODUCT).await.body.get("errors").is_some() {
        assert!(Instant::now() < deadline, "the replica never has the tables");
    }
    assert_eq!(service.ask_at(PRODUCT, &token(100)).await.data(), &json!({ "product": null }));

    // The worker has been silent for a while, and the replica does not hear of its next word.
    service.worker("catalogue", "heartbeat_at = now() - interval '8.5 seconds'").await;
    servers.until_replayed().await;
    servers.pause().await;
    service.products(1).await;
    service.sql("UPDATE products_v1 SET sku = 'A'").await;
    service.folded("catalogue", 101).await;
    service.notify("catalogue", 101).await;
    let ahead = token(101);
    let behind = service.ask_at(PRODUCT, &ahead).await;
    assert_eq!(behind.code(), "READ_MODEL_BEHIND", "{:#}", behind.body);
    assert_eq!(
        (&behind.details()["reason"], &behind.details()["position"]),
        (&json!("behind"), &json!(token(100)))
    );
    let without = service.ask(PRODUCT).await;
    assert_eq!((&without.data()["product"], without.position()), (&Value::Null, token(100).as_str()));

    let (answer, ()) = tokio::join!(service.ask_at(PRODUCT, &ahead), servers.resume());
    assert_eq!(answer.data()["product"], json!({ "sku": "A" }));
    assert_eq!(answer.position(), ahead);
    servers.replica.stop().await.unwrap();
    servers.primary.stop().await.unwrap();
}
