//! One part of a build: the keys of a share of each view, folded on a thread of its own.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::aside::Aside;
use super::load::{Batch, Loader};
use super::{BuildError, Stopped};
use crate::checksum::Checksums;
use crate::event::Recorded;
use crate::fold::bulk::{BulkFold, Leftover, PastOf, Sums};
use crate::fold::{Change, FailedFold};
use crate::parked::Place;
use crate::projection::Projection;
use crate::value::Value;
use crate::write::refused::{is_of_the_data, why_refused};
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

pub(super) struct Part<E> {
    pub(crate) projection: Arc<Projection<E>>,
    pub(crate) part: u64,
    pub(crate) parts: u64,
    pub(crate) aside: Arc<Aside>,
    /// Bytes that its rows may take in memory, about, beside those that are being written.
    pub(crate) budget: usize,
    pub(crate) tables: Arc<Vec<TableSql>>,
    pub(super) loader: Loader,
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
            share.leftover.refused(self.loader.refused());
            if share.leftover.is_too_much() {
                return Err(too_much(&share.leftover));
            }
            self.write_past(&mut past, PAST_ROWS)?;
            if folds.iter().map(|fold| fold.weight()).sum::<usize>() > self.budget {
                self.let_go(&mut folds, false, &mut share)?;
            }
        }
        self.let_go(&mut folds, true, &mut share)?;
        self.write_past(&mut past, 0)?;
        share.leftover.refused(self.loader.end()?);
        Ok(share)
    }

    fn fold(
        &mut self,
        view: usize,
        fold: &mut (dyn BulkFold<E> + '_),
        chunk: &Chunk<E>,
        (sums, past): (&mut Sums, &mut PastOf),
    ) -> Result<(), BuildError> {
        let missing = fold.begin(chunk);
        if !missing.is_empty() {
            let keys: Vec<&[Value]> = missing.iter().map(Vec::as_slice).collect();
            for row in self.loader.read(view, &keys)? {
                let index = row.index;
                fold.put(&missing[index], row, sums).map_err(|failed| without_event(&failed))?;
            }
        }
        fold.fold(chunk, past);
        Ok(())
    }

    /// Writes rows that leave memory.
    fn let_go(
        &mut self,
        folds: &mut [Box<dyn BulkFold<E> + '_>],
        all: bool,
        share: &mut Share,
    ) -> Result<(), BuildError> {
        let mut batches = Vec::new();
        for (view, fold) in folds.iter_mut().enumerate() {
            let changes = fold.let_go(all, &mut share.sums);
            share.leftover.append(fold.leftover());
            for change in &changes {
                let (before, after) = (change.before.as_deref(), change.after.as_deref());
                share.checksums[view].replace(fold.table(), &change.key, before, after);
            }
            let (fresh, known): (Vec<Change>, Vec<Change>) =
                changes.into_iter().partition(|change| change.before.is_none());
            let changes = [fresh, known].into_iter().filter(|changes| !changes.is_empty());
            batches.extend(changes.map(|changes| Batch::Rows(view, changes)));
        }
        self.loader.write(batches)
    }

    /// Writes what was noted of the tables of which there are more rows than these.
    fn write_past(&mut self, past: &mut PastOf, more_than: usize) -> Result<(), BuildError> {
        let tables = past.rows.iter_mut().chain(&mut past.sums).enumerate();
        let batches = tables.filter_map(|(view, rows)| {
            let rows = rows.as_mut().filter(|rows| rows.len() > more_than)?;
            Some(Batch::Past(view, std::mem::take(rows)))
        });
        self.loader.write(batches.collect())
    }
}

impl Leftover {
    /// A row is told once, however many of its states are refused.
    fn refused(&mut self, refused: Vec<(Place, String)>) {
        for (place, reason) in refused {
            if !self.failed.iter().any(|(known, _)| *known == place) {
                self.failed.push((place, reason));
            }
        }
    }
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
