//! What the commands for versions of projections share.

use deadpool_postgres::Pool;
use domain::ShopEvent;
use engine::Projection;
use engine::versions::VersionError;

use crate::config::Config;
use crate::database::Database;
use crate::event_log::EventLog;
use crate::failure::Failure;
use crate::roles::projections::views;

/// One to ask with and one to wait with.
const CONNECTIONS: usize = 2;

pub(super) fn pool(url: &str) -> Result<Pool, Failure> {
    read_model::pool(url, CONNECTIONS).map_err(|error| Failure::of(&error))
}

/// The database and the event log.
pub(super) async fn database_and_log(config: &Config) -> Result<(Database, EventLog), Failure> {
    let database = Database::open(config).await?;
    match EventLog::open(config).await {
        Ok(log) => Ok((database, log)),
        Err(error) => {
            database.close().await?;
            Err(error)
        }
    }
}

/// The projections of these names, or all.
pub(super) fn named(config: &Config, names: &[String], all: bool) -> Result<Vec<String>, Failure> {
    let known = views(config);
    if all {
        return Ok(known.iter().map(|projection| projection.name().to_owned()).collect());
    }
    names.iter().map(|name| find(&known, name).map(|projection| projection.name().to_owned())).collect()
}

/// The projection of this name.
pub(super) fn projection(config: &Config, name: &str) -> Result<Projection<ShopEvent>, Failure> {
    let mut known = views(config);
    find(&known, name)?;
    known.retain(|projection| projection.name() == name);
    known.pop().ok_or_else(|| Failure::usage(format!("there is no projection {name}")))
}

fn find<'p>(known: &'p [Projection<ShopEvent>], name: &str) -> Result<&'p Projection<ShopEvent>, Failure> {
    let names: Vec<_> = known.iter().map(Projection::name).collect();
    known.iter().find(|projection| projection.name() == name).ok_or_else(|| {
        Failure::usage(format!("there is no projection {name:?}"))
            .hint(format!("the projections are {}; sagas are not built anew", names.join(", ")))
    })
}

/// What a person reads of it.
pub(super) fn failure(error: VersionError) -> Failure {
    let name = match &error {
        VersionError::OnItsWay { projection, .. } | VersionError::Active { projection, .. } => {
            projection.clone()
        }
        VersionError::NoVersion { projection, .. }
        | VersionError::WrongStage { projection, .. }
        | VersionError::NotFolded { projection, .. } => projection.clone(),
        VersionError::NoProjection(_) | VersionError::NoPrevious(_) | VersionError::Engine(_) => {
            return Failure::of(&error);
        }
    };
    Failure::of(&error).hint(format!("`headwater versions {name}` shows what there is"))
}
