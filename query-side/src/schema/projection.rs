//! How far the projections are, for those who operate them.

use async_graphql::{Context, Enum, Object, Result};
use contract::status::State;

use super::read_context;
use super::scalar::{BigInt, DateTime, Position};
use crate::read::VersionStatus;

/// One version of a projection: tables that are folded from the log together.
pub(crate) struct Projection(VersionStatus);

/// One version of a projection: tables that are folded from the log together.
#[Object]
impl Projection {
    /// Its name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The version of its tables.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// Whether answers are read from this version.
    async fn active(&self) -> bool {
        self.0.active
    }

    /// Up to where the log is folded.
    async fn position(&self) -> Position {
        Position(self.0.position)
    }

    /// The end of the log, when the worker looked last.
    async fn head_position(&self) -> Position {
        Position(contract::Position { log: self.0.position.log, at: self.0.head })
    }

    /// How long the oldest event that is not folded has been in the log, seconds. Of a stopped worker, at least for how
    /// long it has been silent.
    async fn lag_seconds(&self) -> f64 {
        self.0.lag_seconds
    }

    /// How many events are not folded; null when that is not known. An estimate on a cluster.
    async fn lag_events(&self) -> Option<BigInt> {
        self.0.lag_events.map(BigInt)
    }

    /// What its worker is doing.
    async fn state(&self) -> ProjectionState {
        self.0.state.into()
    }

    /// When the worker wrote its state last.
    async fn heartbeat_at(&self) -> DateTime {
        DateTime(self.0.heartbeat_at)
    }
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
        Ok(snapshot.statuses().iter().cloned().map(Projection).collect())
    }
}
