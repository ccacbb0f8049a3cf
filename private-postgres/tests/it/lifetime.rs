//! Data outlives the server, however the server and its parent end.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use private_postgres::{Config, Error, PrivatePostgres};
use rustix::process::{Pid, Signal, geteuid, kill_process, test_kill_process};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

use crate::helper::Helper;

/// A folder that every user can enter.
pub fn open_dir() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

/// Settings that leave syncing the disk out: what these tests end are processes, not the machine.
pub fn quick(data_dir: &Path) -> Config {
    let mut config = Config::new(data_dir);
    config.fsync = false;
    config
}

pub async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn remember(url: &str, what: i32) {
    let client = connect(url).await;
    client.batch_execute("CREATE TABLE IF NOT EXISTS memory (what int)").await.unwrap();
    client.execute("INSERT INTO memory VALUES ($1)", &[&what]).await.unwrap();
}

async fn remembered(url: &str) -> Vec<i32> {
    let rows = connect(url).await.query("SELECT what FROM memory ORDER BY what", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

fn server_pid(data_dir: &Path) -> Pid {
    let text = fs::read_to_string(data_dir.join("cluster/postmaster.pid")).unwrap();
    Pid::from_raw(text.lines().next().unwrap().parse().unwrap()).unwrap()
}

fn runs(pid: Pid) -> bool {
    // A zombie that nobody waits for counts as ended.
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    test_kill_process(pid).is_ok() && !stat.contains(") Z ")
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn data_is_found_again_after_a_stop_and_after_a_drop() {
    let dir = open_dir();
    let data = dir.path().join("made/on/the/way");
    for ordinal in 0..3 {
        let server = PrivatePostgres::start(Config::new(&data)).await.unwrap();
        remember(&server.url(), ordinal).await;
        let pid = server_pid(&data);
        if ordinal == 1 {
            drop(server);
        } else {
            server.stop().await.unwrap();
            assert!(!runs(pid), "it was said to be stopped");
        }
    }
    let server = PrivatePostgres::start(quick(&data)).await.unwrap();
    assert_eq!(remembered(&server.url()).await, [0, 1, 2]);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_whose_parent_was_killed_is_stopped_by_the_next_start() {
    let dir = open_dir();
    let helper = Helper::start(dir.path());
    remember(helper.outcome.as_ref().unwrap(), 1).await;
    let left = server_pid(dir.path());
    helper.kill();
    assert!(runs(left), "a server outlives a killed parent, which is what this test is about");

    let server = PrivatePostgres::start(quick(dir.path())).await.unwrap();
    assert!(!runs(left), "two servers on one directory");
    assert_eq!(remembered(&server.url()).await, [1]);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn data_is_found_again_after_parent_and_server_were_killed() {
    let dir = open_dir();
    let helper = Helper::start(dir.path());
    remember(helper.outcome.as_ref().unwrap(), 1).await;
    kill_process(server_pid(dir.path()), Signal::KILL).unwrap();
    helper.kill();

    let server = PrivatePostgres::start(quick(dir.path())).await.unwrap();
    assert_eq!(remembered(&server.url()).await, [1]);
    // One sync for all files: a start after a crash is a matter of seconds otherwise.
    let shown = connect(&server.url()).await.query_one("SHOW recovery_init_sync_method", &[]).await.unwrap();
    let expected = if cfg!(target_os = "linux") { "syncfs" } else { "fsync" };
    assert_eq!(shown.get::<_, &str>(0), expected);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_ends_by_itself_is_noticed() {
    let dir = open_dir();
    let mut server = PrivatePostgres::start(quick(dir.path())).await.unwrap();
    kill_process(server_pid(dir.path()), Signal::KILL).unwrap();
    let status = tokio::time::timeout(Duration::from_secs(20), server.exited()).await.unwrap();
    assert!(!status.success());
}

#[tokio::test]
async fn a_directory_in_use_is_refused_and_its_server_left_alone() {
    let dir = open_dir();
    let helper = Helper::start(dir.path());
    let refused = PrivatePostgres::start(quick(dir.path())).await.unwrap_err();
    assert!(matches!(refused, Error::InUse { .. }), "{refused}");
    remember(helper.outcome.as_ref().unwrap(), 1).await;
    let left = server_pid(dir.path());
    helper.kill();
    kill_process(left, Signal::QUIT).unwrap();
    until("the server ends", || !runs(left)).await;
}

#[tokio::test]
async fn a_directory_too_long_for_a_socket_gets_a_private_one_elsewhere() {
    let dir = open_dir();
    let data = dir.path().join("d".repeat(120));
    let server = PrivatePostgres::start(quick(&data)).await.unwrap();
    remember(&server.url(), 1).await;
    let config: tokio_postgres::Config = server.url().parse().unwrap();
    let tokio_postgres::config::Host::Unix(socket_dir) = &config.get_hosts()[0] else { panic!("no socket") };
    assert!(!socket_dir.starts_with(&data));
    assert_eq!(fs::metadata(socket_dir).unwrap().mode() & 0o777, 0o700, "closed to others");
    let socket_dir: PathBuf = socket_dir.clone();
    server.stop().await.unwrap();
    fs::remove_dir_all(socket_dir).unwrap();
}

#[tokio::test]
async fn an_ordinary_user_has_a_server_too_and_root_finds_its_data() {
    if !geteuid().is_root() {
        return; // Then every other test shows it.
    }
    const NOBODY: u32 = 65534;
    let dir = open_dir();
    let home = dir.path().join("home");
    fs::create_dir(&home).unwrap();
    chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
    let data = home.join("data");

    let helper = Helper::start_as(NOBODY, NOBODY, &data, dir.path());
    let url = helper.outcome.clone().unwrap();
    remember(&url, 1).await;
    helper.kill();

    let server = PrivatePostgres::start(quick(&data)).await.unwrap();
    assert_eq!(remembered(&server.url()).await, [1]);
    server.stop().await.unwrap();
    assert_eq!(fs::metadata(data.join("cluster")).unwrap().uid(), NOBODY, "its owner can use it again");
}
