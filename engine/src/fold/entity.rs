//! One entity view's part of a batch.

use std::collections::HashMap;
use std::sync::Arc;

use contract::LogPosition;

use super::bulk::{BulkEntity, BulkFold, RowsAside};
use super::{Change, FailedFold, Past, check, why};
use crate::error::FoldError;
use crate::event::Recorded;
use crate::law::{NaiveEntity, NaiveFold};
use crate::parked::{NewlyParked, Place, Stuck, Turn, Waiting};
use crate::projection::{Contributor, Entity};
use crate::table::Table;
use crate::value::Value;
use crate::view::EntityView;

/// An entity view without its types.
pub(crate) trait AnyEntity<E>: Send + Sync {
    fn table(&self) -> &'static Table;

    /// Starts a batch: which rows its events need. The view has this number in its projection. With what rows were, if
    /// that is kept.
    fn begin<'v>(
        &'v self,
        view: usize,
        events: &[Arc<Recorded<E>>],
        turn: Turn<'_>,
        keeps_past: bool,
    ) -> Box<dyn EntityFold<E> + 'v>;

    /// Starts a fold of all history, of the keys of one part of so many, but for the rows that are put aside.
    fn bulk<'v>(&'v self, view: usize, share: (u64, u64), aside: &'v RowsAside) -> Box<dyn BulkFold<E> + 'v>;

    /// Starts a fold from nothing that keeps all rows in memory.
    fn naive<'v>(&'v self) -> Box<dyn NaiveFold<E> + 'v>;
}

/// A batch in work. Rows are known by their slot, counted from 0 in the order of [`EntityFold::keys`].
pub(crate) trait EntityFold<E>: Send {
    /// The keys of the rows to load, each with its slot.
    fn keys(&self) -> Vec<(usize, &[Value])>;

    /// The key of a slot.
    fn key(&self, slot: usize) -> &[Value];

    /// Puts a stored row into its slot, which the event at this position made what it is.
    fn put(&mut self, slot: usize, values: Vec<Value>, since: LogPosition);

    /// Folds the event of this number and says whether it changed or could have changed a row. What its rows add to
    /// summaries is appended, and so is what cannot be folded: the row as it was before stays.
    fn fold(&mut self, number: usize, event: &Recorded<E>, into: &mut Outcome) -> bool;

    /// What the batch changed, and what the rows were.
    fn changes(self: Box<Self>) -> Result<(Vec<Change>, Vec<Past>), FailedFold>;
}

/// What folding entity rows brings besides the rows.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) sums: Vec<Contribution>,
    pub(crate) stuck: Stuck,
}

/// What one event adds to one row of a summary, by way of one entity row.
#[derive(Debug)]
pub(crate) struct Contribution {
    /// The entity view, and its slot.
    pub(crate) from: (usize, usize),
    /// The event's number in the batch.
    pub(crate) number: usize,
    pub(crate) position: LogPosition,
    /// Which of the projection's summaries.
    pub(crate) summary: usize,
    pub(crate) key: Vec<Value>,
    pub(crate) amounts: Vec<i128>,
}

struct Slot<V: EntityView> {
    key: V::Key,
    stored_key: Vec<Value>,
    before: Option<Vec<Value>>,
    row: Option<V::Row>,
    /// The event that made the row what it is.
    since: LogPosition,
    /// The number and position of the last event that changed the row in this batch.
    changed: Option<(usize, LogPosition)>,
    /// From this event on it waits.
    parked: Option<LogPosition>,
    /// Why the stored row cannot be read, so that the first event fails.
    unreadable: Option<FoldError>,
    /// The position of the first event that names it.
    first_named: LogPosition,
}

struct Batch<'v, V: EntityView> {
    view: &'v V,
    /// Of the projection.
    number: usize,
    contributors: &'v [Contributor<V>],
    slots: Vec<Slot<V>>,
    /// By number of the event: the slots it names.
    named: Vec<Vec<usize>>,
    /// What the rows were, if that is kept: each with the slot.
    past: Option<Vec<(usize, Past)>>,
}

impl<V: EntityView> AnyEntity<V::Event> for Entity<V> {
    fn table(&self) -> &'static Table {
        self.view.table()
    }

    fn begin<'v>(
        &'v self,
        view: usize,
        events: &[Arc<Recorded<V::Event>>],
        turn: Turn<'_>,
        keeps_past: bool,
    ) -> Box<dyn EntityFold<V::Event> + 'v> {
        let mut slots: Vec<Slot<V>> = Vec::new();
        let mut by_key: HashMap<Vec<Value>, usize> = HashMap::new();
        let mut named = Vec::with_capacity(events.len());
        for event in events {
            let mut of_event = Vec::new();
            for key in self.view.keys(event) {
                let stored_key = self.view.store_key(&key);
                if !turn.takes(view, &stored_key) {
                    continue;
                }
                let slot = *by_key.entry(stored_key).or_insert_with_key(|stored_key| {
                    slots.push(Slot {
                        key,
                        stored_key: stored_key.clone(),
                        before: None,
                        row: None,
                        since: LogPosition::START,
                        changed: None,
                        parked: turn.parked(view, stored_key),
                        unreadable: None,
                        first_named: event.position,
                    });
                    slots.len() - 1
                });
                if !of_event.contains(&slot) {
                    of_event.push(slot);
                }
            }
            named.push(of_event);
        }
        let (entity, contributors) = (&*self.view, self.contributors.as_slice());
        let past = keeps_past.then(Vec::new);
        Box::new(Batch { view: entity, number: view, contributors, slots, named, past })
    }

    fn bulk<'v>(
        &'v self,
        view: usize,
        share: (u64, u64),
        aside: &'v RowsAside,
    ) -> Box<dyn BulkFold<V::Event> + 'v> {
        Box::new(BulkEntity::new(self, view, share, aside))
    }

    fn naive<'v>(&'v self) -> Box<dyn NaiveFold<V::Event> + 'v> {
        Box::new(NaiveEntity { entity: self, rows: HashMap::new() })
    }
}

