//! The step by which readers go from one version of a projection to another.

use std::time::Duration;

use contract::LogPosition;
use contract::status::{CHANNEL, Moved, Stage};
use deadpool_postgres::Transaction;
use tokio::time::{Instant, sleep};
use tokio_postgres::Error;

use super::term::{SWITCH_PAUSE, Term};
use crate::error::EngineError;
use crate::versions::LOCK_PROJECTION;
use crate::write::commit::is_awaited;

/// How long the active version stands still at a time for the one that is to take its place. While it is live, queries
/// wait for as long; while it is not, they are behind anyway.
const GIVE_WAY: Duration = Duration::from_millis(200);
const GIVE_WAY_BEHIND: Duration = Duration::from_secs(1);

/// Both rows are held for as long as the transaction takes, so neither worker moves on meanwhile.
const LOCK_VERSIONS: &str = "
    SELECT version, position, stage FROM projection_version WHERE name = $1 AND version IN ($2, $3)
    ORDER BY version FOR UPDATE";

const ACTIVATE: &str =
    "UPDATE projection SET previous_version = active_version, active_version = $2 WHERE name = $1";

const SET_STAGE: &str = "UPDATE projection_version SET stage = $3 WHERE name = $1 AND version = $2";

impl<E: Send + Sync + 'static> Term<'_, E> {
    /// Makes this version the active one, unless it is behind the one that is: what a reader has seen stays seen.
    pub(super) async fn try_switch(&mut self) -> Result<(), EngineError> {
        let (name, version) = (self.worker.projection.name, self.worker.version);
        let transaction = self.session.client.transaction().await?;
        let Some(from) = activate(&transaction, name, version).await? else { return Ok(()) };
        transaction.commit().await?;
        self.stage = Stage::Ready;
        self.worker.shared.active.store(version, std::sync::atomic::Ordering::Relaxed);
        self.worker.note_reached(self.position);
        tracing::info!(projection = name, from, to = version, position = self.position.0, "readers switch");
        Ok(())
    }

    /// Stands still until the version that is to take this one's place has come as far: under load that lasts, one that
    /// is only a little behind would stay so for ever. In between this one goes on, since readers wait for it.
    pub(super) async fn give_way(&mut self) -> Result<(), EngineError> {
        let until = Instant::now() + if self.feed.is_live() { GIVE_WAY } else { GIVE_WAY_BEHIND };
        let holder = self.holder();
        while self.is_awaited && Instant::now() < until && !self.worker.shutdown.is_cancelled() {
            sleep(SWITCH_PAUSE).await;
            self.is_awaited = is_awaited(&self.session.client, &holder).await?;
        }
        self.is_awaited = false;
        Ok(())
    }
}

/// The version that was active before; none when it is not time yet.
async fn activate(
    transaction: &Transaction<'_>,
    name: &'static str,
    version: i32,
) -> Result<Option<i32>, Error> {
    let Some(active) = transaction.query_opt(LOCK_PROJECTION, &[&name]).await? else { return Ok(None) };
    let active: i32 = active.try_get(0)?;
    let (mut to, mut from) = (None, None);
    for row in transaction.query(LOCK_VERSIONS, &[&name, &active, &version]).await? {
        let position = LogPosition(row.try_get::<_, i64>(1)?.cast_unsigned());
        if row.try_get::<_, i32>(0)? == version {
            let stage: &str = row.try_get(2)?;
            to = (Stage::parse(stage) == Some(Stage::Switching)).then_some(position);
        } else {
            from = Some(position);
        }
    }
    let Some(to) = to else { return Ok(None) };
    if from.is_some_and(|from| from > to) {
        return Ok(None);
    }
    if active != version {
        transaction.execute(ACTIVATE, &[&name, &version]).await?;
    }
    transaction.execute(SET_STAGE, &[&name, &version, &Stage::Ready.as_str()]).await?;
    let moved = Moved { projection: name.to_owned(), version, position: to };
    transaction.execute("SELECT pg_notify($1, $2)", &[&CHANNEL, &moved.to_string()]).await?;
    Ok(Some(active))
}
