//! New versions: the first of a projection, and those that are built beside it. One at a time, whoever asks.

use contract::LogIdentity;
use contract::status::{Stage, State};
use deadpool_postgres::{ClientWrapper, Transaction};
use postgres_types::ToSql;
use tokio_postgres::Error;

use super::{Standing, shape, standing};
use crate::error::EngineError;
use crate::projection::Projection;
use crate::write::sql::exists;

/// Held by whoever adds a version of a projection, to the end of the transaction.
const ONE_AT_A_TIME: &str = "SELECT pg_advisory_xact_lock(hashtextextended('headwater versions ' || $1, 0))";

const INSERT_PROJECTION: &str =
    "INSERT INTO projection (name, active_version, last_version) VALUES ($1, $2, $2)";

/// A number is not used again: whatever somebody keeps of a version that is gone is not taken for one of another.
const NEXT_VERSION: &str = "
    UPDATE projection p SET last_version = greatest(p.last_version,
        (SELECT max(version) FROM projection_version v WHERE v.name = p.name)) + 1
    WHERE name = $1 RETURNING last_version";

const INSERT_VERSION: &str = "
    INSERT INTO projection_version (name, version, fold, stage, state, log_identity, position, fence, head_position,
        heartbeat_at, settings)
    VALUES ($1, $2, $3, $4, $5, $6, 0, 0, 0, now(), $7)";

/// Why there is no new version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotBegun {
    /// One is on its way already.
    OnItsWay(i32, Stage),
    /// Nothing is there to build it beside.
    NoProjection,
}

/// Begins a projection that has no version: the number of the first one is that of its fold.
pub(crate) async fn first<E: Send + Sync + 'static>(
    client: &mut ClientWrapper,
    projection: &Projection<E>,
    log: LogIdentity,
) -> Result<(), EngineError> {
    let (name, version) = (projection.name, projection.fold);
    let transaction = client.transaction().await?;
    transaction.execute(ONE_AT_A_TIME, &[&name]).await?;
    if standing(&*transaction, name).await?.is_some() {
        return Ok(());
    }
    for table in projection.tables() {
        if !exists(&*transaction, &table.versioned(version)).await? {
            shape::create(&*transaction, table, projection.fold, None, version).await?;
            shape::finish(&*transaction, table, projection.fold, None, version).await?;
        }
    }
    transaction.execute(INSERT_PROJECTION, &[&name, &version]).await?;
    insert(&transaction, projection, version, Stage::Ready, i64::from(log.0)).await?;
    transaction.commit().await?;
    Ok(())
}

/// Adds a version of the fold in use to be built, and gives its number.
pub(crate) async fn rebuild(
    client: &mut ClientWrapper,
    name: &str,
) -> Result<Result<i32, NotBegun>, EngineError> {
    let transaction = client.transaction().await?;
    let standing = match room(&transaction, name).await? {
        Ok(standing) => standing,
        Err(reason) => return Ok(Err(reason)),
    };
    let version = next(&transaction, name).await?;
    // Whatever its rows depend on stays as it is: it is for whoever folds it to say that this is not so any more.
    let like =
        "INSERT INTO projection_version (name, version, fold, stage, state, log_identity, position, fence,
            head_position, heartbeat_at, settings)
        SELECT name, $3, fold, $4, $5, log_identity, 0, 0, 0, now(), settings FROM projection_version
        WHERE name = $1 AND version = $2";
    let (stage, state) = (Stage::Building.as_str(), State::CatchingUp.as_str());
    transaction.execute(like, &[&name, &standing.active, &version, &stage, &state]).await?;
    transaction.commit().await?;
    Ok(Ok(version))
}

/// Adds a version of a fold that is newer than those of all that are there.
pub(crate) async fn newer<E: Send + Sync + 'static>(
    client: &mut ClientWrapper,
    projection: &Projection<E>,
    log: LogIdentity,
) -> Result<Result<i32, NotBegun>, EngineError> {
    let name = projection.name;
    let transaction = client.transaction().await?;
    let standing = match room(&transaction, name).await? {
        Ok(standing) => standing,
        Err(reason) => return Ok(Err(reason)),
    };
    if let Some(row) = standing.versions.iter().find(|row| row.fold >= projection.fold) {
        return Ok(Err(NotBegun::OnItsWay(row.version, row.stage)));
    }
    let version = next(&transaction, name).await?;
    insert(&transaction, projection, version, Stage::Building, i64::from(log.0)).await?;
    transaction.commit().await?;
    Ok(Ok(version))
}

/// What is there, if none is on its way: so there are never more than that one, the one in use and the one to go back to,
/// besides those that are about to go.
async fn room(transaction: &Transaction<'_>, name: &str) -> Result<Result<Standing, NotBegun>, Error> {
    transaction.execute(ONE_AT_A_TIME, &[&name]).await?;
    let Some(standing) = standing(&**transaction, name).await? else {
        return Ok(Err(NotBegun::NoProjection));
    };
    let is_settled = |stage| matches!(stage, Stage::Ready | Stage::Dropping);
    if let Some(row) = standing.versions.iter().find(|row| !is_settled(row.stage)) {
        return Ok(Err(NotBegun::OnItsWay(row.version, row.stage)));
    }
    Ok(Ok(standing))
}

async fn next(transaction: &Transaction<'_>, name: &str) -> Result<i32, Error> {
    transaction.query_one(NEXT_VERSION, &[&name]).await?.try_get(0)
}

async fn insert<E: Send + Sync + 'static>(
    transaction: &Transaction<'_>,
    projection: &Projection<E>,
    version: i32,
    stage: Stage,
    log: i64,
) -> Result<(), Error> {
    let (stage, state) = (stage.as_str(), State::CatchingUp.as_str());
    let values: [&(dyn ToSql + Sync); 7] =
        [&projection.name, &version, &projection.fold, &stage, &state, &log, &projection.settings];
    transaction.execute(INSERT_VERSION, &values).await?;
    Ok(())
}
