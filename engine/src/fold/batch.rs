//! All views of a projection over one batch.

use std::sync::Arc;

use super::entity::{Contribution, EntityFold};
use super::summary::SummaryFold;
use super::{Change, FailedFold};
use crate::event::Recorded;
use crate::projection::Projection;
use crate::value::Value;
use crate::write::rows::Rows;

/// What a batch does to the tables of a projection, in the order of [`Projection::tables`].
pub(crate) struct Folded {
    pub(crate) changes: Vec<Vec<Change>>,
    /// By number of the event: whether a view named a row for it.
    pub(crate) applied: Vec<bool>,
}

/// Folds the events upon the stored rows. The outer error is the database's, the inner one the fold's.
pub(crate) async fn fold_batch<E: Send + Sync + 'static>(
    projection: &Projection<E>,
    events: &[Arc<Recorded<E>>],
    rows: &Rows<'_>,
) -> Result<Result<Folded, FailedFold>, tokio_postgres::Error> {
    let mut folds = Vec::with_capacity(projection.entities.len());
    for (view, entity) in projection.entities.iter().enumerate() {
        let mut fold = entity.begin(events);
        for (slot, values) in rows.load(view, &fold.keys()).await? {
            if let Err(failed) = fold.put(slot, values) {
                return Ok(Err(failed));
            }
        }
        folds.push(fold);
    }
    let mut sums = Vec::new();
    let (applied, mut failed) = fold_entities(&mut folds, events, &mut sums);

    let mut summaries = Vec::with_capacity(projection.summaries.len());
    for (index, &table) in projection.summaries.iter().enumerate() {
        let mut fold = SummaryFold::begin(table, sums.iter().filter(|sum| sum.summary == index));
        let stored = rows.load(projection.entities.len() + index, &fold.keys()).await?;
        if let Err(unreadable) = put_all(&mut fold, &stored) {
            return Ok(Err(unreadable));
        }
        summaries.push(fold);
    }
    // Contributions stand in the order of their events, and all are of events before the one that failed, so the
    // first sum that overflows is the first failure.
    if let Some(overflow) = sums.iter().find_map(|sum| summaries[sum.summary].add(sum).err()) {
        failed = Some(overflow);
    }
    Ok(match failed {
        Some(failed) => Err(failed),
        None => collect(folds, summaries).map(|changes| Folded { changes, applied }),
    })
}

/// Folds event by event until one fails, so that no view sees an event before all views have folded the one before.
fn fold_entities<E>(
    folds: &mut [Box<dyn EntityFold<E> + '_>],
    events: &[Arc<Recorded<E>>],
    sums: &mut Vec<Contribution>,
) -> (Vec<bool>, Option<FailedFold>) {
    let mut applied = Vec::with_capacity(events.len());
    for (number, event) in events.iter().enumerate() {
        let mut named = false;
        let sums_before = sums.len();
        for fold in &mut *folds {
            match fold.fold(number, event, sums) {
                Ok(of_view) => named |= of_view,
                Err(failed) => {
                    sums.truncate(sums_before);
                    return (applied, Some(failed));
                }
            }
        }
        applied.push(named);
    }
    (applied, None)
}

fn put_all(fold: &mut SummaryFold, stored: &[(usize, Vec<Value>)]) -> Result<(), FailedFold> {
    stored.iter().try_for_each(|(slot, values)| fold.put(*slot, values))
}

fn collect<E>(
    folds: Vec<Box<dyn EntityFold<E> + '_>>,
    summaries: Vec<SummaryFold>,
) -> Result<Vec<Vec<Change>>, FailedFold> {
    let mut changes = folds.into_iter().map(|fold| fold.changes()).collect::<Result<Vec<_>, _>>()?;
    changes.extend(summaries.into_iter().map(SummaryFold::changes));
    Ok(changes)
}
