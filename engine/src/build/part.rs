//! One part of a build: the keys of a share of each view, folded on a thread of its own.

use std::sync::Arc;

use contract::LogPosition;
use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::copy::copy_in;
use super::progress::Progress;
use super::{BuildError, Stopped};
use crate::checksum::Checksums;
use crate::event::Recorded;
use crate::fold::bulk::{BulkFold, Sums};
use crate::fold::{Change, FailedFold};
use crate::projection::Projection;
use crate::value::Value;
use crate::write::checkpoint::is_of_the_data;
use crate::write::rows::{self, Rows};
use crate::write::session::Session;
use crate::write::sql::TableSql;

/// Events that were read at once, each with the bytes of its data.
pub(crate) type Chunk<E> = Vec<(Arc<Recorded<E>>, usize)>;

/// What a part is told.
pub(crate) enum Step<E> {
    Fold(Arc<Chunk<E>>),
    /// There is no more history.
    End,
}

/// What a part leaves behind.
pub(crate) struct Share {
    /// In the order of the entity views.
    pub(crate) checksums: Vec<Checksums>,
    pub(crate) sums: Sums,
}

pub(crate) struct Part<E> {
    pub(crate) projection: Arc<Projection<E>>,
    pub(crate) version: i32,
    pub(crate) part: u64,
    pub(crate) parts: u64,
    /// Bytes that its rows may take in memory, about.
    pub(crate) budget: usize,
    pub(crate) tables: Arc<Vec<TableSql>>,
    pub(crate) session: Session,
    pub(crate) progress: Arc<Progress>,
    pub(crate) runtime: Handle,
}

impl<E: Send + Sync + 'static> Part<E> {
    /// Folds what comes until the end of history is told by [`End`](Step::End), then writes all that is left in memory.
    pub(crate) fn run(mut self, mut steps: mpsc::Receiver<Step<E>>) -> Result<Share, BuildError> {
        let projection = Arc::clone(&self.projection);
        let mut folds: Vec<_> =
            projection.entities.iter().map(|entity| entity.bulk(self.part, self.parts)).collect();
        let mut share = Share { checksums: vec![Checksums::default(); folds.len()], sums: Sums::default() };
        loop {
            let chunk = match steps.blocking_recv() {
                Some(Step::Fold(chunk)) => chunk,
                Some(Step::End) => break,
                None => return Err(BuildError::BrokenOff),
            };
            for (view, fold) in folds.iter_mut().enumerate() {
                self.fold(view, &mut **fold, &chunk, &mut share.sums)?;
            }
            if folds.iter().map(|fold| fold.weight()).sum::<usize>() > self.budget {
                self.let_go(&mut folds, false, &mut share)?;
            }
        }
        self.let_go(&mut folds, true, &mut share)?;
        Ok(share)
    }

    fn fold(
        &self,
        view: usize,
        fold: &mut (dyn BulkFold<E> + '_),
        chunk: &Chunk<E>,
        sums: &mut Sums,
    ) -> Result<(), BuildError> {
        let missing = fold.begin(chunk);
        if !missing.is_empty() {
            let keys: Vec<&[Value]> = missing.iter().map(Vec::as_slice).collect();
            let rows = Rows { client: &self.session.client, tables: &self.tables };
            for (slot, values) in self.runtime.block_on(rows.load(view, &keys))? {
                fold.put(&missing[slot], values, sums).map_err(|failed| without_event(&failed))?;
            }
        }
        fold.fold(chunk)
            .map_err(|failed| BuildError::Stopped(Stopped::at(&chunk[failed.number].0, failed.reason)))
    }

    fn let_go(
        &mut self,
        folds: &mut [Box<dyn BulkFold<E> + '_>],
        all: bool,
        share: &mut Share,
    ) -> Result<(), BuildError> {
        for (view, fold) in folds.iter_mut().enumerate() {
            let changes = fold.let_go(all, &mut share.sums).map_err(|failed| without_event(&failed))?;
            for change in &changes {
                let (before, after) = (change.before.as_deref(), change.after.as_deref());
                share.checksums[view].replace(fold.table(), &change.key, before, after);
            }
            let (fresh, known): (Vec<Change>, Vec<Change>) =
                changes.into_iter().partition(|change| change.before.is_none());
            let runtime = self.runtime.clone();
            runtime.block_on(self.write(view, &fresh, &known))?;
        }
        Ok(())
    }

    async fn write(&mut self, view: usize, fresh: &[Change], known: &[Change]) -> Result<(), BuildError> {
        let sql = &self.tables[view];
        let written = async {
            if !fresh.is_empty() {
                copy_in(&self.session.client, sql.table, self.version, fresh).await?;
            }
            if !known.is_empty() {
                let transaction = self.session.client.transaction().await?;
                rows::write(&transaction, sql, known).await?;
                transaction.commit().await?;
            }
            Ok::<_, tokio_postgres::Error>(())
        };
        written.await.map_err(|error| refused(sql.table.name, error))?;
        self.progress.wrote((fresh.len() + known.len()) as u64);
        Ok(())
    }
}

/// Rows that Postgres does not take stop the build, other errors are waited out.
pub(crate) fn refused(view: &str, error: tokio_postgres::Error) -> BuildError {
    if !is_of_the_data(&error) {
        return error.into();
    }
    let reason = error.as_db_error().map_or_else(|| error.to_string(), |e| e.message().to_owned());
    BuildError::Stopped(Stopped::without_event(format!("Postgres refuses the rows of view {view}: {reason}")))
}

fn without_event(failed: &FailedFold) -> BuildError {
    BuildError::Stopped(Stopped::without_event(failed.reason.clone()))
}

impl Stopped {
    /// At an event that a view cannot fold.
    pub(crate) fn at<E>(event: &Recorded<E>, reason: String) -> Self {
        let at: (LogPosition, Timestamp) = (event.position, event.recorded_at);
        Self {
            position: Some(at.0),
            recorded_at: Some(at.1),
            reason: format!("{} in {} ({}): {reason}", event.event_type, event.stream, event.revision),
            needs_upgrade: false,
        }
    }

    /// At no event in particular.
    pub(crate) fn without_event(reason: String) -> Self {
        Self { position: None, recorded_at: None, reason, needs_upgrade: false }
    }
}
