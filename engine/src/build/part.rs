//! One part of a build: the keys of a share of each view, folded on a thread of its own.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::aside::Aside;
use super::copy::{copy_in, copy_past};
use super::progress::Progress;
use super::{BuildError, Stopped};
use crate::checksum::Checksums;
use crate::event::Recorded;
use crate::fold::bulk::{BulkFold, Leftover, PastOf, Sums};
use crate::fold::{Change, FailedFold};
use crate::parked::{PLACES_MAX, Place};
use crate::projection::Projection;
use crate::value::Value;
use crate::write::refused::{is_of_the_data, why_refused};
use crate::write::rows::{self, Rows};
use crate::write::session::Session;
use crate::write::sql::TableSql;

/// So many rows of the past are written at once.
const PAST_ROWS: usize = 5_000;

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
    pub(crate) leftover: Leftover,
}

pub(crate) struct Part<E> {
    pub(crate) projection: Arc<Projection<E>>,
    pub(crate) part: u64,
    pub(crate) parts: u64,
    pub(crate) aside: Arc<Aside>,
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
        let (share_of, aside) = ((self.part, self.parts), Arc::clone(&self.aside));
        let entities = projection.entities.iter().zip(&aside.rows).enumerate();
        let mut folds: Vec<_> =
            entities.map(|(view, (entity, aside))| entity.bulk(view, share_of, aside)).collect();
        let mut share = Share {
            checksums: vec![Checksums::default(); folds.len()],
            sums: Sums::default(),
            leftover: Leftover::default(),
        };
        let mut past = PastOf::new(&self.tables, folds.len());
        loop {
            let chunk = match steps.blocking_recv() {
                Some(Step::Fold(chunk)) => chunk,
                Some(Step::End) => break,
                None => return Err(BuildError::BrokenOff),
            };
            for (view, fold) in folds.iter_mut().enumerate() {
                self.fold(view, &mut **fold, &chunk, (&mut share.sums, &mut past))?;
                share.leftover.append(fold.leftover());
            }
            if share.leftover.is_too_much() {
                return Err(too_much(&share.leftover));
            }
            self.write_past(&mut past, PAST_ROWS, &mut share)?;
            if folds.iter().map(|fold| fold.weight()).sum::<usize>() > self.budget {
                self.let_go(&mut folds, false, &mut share)?;
            }
        }
        self.let_go(&mut folds, true, &mut share)?;
        self.write_past(&mut past, 0, &mut share)?;
        Ok(share)
    }

    fn fold(
        &self,
        view: usize,
        fold: &mut (dyn BulkFold<E> + '_),
        chunk: &Chunk<E>,
        (sums, past): (&mut Sums, &mut PastOf),
    ) -> Result<(), BuildError> {
        let missing = fold.begin(chunk);
        if !missing.is_empty() {
            let keys: Vec<&[Value]> = missing.iter().map(Vec::as_slice).collect();
            let rows = Rows { client: &self.session.client, tables: &self.tables };
            for row in self.runtime.block_on(rows.load(view, &keys))? {
                let index = row.index;
                fold.put(&missing[index], row, sums).map_err(|failed| without_event(&failed))?;
            }
        }
        fold.fold(chunk, past);
        Ok(())
    }

    fn let_go(
        &mut self,
        folds: &mut [Box<dyn BulkFold<E> + '_>],
        all: bool,
        share: &mut Share,
    ) -> Result<(), BuildError> {
        for (view, fold) in folds.iter_mut().enumerate() {
            let changes = fold.let_go(all, &mut share.sums);
            share.leftover.append(fold.leftover());
            for change in &changes {
                let (before, after) = (change.before.as_deref(), change.after.as_deref());
                share.checksums[view].replace(fold.table(), &change.key, before, after);
            }
            let (fresh, known): (Vec<Change>, Vec<Change>) =
                changes.into_iter().partition(|change| change.before.is_none());
            let (runtime, progress) = (self.runtime.clone(), Arc::clone(&self.progress));
            for (changes, is_fresh) in [(&fresh, true), (&known, false)] {
                let refused = runtime.block_on(by_halves(
                    view,
                    changes,
                    |change| &change.key,
                    &progress,
                    async |changes| self.write_all(view, changes, is_fresh).await,
                ))?;
                share.leftover.failed.extend(refused);
            }
        }
        Ok(())
    }

    /// Writes what was noted of the tables of which there are more rows than these.
    fn write_past(
        &mut self,
        past: &mut PastOf,
        more_than: usize,
        share: &mut Share,
    ) -> Result<(), BuildError> {
        let (runtime, progress) = (self.runtime.clone(), Arc::clone(&self.progress));
        for (view, rows) in past.rows.iter_mut().chain(&mut past.sums).enumerate() {
            let Some(rows) = rows.as_mut().filter(|rows| rows.len() > more_than) else { continue };
            let rows = std::mem::take(rows);
            for (place, reason) in runtime.block_on(by_halves(
                view,
                &rows,
                |past| &past.key,
                &progress,
                async |past| copy_past(&self.session.client, &self.tables[view], past).await,
            ))? {
                // A row is told once, however many of its states are refused.
                if !share.leftover.failed.iter().any(|(known, _)| *known == place) {
                    share.leftover.failed.push((place, reason));
                }
            }
        }
        Ok(())
    }

    async fn write_all(
        &mut self,
        view: usize,
        changes: &[Change],
        is_fresh: bool,
    ) -> Result<(), tokio_postgres::Error> {
        let sql = &self.tables[view];
        if changes.is_empty() {
            return Ok(());
        }
        if is_fresh {
            return copy_in(&self.session.client, sql, changes).await;
        }
        let transaction = self.session.client.transaction().await?;
        rows::write(&transaction, sql, changes).await?;
        transaction.commit().await
    }
}

/// Writes rows of a view; those that Postgres refuses are found by halves, and given back.
async fn by_halves<T>(
    view: usize,
    rows: &[T],
    key: impl Fn(&T) -> &Vec<Value>,
    progress: &Progress,
    mut write: impl AsyncFnMut(&[T]) -> Result<(), tokio_postgres::Error>,
) -> Result<Vec<(Place, String)>, BuildError> {
    let (mut refused, mut pending) = (Vec::new(), vec![rows]);
    while let Some(rows) = pending.pop() {
        match write(rows).await {
            Ok(()) => progress.wrote(rows.len() as u64),
            Err(error) if !is_of_the_data(&error) => return Err(error.into()),
            Err(error) => match rows {
                [row] => refused.push((Place::Row { view, key: key(row).clone() }, why_refused(&error))),
                _ => pending.extend(<[_; 2]>::from(rows.split_at(rows.len() / 2))),
            },
        }
        if refused.len() > PLACES_MAX {
            break;
        }
    }
    Ok(refused)
}

pub(super) const TOO_MANY_ROWS: &str = "more than 1,000 rows cannot be folded";

/// More than may be parked stops the build.
pub(super) fn too_much(leftover: &Leftover) -> BuildError {
    let reason = match leftover.failed.first() {
        Some((_, reason)) => format!("{TOO_MANY_ROWS}, one of them: {reason}"),
        None => "more than 100,000 events wait behind rows that cannot be folded".to_owned(),
    };
    BuildError::Stopped(Stopped::without_event(reason))
}

/// Rows that Postgres does not take stop the build, other errors are waited out.
pub(crate) fn refused(view: &str, error: tokio_postgres::Error) -> BuildError {
    if !is_of_the_data(&error) {
        return error.into();
    }
    let reason = why_refused(&error);
    BuildError::Stopped(Stopped::without_event(format!("view {view}: {reason}")))
}

fn without_event(failed: &FailedFold) -> BuildError {
    BuildError::Stopped(Stopped::without_event(failed.reason.clone()))
}

impl Stopped {
    /// At no event in particular.
    pub(crate) fn without_event(reason: String) -> Self {
        Self { position: None, recorded_at: None, reason, needs_upgrade: false }
    }
}
