//! What the commands for versions of projections share.

use deadpool_postgres::Pool;
use domain::ShopEvent;
use engine::Projection;
use engine::versions::{self, VersionError};

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
    let known = names_of(&views(config));
    if all {
        return Ok(known.into_iter().map(str::to_owned).collect());
    }
    match names.iter().find(|name| !known.contains(&name.as_str())) {
        Some(unknown) => Err(unknown_projection(unknown, &known)),
        None => Ok(names.to_vec()),
    }
}

/// The projection of this name with the newest of its folds.
pub(super) fn projection(config: &Config, name: &str) -> Result<Projection<ShopEvent>, Failure> {
    folds(config, name)?.pop().ok_or_else(|| unknown_projection(name, &[]))
}

/// The same with the fold of the version in use, if this binary has it.
pub(super) async fn projection_in_use(
    config: &Config,
    pool: &Pool,
    name: &str,
) -> Result<Projection<ShopEvent>, Failure> {
    let versions = versions::versions(pool, Some(name)).await.map_err(|error| Failure::of(&error))?;
    let in_use = versions.iter().find(|version| version.is_active).map(|version| version.fold);
    let mut folds = folds(config, name)?;
    if let Some(at) = folds.iter().position(|projection| Some(projection.fold()) == in_use) {
        return Ok(folds.swap_remove(at));
    }
    folds.pop().ok_or_else(|| unknown_projection(name, &[]))
}

/// Every fold of a projection that this binary has, ascending; at least one.
fn folds(config: &Config, name: &str) -> Result<Vec<Projection<ShopEvent>>, Failure> {
    let known = views(config);
    let names = names_of(&known);
    if !names.contains(&name) {
        return Err(unknown_projection(name, &names));
    }
    let mut folds: Vec<_> = known.into_iter().filter(|projection| projection.name() == name).collect();
    folds.sort_by_key(Projection::fold);
    Ok(folds)
}

/// Each once, however many folds it has.
pub(super) fn names_of(known: &[Projection<ShopEvent>]) -> Vec<&'static str> {
    let mut names = Vec::with_capacity(known.len());
    for projection in known {
        if !names.contains(&projection.name()) {
            names.push(projection.name());
        }
    }
    names
}

fn unknown_projection(name: &str, known: &[&str]) -> Failure {
    Failure::usage(format!("there is no projection {name:?}"))
        .hint(format!("the projections are {}; sagas are not built anew", known.join(", ")))
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
