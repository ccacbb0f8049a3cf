//! What people may do with versions, from any process: the rows are changed, and whoever folds the projection carries it
//! out.

use contract::LogPosition;
use contract::status::{HEARTBEAT_TIMEOUT_SECONDS, Stage, State};
use deadpool_postgres::Pool;
use jiff::Timestamp;
use tokio_postgres::Row;

use super::begin::{self, NotBegun};
use super::drop as dropping;
use crate::build::Phase;
use crate::error::EngineError;
use crate::projection::Projection;

/// One version of a projection, for people.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// The projection.
    pub projection: String,
    /// The number in the names of its tables.
    pub version: i32,
    /// Which fold makes its rows.
    pub fold: i32,
    /// How far it is on its way to readers.
    pub stage: Stage,
    /// Whether readers use it.
    pub is_active: bool,
    /// Whether it was active before the active one.
    pub is_previous: bool,
    /// What its worker does; stopped when it is silent.
    pub state: State,
    /// Up to where it is folded.
    pub position: LogPosition,
    /// Why it stands still, if it does.
    pub reason: Option<String>,
    /// Of how many rows, in all its views.
    pub rows: i64,
    /// How it was or is being built; none for the first version.
    pub build: Option<Build>,
    /// From where on it keeps what its rows were, if it does.
    pub history: Option<HistoryBegins>,
}

/// Where the past begins that a version keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryBegins {
    /// The first position.
    pub from: LogPosition,
    /// The moment that belongs to it; none for the beginning of the log.
    pub since: Option<Timestamp>,
}

/// How a version was or is being built.
#[derive(Debug, Clone, PartialEq)]
pub struct Build {
    /// What is being done.
    pub phase: Phase,
    /// When the last try began.
    pub started_at: Timestamp,
    /// When it came to its end.
    pub finished_at: Option<Timestamp>,
    /// Events folded so far.
    pub events: i64,
    /// Rows written so far.
    pub rows: i64,
    /// How far in the log.
    pub position: LogPosition,
    /// How far it is to go.
    pub target: LogPosition,
    /// What is not as in the version in use: by view its rows (of the one in use, of this one), columns and some keys.
    pub difference: Option<serde_json::Value>,
    /// Rows that the comparison left out because they are parked or were skipped.
    pub left_out_keys: i64,
    /// Rows of summaries that it left out because such rows contribute to them.
    pub left_out_sums: i64,
}

/// Why something is not done.
#[derive(Debug, thiserror::Error)]
pub enum VersionError {
    /// Nothing has been folded yet.
    #[error("projection {0} has no version yet: it has never been started")]
    NoProjection(String),
    /// There is no such version.
    #[error("projection {projection} has no version {version}")]
    NoVersion {
        /// The projection.
        projection: String,
        /// The version.
        version: i32,
    },
    /// A version is on its way already.
    #[error("version {version} of {projection} is on its way already: it is {}", .stage.as_str())]
    OnItsWay {
        /// The projection.
        projection: String,
        /// The version.
        version: i32,
        /// How far it is.
        stage: Stage,
    },
    /// Readers use it.
    #[error("version {version} of {projection} is the active one")]
    Active {
        /// The projection.
        projection: String,
        /// The version.
        version: i32,
    },
    /// It is in a stage in which this cannot be done.
    #[error("version {version} of {projection} is {}", .stage.as_str())]
    WrongStage {
        /// The projection.
        projection: String,
        /// The version.
        version: i32,
        /// How far it is.
        stage: Stage,
    },
    /// Nobody folds it, so it cannot take over.
    #[error("nobody folds version {version} of {projection}, so readers cannot go over to it")]
    NotFolded {
        /// The projection.
        projection: String,
        /// The version.
        version: i32,
    },
    /// There is nothing to go back to.
    #[error("projection {0} has no version before the active one")]
    NoPrevious(String),
    /// The database, mostly.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl From<tokio_postgres::Error> for VersionError {
    fn from(error: tokio_postgres::Error) -> Self {
        VersionError::Engine(error.into())
    }
}

impl From<deadpool_postgres::PoolError> for VersionError {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        VersionError::Engine(error.into())
    }
}

const VERSIONS: &str = "
    SELECT v.name, v.version, v.fold, v.stage, v.version = p.active_version,
        v.version IS NOT DISTINCT FROM p.previous_version, v.state, v.position, v.reason,
        extract(epoch FROM now() - v.heartbeat_at)::float8,
        (SELECT coalesce(sum(row_count), 0)::bigint FROM projection_checksum c
            WHERE c.name = v.name AND c.version = v.version),
        b.phase, b.started_at, b.finished_at, b.events, b.row_count, b.position, b.target, b.difference,
        b.left_out_keys, b.left_out_sums,
        CASE WHEN v.history_to = v.position THEN v.history_from END, v.history_since
    FROM projection_version v JOIN projection p USING (name)
    LEFT JOIN projection_build b ON b.name = v.name AND b.version = v.version
    WHERE $1::text IS NULL OR v.name = $1 ORDER BY v.name, v.version";

/// The versions of one projection, or of all; none when nothing has been started yet.
///
/// # Errors
/// The database cannot be asked.
pub async fn versions(pool: &Pool, projection: Option<&str>) -> Result<Vec<Version>, EngineError> {
    let client = pool.get().await?;
    let rows = match client.query(VERSIONS, &[&projection]).await {
        Err(error) if error.code() == Some(&tokio_postgres::error::SqlState::UNDEFINED_TABLE) => Vec::new(),
        rows => rows?,
    };
    Ok(rows.iter().map(version).collect::<Result<_, _>>()?)
}

