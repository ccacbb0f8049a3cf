//! All views of a projection over one batch.

use std::sync::Arc;

use super::entity::{EntityFold, Outcome};
use super::summary::SummaryFold;
use super::{Change, FailedFold, Past};
use crate::event::Recorded;
use crate::parked::{Stuck, Turn};
use crate::projection::Projection;
use crate::value::Value;
use crate::write::rows::{Loaded, Rows};
use crate::write::sql::Keeps;

/// What a batch does to the tables of a projection, in the order of [`Projection::tables`].
#[derive(Default)]
pub(crate) struct Folded {
    pub(crate) changes: Vec<Vec<Change>>,
    /// What the rows of each were, where that is kept.
    pub(crate) past: Vec<Vec<Past>>,
    /// By number of the event: whether a view folded it into a row.
    pub(crate) applied: Vec<bool>,
    /// What waits: rows that could not be folded are left as they were before the event that failed.
    pub(crate) stuck: Stuck,
}

/// Folds the events upon the stored rows. The outer error is the database's; the inner one is of a row that turned out
/// wrong only when all was folded, so that nothing of the batch can be used.
pub(crate) async fn fold_batch<E: Send + Sync + 'static>(
    projection: &Projection<E>,
    events: &[Arc<Recorded<E>>],
    rows: &Rows<'_>,
    turn: Turn<'_>,
) -> Result<Result<Folded, FailedFold>, tokio_postgres::Error> {
    let mut folds = Vec::with_capacity(projection.entities.len());
    for (view, entity) in projection.entities.iter().enumerate() {
        let mut fold = entity.begin(view, events, turn, rows.tables[view].keeps == Keeps::Rows);
        let (slots, keys): (Vec<usize>, Vec<&[Value]>) = fold.keys().into_iter().unzip();
        let loaded = rows.load(view, &keys).await?;
        loaded.into_iter().for_each(|row| fold.put(slots[row.index], row.values, row.since));
        folds.push(fold);
    }
    // Event by event, so that no view sees one before all views have folded the one before.
    let mut outcome = Outcome::default();
    let mut applied = Vec::with_capacity(events.len());
    for (number, event) in events.iter().enumerate() {
        let of_views = folds.iter_mut().map(|fold| fold.fold(number, event, &mut outcome));
        applied.push(of_views.fold(false, |any, of_view| any | of_view));
    }
    let Outcome { sums, stuck } = outcome;

    let mut summaries = Vec::with_capacity(projection.summaries.len());
    for (index, &table) in projection.summaries.iter().enumerate() {
        let view = projection.entities.len() + index;
        let keeps_past = rows.tables[view].keeps == Keeps::Sums;
        let mut fold = SummaryFold::begin(table, sums.iter().filter(|sum| sum.summary == index), keeps_past);
        let stored = rows.load(view, &fold.keys()).await?;
        if let Err(unreadable) = put_all(&mut fold, &stored) {
            return Ok(Err(unreadable));
        }
        summaries.push(fold);
    }
    // Contributions stand in the order of their events, so the first sum that overflows is the first failure.
    for sum in &sums {
        if let Err(overflow) = summaries[sum.summary].add(sum) {
            let (view, slot) = sum.from;
            return Ok(Err(overflow.at(view, folds[view].key(slot))));
        }
    }
    Ok(collect(folds, summaries).map(|(changes, past)| Folded { changes, past, applied, stuck }))
}

fn put_all(fold: &mut SummaryFold, stored: &[Loaded]) -> Result<(), FailedFold> {
    stored.iter().try_for_each(|row| fold.put(row.index, &row.values))
}

/// By table, in their order.
type OfTables = (Vec<Vec<Change>>, Vec<Vec<Past>>);

fn collect<E>(
    folds: Vec<Box<dyn EntityFold<E> + '_>>,
    summaries: Vec<SummaryFold>,
) -> Result<OfTables, FailedFold> {
    let mut changes = folds.into_iter().map(|fold| fold.changes()).collect::<Result<Vec<_>, _>>()?;
    changes.extend(summaries.into_iter().map(SummaryFold::changes));
    Ok(changes.into_iter().unzip())
}
