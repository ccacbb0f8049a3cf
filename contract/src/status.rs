//! How projections tell their state to readers: rows of two tables that the engine writes and the query side reads,
//! and a notification that a row moved. The rows are the truth, the notification is a hint.
//!
//! `projection` has one row a projection and names the version that readers use. `projection_version` has one row a
//! version and projection with its checkpoint. Both stand in the schema of the connection.
//!
//! A version is one set of tables, `<view>_v<version>`. Its `fold` says which state of the code makes their rows: building
//! a projection anew gives it a new version, of the same fold or of a newer one.

/// The table that names the active version of each projection: columns `name`, `active_version`, `previous_version`.
pub const PROJECTION_TABLE: &str = "projection";

/// The table of checkpoints and states, one row a (`name`, `version`).
pub const VERSION_TABLE: &str = "projection_version";

/// The table of how versions were or are being built, one row a (`name`, `version`).
pub const BUILD_TABLE: &str = "projection_build";

/// The channel on which the engine notifies once a batch; the payload is a [`Moved`] in text form.
pub const CHANNEL: &str = "headwater_projection";

/// A worker that has not written its row for this long counts as stopped, seconds.
pub const HEARTBEAT_TIMEOUT_SECONDS: f64 = 10.0;

/// What a projection's worker is doing, as its row says. A reader shows a row whose heartbeat is older than
/// [`HEARTBEAT_TIMEOUT_SECONDS`] as [`State::Stopped`], whatever the row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Folding history to reach the head.
    CatchingUp,
    /// Folding events as they are appended.
    Live,
    /// A fold failed; the row says where and why.
    Failed,
    /// The log holds an event version that this binary does not know.
    NeedsUpgrade,
    /// No worker is at it.
    Stopped,
}

impl State {
    /// Every state.
    pub const ALL: [State; 5] =
        [State::CatchingUp, State::Live, State::Failed, State::NeedsUpgrade, State::Stopped];

    /// The name in the row and in GraphQL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            State::CatchingUp => "CATCHING_UP",
            State::Live => "LIVE",
            State::Failed => "FAILED",
            State::NeedsUpgrade => "NEEDS_UPGRADE",
            State::Stopped => "STOPPED",
        }
    }

    /// Reads a name back.
    #[must_use]
    pub fn parse(text: &str) -> Option<State> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// How far a version is on its way to readers. Only a version that is [`Stage::Ready`] is ever read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
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

impl Stage {
    /// Every stage.
    pub const ALL: [Stage; 5] =
        [Stage::Building, Stage::Differs, Stage::Switching, Stage::Ready, Stage::Dropping];

    /// The name in the row and in GraphQL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Stage::Building => "BUILDING",
            Stage::Differs => "DIFFERS",
            Stage::Switching => "SWITCHING",
            Stage::Ready => "READY",
            Stage::Dropping => "DROPPING",
        }
    }

    /// Reads a name back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Stage> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == text)
    }
}

/// The payload of a notification: `<projection> <version> <position>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The projection's name.
    pub projection: String,
    /// Its version.
    pub version: i32,
    /// The checkpoint it reached.
    pub position: crate::LogPosition,
}

impl std::fmt::Display for Moved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.projection, self.version, self.position)
    }
}

impl Moved {
    /// Reads a payload; anything else than ours is no hint.
    #[must_use]
    pub fn parse(payload: &str) -> Option<Self> {
        let mut words = payload.split(' ');
        let moved = Self {
            projection: words.next()?.to_owned(),
            version: words.next()?.parse().ok()?,
            position: crate::LogPosition(words.next()?.parse().ok()?),
        };
        words.next().is_none().then_some(moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_and_notifications_read_back() {
        for state in State::ALL {
            assert_eq!(State::parse(state.as_str()), Some(state));
        }
        for stage in Stage::ALL {
            assert_eq!(Stage::parse(stage.as_str()), Some(stage));
        }
        let moved = Moved { projection: "catalogue".into(), version: 2, position: crate::LogPosition(17) };
        assert_eq!(Moved::parse(&moved.to_string()), Some(moved));
        assert_eq!(Moved::parse("catalogue 2"), None);
        assert_eq!(Moved::parse("catalogue 2 x"), None);
    }
}
