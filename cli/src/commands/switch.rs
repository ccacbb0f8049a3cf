//! `headwater accept`, `headwater rollback` and `headwater drop-version`: which version readers use.

use std::time::Duration;

use contract::status::State;
use deadpool_postgres::Pool;
use engine::versions;
use tokio::time::{Instant, sleep};

use super::projection::{failure, pool, projection};
use crate::args::{ProjectionFlags, VersionFlags};
use crate::config::Config;
use crate::database::Database;
use crate::failure::Failure;
use crate::print;

/// How often it is looked whether readers have switched.
const LOOK: Duration = Duration::from_millis(50);

/// A version that has not been taken into use for so long is told of.
const PATIENCE: Duration = Duration::from_secs(30);

/// Takes a version into use that differs from the one in use.
pub async fn accept(config: &Config, flags: &VersionFlags) -> Result<(), Failure> {
    projection(config, &flags.name)?;
    let database = Database::open(config).await?;
    let accepted = async {
        let pool = pool(database.url())?;
        versions::accept(&pool, &flags.name, flags.version).await.map_err(failure)?;
        until_active(&pool, &flags.name, flags.version).await
    }
    .await;
    database.close().await?;
    accepted
}

/// Goes back to the version that was in use before.
pub async fn rollback(config: &Config, flags: &ProjectionFlags) -> Result<(), Failure> {
    projection(config, &flags.name)?;
    let database = Database::open(config).await?;
    let back = async {
        let pool = pool(database.url())?;
        let version = versions::rollback(&pool, &flags.name).await.map_err(failure)?;
        until_active(&pool, &flags.name, version).await
    }
    .await;
    database.close().await?;
    back
}

/// Drops a version.
pub async fn drop_version(config: &Config, flags: &VersionFlags) -> Result<(), Failure> {
    let projection = projection(config, &flags.name)?;
    let database = Database::open(config).await?;
    let dropped = async {
        let pool = pool(database.url())?;
        versions::drop_version(&pool, &projection, flags.version).await.map_err(failure)
    }
    .await;
    database.close().await?;
    dropped?;
    print(&format!("{}: version {} is gone\n", flags.name, flags.version))
}

async fn until_active(pool: &Pool, name: &str, version: i32) -> Result<(), Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let all = versions::versions(pool, Some(name)).await.map_err(|error| Failure::of(&error))?;
        let found = all.iter().find(|found| found.version == version);
        let Some(found) = found else {
            return Err(Failure::run(format!("version {version} of {name} was dropped meanwhile")));
        };
        if found.is_active {
            return print(&format!("{name}: version {version} is in use\n"));
        }
        if found.state == State::Stopped || Instant::now() > deadline {
            let reason = match found.state {
                State::Stopped => "nobody folds it",
                _ => "it is still behind the one in use",
            };
            return Err(Failure::run(format!("version {version} of {name} is not in use yet: {reason}"))
                .hint("it goes into use by itself once it is folded as far as the one in use"));
        }
        sleep(LOOK).await;
    }
}
