//! How far the projections are, for those who operate them.

use async_graphql::{Context, Enum, Object, Result};
use contract::status::{BUILD_TABLE, Stage, State};
use tokio_postgres::Row;

use super::read_context;
use super::scalar::{BigInt, DateTime, Position};
use crate::error::{Failure, ReadError};
use crate::read::VersionStatus;

/// One version of a projection: tables that are folded from the log together.
pub(crate) struct Projection {
    status: VersionStatus,
    build: Option<Build>,
}

/// One version of a projection: tables that are folded from the log together.
#[Object]
impl Projection {
    /// Its name.
    async fn name(&self) -> &str {
        &self.status.name
    }

    /// The version of its tables.
    async fn version(&self) -> i32 {
        self.status.version
    }

    /// Which fold, that is which state of the code, makes its rows.
    async fn fold(&self) -> i32 {
        self.status.fold
    }

    /// How far the version is on its way to answers.
    async fn stage(&self) -> ProjectionStage {
        self.status.stage.into()
    }

    /// Whether answers are read from this version.
    async fn active(&self) -> bool {
        self.status.active
    }

    /// Up to where the log is folded.
    async fn position(&self) -> Position {
        Position(self.status.position)
    }

    /// The end of the log, when the worker looked last.
    async fn head_position(&self) -> Position {
        Position(contract::Position { log: self.status.position.log, at: self.status.head })
    }

    /// How long the oldest event that is not folded has been in the log, seconds. Of a stopped worker, at least for how
    /// long it has been silent.
    async fn lag_seconds(&self) -> f64 {
        self.status.lag_seconds
    }

    /// How many events are not folded; null when that is not known. An estimate on a cluster.
    async fn lag_events(&self) -> Option<BigInt> {
        self.status.lag_events.map(BigInt)
    }

    /// What its worker is doing.
    async fn state(&self) -> ProjectionState {
        self.status.state.into()
    }

    /// When the worker wrote its state last.
    async fn heartbeat_at(&self) -> DateTime {
        DateTime(self.status.heartbeat_at)
    }

    /// How the version was or is being built from history; null of one that was folded from the start.
    async fn build(&self) -> Option<&Build> {
        self.build.as_ref()
    }
}

/// How a version was or is being built from history.
pub(crate) struct Build {
    phase: String,
    started_at: jiff::Timestamp,
    finished_at: Option<jiff::Timestamp>,
    events: i64,
    rows: i64,
    position: contract::Position,
    target: contract::Position,
}

/// How a version was or is being built from history.
#[Object(name = "ProjectionBuild")]
impl Build {
    /// What is being done: FOLDING, INDEXING, CHECKING, or DONE.
    async fn phase(&self) -> &str {
        &self.phase
    }

    /// When it began; when it was broken off, when it began again.
    async fn started_at(&self) -> DateTime {
        DateTime(self.started_at)
    }

    /// When the tables were filled and compared.
    async fn finished_at(&self) -> Option<DateTime> {
        self.finished_at.map(DateTime)
    }

    /// Events folded so far.
    async fn events(&self) -> BigInt {
        BigInt(self.events)
    }

    /// Rows written so far.
    async fn rows(&self) -> BigInt {
        BigInt(self.rows)
    }

    /// How far in the log history is folded.
    async fn position(&self) -> Position {
        Position(self.position)
    }

    /// How far it is to be folded before the result is compared with the version in use.
    async fn target_position(&self) -> Position {
        Position(self.target)
    }
}

/// A version with how it was built, if it was.
fn projection(status: &VersionStatus, builds: &[Row]) -> Result<Projection, ReadError> {
    let mut build = None;
    for row in builds {
        if row.try_get::<_, &str>("name")? == status.name
            && row.try_get::<_, i32>("version")? == status.version
        {
            let log = status.position.log;
            let position = |column| -> Result<contract::Position, ReadError> {
                let at: i64 = row.try_get(column)?;
                Ok(contract::Position { log, at: contract::LogPosition(at.cast_unsigned()) })
            };
            build = Some(Build {
                phase: row.try_get("phase")?,
                started_at: row.try_get("started_at")?,
                finished_at: row.try_get("finished_at")?,
                events: row.try_get("events")?,
                rows: row.try_get("row_count")?,
                position: position("position")?,
                target: position("target")?,
            });
        }
    }
    Ok(Projection { status: status.clone(), build })
}

/// How far a version is on its way to answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Stage")]
pub(crate) enum ProjectionStage {
    /// Its tables are being filled from history.
    Building,
    /// It was built, and its rows are not those of the version in use: a person takes it or drops it.
    Differs,
    /// It becomes the active version as soon as it is not behind the one in use.
    Switching,
    /// It is active, or was and can be again.
    Ready,
    /// Its tables are about to go.
    Dropping,
}

/// What the worker of a projection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "State")]
pub(crate) enum ProjectionState {
    /// Folding history to reach the head.
    CatchingUp,
    /// Folding events as they are appended.
    Live,
    /// A fold failed.
    Failed,
    /// The log holds an event version that the worker does not know.
    NeedsUpgrade,
    /// No worker is at it, or it is silent.
    Stopped,
}

/// The question for projections.
#[derive(Default)]
pub(super) struct ProjectionQuery;

#[Object]
impl ProjectionQuery {
    /// Every version of every projection, by name and version.
    async fn projections(&self, ctx: &Context<'_>) -> Result<Vec<Projection>> {
        let snapshot = read_context(ctx).snapshot().await?;
        let builds = match ctx.look_ahead().field("build").exists() {
            // One statement for all of them.
            true => {
                let builds = format!(
                    "SELECT name, version, phase, started_at, finished_at, events, row_count, position, target \
                     FROM {BUILD_TABLE}"
                );
                snapshot.query(&builds, &[]).await?
            }
            false => Vec::new(),
        };
        let projection = |status| projection(status, &builds).map_err(Failure::from);
        Ok(snapshot.statuses().iter().map(projection).collect::<Result<_, _>>()?)
    }
}