fn version(row: &Row) -> Result<Version, tokio_postgres::Error> {
    let position = |index| -> Result<LogPosition, tokio_postgres::Error> {
        Ok(LogPosition(row.try_get::<_, i64>(index)?.cast_unsigned()))
    };
    let is_silent = row.try_get::<_, f64>(9)? > HEARTBEAT_TIMEOUT_SECONDS;
    let state = State::parse(row.try_get(6)?).unwrap_or(State::Stopped);
    let build = match row.try_get::<_, Option<&str>>(11)? {
        None => None,
        Some(phase) => Some(Build {
            phase: Phase::parse(phase).unwrap_or(Phase::Folding),
            started_at: row.try_get(12)?,
            finished_at: row.try_get(13)?,
            events: row.try_get(14)?,
            rows: row.try_get(15)?,
            position: position(16)?,
            target: position(17)?,
            difference: row.try_get(18)?,
            left_out_keys: row.try_get(19)?,
            left_out_sums: row.try_get(20)?,
        }),
    };
    let history = match row.try_get::<_, Option<i64>>(21)? {
        None => None,
        Some(from) => {
            Some(HistoryBegins { from: LogPosition(from.cast_unsigned()), since: row.try_get(22)? })
        }
    };
    Ok(Version {
        projection: row.try_get(0)?,
        version: row.try_get(1)?,
        fold: row.try_get(2)?,
        stage: super::stage(row.try_get(3)?),
        is_active: row.try_get(4)?,
        is_previous: row.try_get(5)?,
        state: if is_silent { State::Stopped } else { state },
        position: position(7)?,
        reason: row.try_get(8)?,
        rows: row.try_get(10)?,
        build,
        history,
    })
}

/// Asks for a new version of a projection, of the fold in use, which whoever folds it builds, and gives its number.
///
/// # Errors
/// [`VersionError::NoProjection`], [`VersionError::OnItsWay`], or the database.
pub async fn rebuild(pool: &Pool, projection: &str) -> Result<i32, VersionError> {
    let mut client = pool.get().await?;
    let name = projection.to_owned();
    begin::rebuild(&mut client, projection).await?.map_err(|reason| match reason {
        NotBegun::OnItsWay(version, stage) => VersionError::OnItsWay { projection: name, version, stage },
        NotBegun::NoProjection => VersionError::NoProjection(name),
    })
}

/// Lets a version that differs become the active one.
///
/// # Errors
/// [`VersionError::NoVersion`], [`VersionError::WrongStage`], [`VersionError::NotFolded`], or the database.
pub async fn accept(pool: &Pool, projection: &str, version: i32) -> Result<(), VersionError> {
    let found = find(pool, projection, version).await?;
    switch(pool, &found, Stage::Differs).await
}

/// Lets the version that was active before become active again, and gives its number.
///
/// # Errors
/// [`VersionError::NoProjection`], [`VersionError::NoPrevious`], [`VersionError::WrongStage`],
/// [`VersionError::NotFolded`], or the database.
pub async fn rollback(pool: &Pool, projection: &str) -> Result<i32, VersionError> {
    let all = versions(pool, Some(projection)).await?;
    if all.is_empty() {
        return Err(VersionError::NoProjection(projection.to_owned()));
    }
    let Some(previous) = all.iter().find(|version| version.is_previous) else {
        return Err(VersionError::NoPrevious(projection.to_owned()));
    };
    switch(pool, previous, Stage::Ready).await?;
    Ok(previous.version)
}

async fn switch(pool: &Pool, version: &Version, from_stage: Stage) -> Result<(), VersionError> {
    if version.stage == from_stage && version.state == State::Stopped {
        let projection = version.projection.clone();
        return Err(VersionError::NotFolded { projection, version: version.version });
    }
    let set = "UPDATE projection_version SET stage = $3 WHERE name = $1 AND version = $2 AND stage = $4";
    let (to, from) = (Stage::Switching.as_str(), from_stage.as_str());
    let set = pool.get().await?.execute(set, &[&version.projection, &version.version, &to, &from]).await?;
    if set == 0 {
        let (projection, stage) = (version.projection.clone(), version.stage);
        return Err(VersionError::WrongStage { projection, version: version.version, stage });
    }
    Ok(())
}

/// Drops a version that readers do not use, as soon as no request reads it. Returns when it is gone.
///
/// # Errors
/// [`VersionError::NoVersion`], [`VersionError::Active`], or the database.
pub async fn drop_version<E: Send + Sync + 'static>(
    pool: &Pool,
    projection: &Projection<E>,
    version: i32,
) -> Result<(), VersionError> {
    let name = projection.name();
    find(pool, name, version).await?;
    if !dropping::mark(pool, name, version).await? {
        return Err(VersionError::Active { projection: name.to_owned(), version });
    }
    Ok(dropping::carry_out(pool, name, version, projection.tables()).await?)
}

/// Gives a version up that readers do not use; whoever folds the projection drops it.
///
/// # Errors
/// [`VersionError::Active`], or the database.
pub async fn abandon(pool: &Pool, projection: &str, version: i32) -> Result<(), VersionError> {
    match dropping::mark(pool, projection, version).await? {
        true => Ok(()),
        false => Err(VersionError::Active { projection: projection.to_owned(), version }),
    }
}

async fn find(pool: &Pool, projection: &str, version: i32) -> Result<Version, VersionError> {
    let all = versions(pool, Some(projection)).await?;
    if all.is_empty() {
        return Err(VersionError::NoProjection(projection.to_owned()));
    }
    let found = all.into_iter().find(|found| found.version == version);
    found.ok_or_else(|| VersionError::NoVersion { projection: projection.to_owned(), version })
}
