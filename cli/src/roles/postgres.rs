//! The private database of `up`.

use private_postgres::{Config, PrivatePostgres};

use crate::data_dir::DataDir;
use crate::failure::Failure;
use crate::shutdown::Parts;

/// Starts the server and answers the URL of its database.
///
/// # Errors
/// The server cannot run; the sentence says what to do.
pub async fn start(parts: &mut Parts, data: &DataDir) -> Result<String, Failure> {
    let mut server =
        PrivatePostgres::start(Config::new(data.postgres())).await.map_err(|error| Failure::of(&error))?;
    let url = server.url();
    data.publish_database_url(&url)?;
    let data = data.clone();
    parts.start("PostgreSQL", |stop| async move {
        let ended = tokio::select! {
            status = server.exited() => Some(status),
            () = stop.cancelled() => None,
        };
        data.withdraw_database_url();
        match ended {
            Some(status) => Err(Failure::run(format!("PostgreSQL ended by itself with {status}"))
                .hint(format!("its log says why: {}", server.log_path().display()))),
            None => server.stop().await.map_err(|error| Failure::of(&error)),
        }
    });
    Ok(url)
}
