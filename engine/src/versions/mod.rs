//! The versions of a projection: which there are, what becomes of each, and who folds them. The rows in Postgres say
//! what is to be; the supervisor of each process brings it about.

mod admin;
pub(crate) mod begin;
pub(crate) mod drop;
pub(crate) mod shape;
pub(crate) mod supervisor;

use contract::status::Stage;
use tokio_postgres::{Error, GenericClient};

use crate::write::checkpoint::stage;

pub use crate::build::verify::{SAMPLE_MAX, Verified, VerifiedView, Verify, VerifyError};
pub use crate::build::{Phase, Progress};
pub use admin::{
    Build, HistoryBegins, Version, VersionError, abandon, accept, drop_version, rebuild, rollback, versions,
};

/// What the rows say of a projection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) active: i32,
    pub(crate) previous: Option<i32>,
    /// Ascending.
    pub(crate) versions: Vec<VersionRow>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct VersionRow {
    pub(crate) version: i32,
    pub(crate) fold: i32,
    pub(crate) stage: Stage,
    pub(crate) position: i64,
    /// Whether its build has stopped at something that only a person can change.
    pub(crate) is_halted: bool,
}

impl Standing {
    pub(crate) fn version(&self, version: i32) -> Option<&VersionRow> {
        self.versions.iter().find(|row| row.version == version)
    }

    /// The fold of the active version.
    pub(crate) fn active_fold(&self) -> Option<i32> {
        self.version(self.active).map(|row| row.fold)
    }
}

/// Held by whoever changes which version is active, or takes one away, to the end of the transaction.
pub(crate) const LOCK_PROJECTION: &str = "SELECT active_version FROM projection WHERE name = $1 FOR UPDATE";

const STANDING: &str = "
    SELECT p.active_version, p.previous_version, v.version, v.fold, v.stage, v.position,
        v.stage = 'BUILDING' AND v.state IN ('FAILED', 'NEEDS_UPGRADE') FROM projection p
    JOIN projection_version v USING (name) WHERE p.name = $1 ORDER BY v.version";

/// Reads the rows of a projection; none when it has none yet.
pub(crate) async fn standing(
    client: &impl GenericClient,
    projection: &str,
) -> Result<Option<Standing>, Error> {
    let rows = client.query(STANDING, &[&projection]).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let (active, previous) = (first.try_get(0)?, first.try_get(1)?);
    let mut versions = Vec::with_capacity(rows.len());
    for row in &rows {
        versions.push(VersionRow {
            version: row.try_get(2)?,
            fold: row.try_get(3)?,
            stage: stage(row.try_get(4)?),
            position: row.try_get(5)?,
            is_halted: row.try_get(6)?,
        });
    }
    Ok(Some(Standing { active, previous, versions }))
}
