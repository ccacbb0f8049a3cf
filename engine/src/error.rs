//! What can go wrong, by who is told.

use contract::{LogIdentity, LogPosition};
use observability::postgres::told;

/// Why the engine does not run, or ended.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The views were folded from another log than the one connected to.
    #[error(
        "the views of `{projection}` were folded from the log {stored}, but this log is {found}: connect to the other \
         log, or run `headwater reset-views` to drop the views and fold them from this one"
    )]
    ForeignLog {
        /// The projection.
        projection: &'static str,
        /// The log it was folded from.
        stored: LogIdentity,
        /// The log connected to.
        found: LogIdentity,
    },
    /// The log ends before what the views have folded: it was restored from an older copy.
    #[error(
        "the views of `{projection}` have folded up to position {checkpoint}, but the log ends at {head}: if the log \
         was restored from an older copy, run `headwater reset-views` to fold the views again"
    )]
    HeadBehindCheckpoint {
        /// The projection.
        projection: &'static str,
        /// Its checkpoint.
        checkpoint: LogPosition,
        /// The last position of the log.
        head: LogPosition,
    },
    /// The views in use are of a fold that is newer than those of this binary, or of a saga with another.
    #[error(
        "the views of `{projection}` are of its fold {active}, but this binary has fold {folded}: start the binary that \
         made them, or run `headwater reset-views` to fold them again"
    )]
    OtherFold {
        /// The projection.
        projection: &'static str,
        /// The fold in use.
        active: i32,
        /// The newest fold of this binary.
        folded: i32,
    },
    /// No migration made a table for a view.
    #[error("there is no table to make those of view `{view}` like: a migration has to make {view}_f{fold}")]
    NoShape {
        /// The view.
        view: &'static str,
        /// The fold.
        fold: i32,
    },
    /// The views were folded with other settings than those of now, and rows of both must not stand side by side.
    #[error(
        "the views of `{projection}` were folded with {stored:?}, but the setting is now {found:?}: set it back, or run \
         `headwater reset-views` to fold the views again"
    )]
    OtherSettings {
        /// The projection.
        projection: &'static str,
        /// What it was folded with.
        stored: String,
        /// What it is to be folded with.
        found: String,
    },
    /// A projection is declared in a way that cannot work.
    #[error("projection `{projection}` is declared wrongly: {flaw}")]
    Misdeclared {
        /// The projection.
        projection: &'static str,
        /// What is wrong.
        flaw: String,
    },
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] event_store::ReadError),
    /// Postgres refused a statement of the set-up.
    #[error("Postgres: {}", told(.0))]
    Postgres(#[from] tokio_postgres::Error),
    /// No connection to Postgres.
    #[error("no connection to Postgres: {}", told(.0))]
    Pool(#[from] deadpool_postgres::PoolError),
    /// The engine's own tables could not be brought up to date.
    #[error("the projection tables cannot be migrated: {}", told(.0))]
    Migration(#[from] refinery::Error),
    /// A worker ended by a panic, which is a bug.
    #[error("a projection worker panicked: {0}")]
    Worker(#[from] tokio::task::JoinError),
}

impl EngineError {
    /// Whether trying again cannot help: a person has to decide.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(
            self,
            EngineError::ForeignLog { .. }
                | EngineError::HeadBehindCheckpoint { .. }
                | EngineError::OtherFold { .. }
                | EngineError::NoShape { .. }
                | EngineError::OtherSettings { .. }
                | EngineError::Misdeclared { .. }
        )
    }
}

/// An event that a view cannot fold: a predecessor is missing, or a sum overflows. The text is for operators and
/// holds no personal data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FoldError(String);

impl FoldError {
    /// With a reason for operators.
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// A stored row that a view cannot read back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LoadError(String);

impl LoadError {
    /// With a reason for operators.
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// Why a recorded event gives no event to fold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeFailure {
    /// A known type in a version that this binary does not know: a newer binary wrote it.
    #[error("needs a newer binary: {0}")]
    NeedsUpgrade(String),
    /// A known version that does not decode.
    #[error("does not decode: {0}")]
    Malformed(String),
    /// It cannot be decoded now, but may be later (a key that is not there yet).
    #[error("cannot be decoded yet: {0}")]
    Retry(String),
}
