//! One test binary: the house, and the whole path.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by failing")]

mod bench;
mod containers;
mod contexts;
mod deploys;
mod documents;
mod house;
mod interrupted;
mod log_check;
mod logs;
mod monitoring;
mod ops;
mod parked;
mod readme;
mod reset_views;
mod sagas;
mod search;
mod shop;
mod spine;
mod traces;
mod waiting;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The top of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate stands in the workspace").to_owned()
}

/// A connection to the database of a running `up`.
async fn database(data_dir: &Path) -> anyhow::Result<tokio_postgres::Client> {
    let url = std::fs::read_to_string(data_dir.join("database-url"))?;
    let (database, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    Ok(database)
}

/// A temporary home for data. Such folders are closed to others, but the private PostgreSQL of a root process runs
/// as another account and must be able to reach its own folder inside.
fn home() -> anyhow::Result<tempfile::TempDir> {
    let home = tempfile::tempdir()?;
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o755))?;
    Ok(home)
}
