//! The database of a configuration, for commands that only look or clean up: the one that was named, that of the
//! `up` which runs on the same data, or the private one, started for as long as the command takes.

use private_postgres::{Config as PostgresConfig, PrivatePostgres};

use crate::config::{Config, Setting, masked};
use crate::data_dir::{DataDir, Lock};
use crate::failure::Failure;

/// A database that can be reached now.
pub struct Database {
    url: String,
    started: Option<(PrivatePostgres, Lock)>,
}

/// Sees that a database that was named is there, before anything else is started for it.
///
/// # Errors
/// It does not answer.
pub async fn must_answer(url: &str) -> Result<(), Failure> {
    let pool = read_model::reader_pool(url, 1).map_err(|error| Failure::of(&error))?;
    let answered = pool.get().await.map(drop);
    answered.map_err(|error| {
        Failure::run(format!("the database {} does not answer: {}", masked(url), last_cause(&error)))
            .hint(format!("is it running? --{} names it", Setting::DatabaseUrl.name()))
    })
}

/// What is behind it all: those before it only say that something failed.
fn last_cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), last_cause)
}

impl Database {
    /// Finds it, or starts it.
    ///
    /// # Errors
    /// There is none, or it cannot be started.
    pub async fn open(config: &Config) -> Result<Self, Failure> {
        if let Some(url) = &config.database_url {
            return Ok(Self { url: url.clone(), started: None });
        }
        let data = DataDir::existing(&config.data_dir)?;
        match data.try_lock()? {
            Some(lock) => {
                let server = PrivatePostgres::start(PostgresConfig::new(data.postgres()))
                    .await
                    .map_err(|error| Failure::of(&error))?;
                Ok(Self { url: server.url(), started: Some((server, lock)) })
            }
            None => match data.published_database_url() {
                Some(url) => Ok(Self { url, started: None }),
                None => Err(Failure::run("the headwater that runs on this data has no database yet")
                    .hint("wait until it is ready, or name its database with --database-url")),
            },
        }
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops what was started.
    ///
    /// # Errors
    /// The server does not stop.
    pub async fn close(self) -> Result<(), Failure> {
        match self.started {
            Some((server, _lock)) => server.stop().await.map_err(|error| Failure::of(&error)),
            None => Ok(()),
        }
    }
}
