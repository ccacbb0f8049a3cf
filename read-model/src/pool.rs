//! Connections to Postgres.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio_postgres::NoTls;

use crate::SCHEMA;

/// What connections call themselves in Postgres's own views.
pub const APPLICATION_NAME: &str = "headwater";

/// How long a statement of a writer may run.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a statement of a reader may run.
pub const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a caller waits for one of the pool's connections to come free.
const WAIT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a new connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no pool. Making one does not connect.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// Not a connection URL; the text holds no password.
    #[error("the database URL cannot be read: {0}")]
    Url(tokio_postgres::Error),
    /// The sizes make no pool.
    #[error("no connection pool: {0}")]
    Build(#[from] deadpool_postgres::BuildError),
}

/// Connections for those who write: statements end after [`WRITE_TIMEOUT`], names are found in [`SCHEMA`].
///
/// # Errors
/// The URL cannot be read.
pub fn pool(url: &str, size: usize) -> Result<Pool, PoolError> {
    build(url, size, WRITE_TIMEOUT, "")
}

/// The same for those who read: they cannot write, and statements end after [`READ_TIMEOUT`].
///
/// # Errors
/// The URL cannot be read.
pub fn reader_pool(url: &str, size: usize) -> Result<Pool, PoolError> {
    build(url, size, READ_TIMEOUT, " -c default_transaction_read_only=on")
}

fn build(url: &str, size: usize, statement_timeout: Duration, more: &str) -> Result<Pool, PoolError> {
    let mut config: tokio_postgres::Config = url.parse().map_err(PoolError::Url)?;
    let given = config.get_options().unwrap_or_default().to_owned();
    let ours =
        format!("-c search_path={SCHEMA} -c statement_timeout={}{more}", statement_timeout.as_millis());
    config.options(format!("{given} {ours}").trim_start()).connect_timeout(CONNECT_TIMEOUT);
    if config.get_application_name().is_none() {
        config.application_name(APPLICATION_NAME);
    }
    let manager =
        Manager::from_config(config, NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
    let pool = Pool::builder(manager)
        .max_size(size)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(WAIT_TIMEOUT))
        .create_timeout(Some(CONNECT_TIMEOUT))
        .build()?;
    Ok(pool)
}