impl<V: EntityView> EntityFold<V::Event> for Batch<'_, V> {
    fn keys(&self) -> Vec<(usize, &[Value])> {
        let slots = self.slots.iter().enumerate();
        // One that waits from its first event on is not touched, and perhaps Postgres does not even take its key.
        let needed = slots.filter(|(_, slot)| slot.parked.is_none_or(|from| from > slot.first_named));
        needed.map(|(index, slot)| (index, slot.stored_key.as_slice())).collect()
    }

    fn key(&self, slot: usize) -> &[Value] {
        &self.slots[slot].stored_key
    }

    fn put(&mut self, slot: usize, values: Vec<Value>, since: LogPosition) {
        let slot = &mut self.slots[slot];
        slot.since = since;
        match self.view.load(&slot.key, values.clone()) {
            Ok(row) => {
                slot.row = Some(row);
                slot.before = Some(values);
            }
            Err(error) => {
                slot.unreadable = Some(FoldError::new(format!("the stored row cannot be read: {error}")));
            }
        }
    }

    fn fold(&mut self, number: usize, event: &Recorded<V::Event>, into: &mut Outcome) -> bool {
        let mut is_applied = false;
        for &index in &self.named[number] {
            let slot = &mut self.slots[index];
            let place = |slot: &Slot<V>| Place::Row { view: self.number, key: slot.stored_key.clone() };
            if slot.parked.is_some_and(|from| from <= event.position) {
                into.stuck.waiting.push(Waiting::of(place(slot), event));
                continue;
            }
            let before = slot.row.clone();
            let folded = match slot.unreadable.take() {
                Some(error) => Err(error),
                None => self.view.fold(&slot.key, slot.row.take(), event),
            };
            let after = match folded {
                Ok(after) => after,
                Err(error) => {
                    let reason = why(self.view.table(), &slot.stored_key, &error);
                    slot.row = before;
                    slot.parked = Some(event.position);
                    into.stuck.parked.push(NewlyParked { place: place(slot), event: event.into(), reason });
                    into.stuck.waiting.push(Waiting::of(place(slot), event));
                    continue;
                }
            };
            is_applied = true;
            if before != after {
                if let (Some(past), Some(before)) = (&mut self.past, &before) {
                    let (key, values) = (slot.stored_key.clone(), self.view.store(before));
                    past.push((index, Past { key, values, since: slot.since, until: Some(event.position) }));
                }
                slot.changed = Some((number, event.position));
                slot.since = event.position;
                for contributor in self.contributors {
                    contribute(contributor, &slot.key, before.as_ref(), after.as_ref(), |key, amounts| {
                        let (position, summary) = (event.position, contributor.summary);
                        let from = (self.number, index);
                        into.sums.push(Contribution { from, number, position, summary, key, amounts });
                    });
                }
            }
            slot.row = after;
        }
        is_applied
    }

    fn changes(self: Box<Self>) -> Result<(Vec<Change>, Vec<Past>), FailedFold> {
        let table = self.view.table();
        for (slot, past) in self.past.iter().flatten() {
            let slot = &self.slots[*slot];
            let number = slot.changed.map_or(0, |(number, _)| number);
            check(table.data, &past.values).map_err(|error| {
                FailedFold::new(number, table, &slot.stored_key, &error).at(self.number, &slot.stored_key)
            })?;
        }
        let past = self.past.into_iter().flatten().map(|(_, past)| past).collect();
        let mut changes = Vec::with_capacity(self.slots.len());
        for slot in self.slots {
            let Some((number, position)) = slot.changed else { continue };
            let after = slot.row.map(|row| self.view.store(&row));
            let fits = check(table.key, &slot.stored_key)
                .and_then(|()| after.as_ref().map_or(Ok(()), |after| check(table.data, after)));
            fits.map_err(|error| {
                FailedFold::new(number, table, &slot.stored_key, &error).at(self.number, &slot.stored_key)
            })?;
            if slot.before.is_some() || after.is_some() {
                let since = position;
                changes.push(Change { key: slot.stored_key, before: slot.before, after, position, since });
            }
        }
        Ok((changes, past))
    }
}

/// The contributions of the row after less those of the row before, by key, without those that come to nothing.
pub(super) fn contribute<V: EntityView>(
    contributor: &Contributor<V>,
    key: &V::Key,
    before: Option<&V::Row>,
    after: Option<&V::Row>,
    mut emit: impl FnMut(Vec<Value>, Vec<i128>),
) {
    // An order may have thousands of lines, so keys are found by hash; they are told in the order they came.
    let mut net: HashMap<Vec<Value>, (usize, Vec<i128>)> = HashMap::new();
    for (row, sign) in [(after, 1), (before, -1)] {
        let Some(row) = row else { continue };
        for (summary_key, amounts) in (contributor.contributions)(key, row) {
            let place = net.len();
            let (_, sums) = net.entry(summary_key).or_insert_with(|| (place, vec![0; amounts.len()]));
            sums.iter_mut().zip(amounts).for_each(|(sum, amount)| *sum += i128::from(amount) * sign);
        }
    }
    let mut net: Vec<_> = net.into_iter().collect();
    net.sort_unstable_by_key(|(_, (place, _))| *place);
    for (summary_key, (_, amounts)) in net {
        if amounts.iter().any(|amount| *amount != 0) {
            emit(summary_key, amounts);
        }
    }
}
