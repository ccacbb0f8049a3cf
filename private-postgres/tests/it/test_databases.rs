//! Test databases are apart from each other, and their server ends with the process.

use std::fs;
use std::time::{Duration, Instant};

use private_postgres::test_database;

use crate::helper::Helper;
use crate::lifetime::{connect, open_dir};

#[tokio::test]
async fn each_call_gives_an_empty_database() {
    let (one, other) = (test_database().await, test_database().await);
    connect(one.url()).await.batch_execute("CREATE TABLE here (a int)").await.unwrap();
    let found = connect(other.url())
        .await
        .query("SELECT FROM pg_tables WHERE tablename = 'here'", &[])
        .await
        .unwrap();
    assert!(found.is_empty());
}

#[tokio::test]
async fn the_server_ends_and_its_directory_goes_with_the_process_killed_or_not() {
    for killed in [true, false] {
        let temp = open_dir();
        let helper = Helper::with_test_database(temp.path());
        connect(helper.outcome.as_ref().unwrap()).await.batch_execute("SELECT 1").await.unwrap();
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 1);
        if killed {
            helper.kill()
        } else {
            helper.end()
        }
        let deadline = Instant::now() + Duration::from_secs(20);
        while fs::read_dir(temp.path()).unwrap().count() > 0 {
            assert!(Instant::now() < deadline, "it is still there (killed: {killed})");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
