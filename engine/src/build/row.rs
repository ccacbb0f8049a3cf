//! The rows that say how far a build is, and that its version is there.

use contract::status::{Stage, State};
use postgres_types::ToSql;
use tokio::time::sleep;

use super::progress::{Phase, Progress};
use super::{BEAT, BuildError, Built};
use crate::error::EngineError;
use crate::metrics;
use crate::projection::Projection;
use crate::table::Table;
use crate::write::commit::write_checksums;
use crate::write::session::Session;
use crate::write::{moments, parked};

const BEGIN: &str = "
    UPDATE projection_version SET state = $3, position = 0, head_position = $4, lag_events = NULL, reason = NULL,
        failed_position = NULL, pending_since = NULL, fence = fence + 1, heartbeat_at = now()
    WHERE name = $1 AND version = $2 AND stage = 'BUILDING'";

const BUILD_ROW: &str = "
    INSERT INTO projection_build (name, version, phase, started_at, events, row_count, position, target)
    VALUES ($1, $2, $3, now(), 0, 0, 0, $4)
    ON CONFLICT (name, version) DO UPDATE SET phase = EXCLUDED.phase, started_at = now(), finished_at = NULL,
        events = 0, row_count = 0, position = 0, target = EXCLUDED.target, difference = NULL";

const BEAT_ROW: &str = "
    UPDATE projection_version SET heartbeat_at = now() WHERE name = $1 AND version = $2 AND stage = 'BUILDING'";

const PROGRESS: &str = "
    UPDATE projection_build SET phase = $3, events = $4, row_count = $5, position = $6
    WHERE name = $1 AND version = $2";

const FINISH: &str = "
    UPDATE projection_version SET stage = $3, position = $4, parked = $5, history_from = $6, history_since = NULL,
        history_to = $4, fence = fence + 1, heartbeat_at = now()
    WHERE name = $1 AND version = $2 AND stage = 'BUILDING'";

const FINISHED: &str = "
    UPDATE projection_build SET finished_at = now(), difference = $3, left_out_keys = $4, left_out_sums = $5
    WHERE name = $1 AND version = $2";

/// The rows of the version, and the session that holds its lock.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) version: i32,
    pub(super) session: Session,
}

impl Row {
    pub(super) async fn is_wanted(&self) -> Result<bool, EngineError> {
        let wanted = "SELECT FROM projection_version WHERE name = $1 AND version = $2 AND stage = 'BUILDING'";
        Ok(self.session.client.query_opt(wanted, &[&self.name, &self.version]).await?.is_some())
    }

    pub(super) async fn begin(&self, progress: &Progress) -> Result<(), BuildError> {
        let (client, target) = (&self.session.client, progress.target().0.cast_signed());
        let state = State::CatchingUp.as_str();
        if client.execute(BEGIN, &[&self.name, &self.version, &state, &target]).await? == 0 {
            return Err(BuildError::Cancelled);
        }
        moments::forget(&**client, (self.name, self.version)).await?;
        let phase = progress.phase().as_str();
        client.execute(BUILD_ROW, &[&self.name, &self.version, &phase, &target]).await?;
        Ok(())
    }

    /// Says how far it is until the version is not wanted any more.
    pub(super) async fn beat(&self, progress: &Progress) -> BuildError {
        loop {
            match self.say(progress).await {
                Ok(true) => sleep(BEAT).await,
                Ok(false) => return BuildError::Cancelled,
                Err(error) => return error.into(),
            }
        }
    }

    async fn say(&self, progress: &Progress) -> Result<bool, EngineError> {
        metrics::record_build(self.name, progress);
        let client = &self.session.client;
        let wanted = client.execute(BEAT_ROW, &[&self.name, &self.version]).await? > 0;
        let (events, rows) = (progress.events().cast_signed(), progress.rows().cast_signed());
        let (phase, position) = (progress.phase().as_str(), progress.position().0.cast_signed());
        let values: [&(dyn ToSql + Sync); 6] = [&self.name, &self.version, &phase, &events, &rows, &position];
        client.execute(PROGRESS, &values).await?;
        Ok(wanted)
    }

    /// Hands the version over to the worker that folds it from here on.
    pub(super) async fn finish<E: Send + Sync + 'static>(
        mut self,
        projection: &Projection<E>,
        built: &Built,
        progress: &Progress,
    ) -> Result<(), BuildError> {
        let (name, version) = (self.name, self.version);
        let is_same = built.differences.is_empty();
        let stage = if is_same { Stage::Switching } else { Stage::Differs };
        progress.enter(Phase::Done);
        self.say(progress).await?;
        let transaction = self.session.client.transaction().await?;
        let position = built.position.0.cast_signed();
        let parked = built.rows_aside.parked.len() + built.streams.parked.len();
        let parked = i32::try_from(parked).unwrap_or(i32::MAX);
        let history_from = built.has_history.then_some(0_i64);
        let values: [&(dyn ToSql + Sync); 6] =
            [&name, &version, &stage.as_str(), &position, &parked, &history_from];
        if transaction.execute(FINISH, &values).await? == 0 {
            return Err(BuildError::Cancelled);
        }
        let tables: Vec<&Table> = projection.tables().collect();
        for (stuck, is_held) in [(&built.rows_aside, true), (&built.streams, false)] {
            parked::park(&transaction, (name, version), &tables, stuck, is_held).await?;
        }
        for (table, checksums) in projection.tables().zip(&built.checksums) {
            write_checksums(&transaction, (name, version), table, checksums).await?;
        }
        let difference = (!is_same).then(|| serde_json::to_value(&built.differences).ok()).flatten();
        let (keys, sums) = (built.left_out.0.cast_signed(), built.left_out.1.cast_signed());
        transaction.execute(FINISHED, &[&name, &version, &difference, &keys, &sums]).await?;
        transaction.commit().await?;
        let (events, rows) = (progress.events(), progress.rows());
        if is_same {
            tracing::info!(projection = name, version, events, rows, "built: the same as the version in use");
        } else {
            let views: Vec<_> = built.differences.keys().copied().collect();
            tracing::warn!(
                projection = name,
                version,
                events,
                rows,
                ?views,
                "built: it differs from the version in use"
            );
        }
        Ok(())
    }
}
