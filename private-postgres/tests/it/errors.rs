//! What cannot work says why, and what to do.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use private_postgres::{Error, PrivatePostgres};
use rustix::process::geteuid;

use crate::helper::Helper;
use crate::lifetime::{open_dir, quick};

#[test]
fn missing_programs_are_answered_with_the_line_to_type() {
    let dir = open_dir();
    let error = Helper::start_with_programs(dir.path(), dir.path()).outcome.unwrap_err();
    assert!(error.contains("apt-get install -y --no-install-recommends postgresql"), "{error}");
    assert!(error.contains(dir.path().to_str().unwrap()), "says where it looked: {error}");
}

#[tokio::test]
async fn a_folder_closed_to_the_servers_user_is_named_with_one_that_works() {
    if !geteuid().is_root() {
        return; // Only root runs the server as somebody else.
    }
    let closed = open_dir();
    fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let data = closed.path().join("inner/data");
    let error = PrivatePostgres::start(quick(&data)).await.unwrap_err();
    let Error::Unreachable { blocker, .. } = &error else { panic!("{error}") };
    assert_eq!(blocker, closed.path());
    let text = error.to_string();
    assert!(text.contains("--data-dir /var/lib/headwater") && text.contains("chmod o+x"), "{text}");

    fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o701)).unwrap();
    PrivatePostgres::start(quick(&data)).await.unwrap().stop().await.unwrap();
}

#[tokio::test]
async fn a_cluster_of_another_version_names_both() {
    let dir = open_dir();
    let cluster = dir.path().join("cluster");
    fs::create_dir(&cluster).unwrap();
    fs::write(cluster.join("PG_VERSION"), "9\n").unwrap();
    let error = PrivatePostgres::start(quick(dir.path())).await.unwrap_err();
    assert!(matches!(error, Error::VersionMismatch { cluster: 9, .. }), "{error}");
}

#[tokio::test]
async fn what_is_no_cluster_is_left_alone() {
    let dir = open_dir();
    let cluster = dir.path().join("cluster");
    fs::create_dir(&cluster).unwrap();
    fs::write(cluster.join("holiday.jpg"), "mine").unwrap();
    let error = PrivatePostgres::start(quick(dir.path())).await.unwrap_err();
    assert!(matches!(error, Error::NotACluster { .. }), "{error}");
    assert_eq!(fs::read_to_string(cluster.join("holiday.jpg")).unwrap(), "mine");
}

#[tokio::test]
async fn a_server_that_refuses_to_start_is_quoted() {
    let dir = open_dir();
    let mut config = quick(dir.path());
    config.settings = vec![("shared_buffers".into(), "nonsense".into())];
    let error = PrivatePostgres::start(config).await.unwrap_err().to_string();
    assert!(error.contains("shared_buffers") && error.contains("postgres.log"), "{error}");
}
