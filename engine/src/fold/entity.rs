//! One entity view's part of a batch.

use std::collections::HashMap;
use std::sync::Arc;

use contract::LogPosition;

use super::bulk::{BulkEntity, BulkFold};
use super::{Change, FailedFold, check};
use crate::error::FoldError;
use crate::event::Recorded;
use crate::law::{NaiveEntity, NaiveFold};
use crate::projection::{Contributor, Entity};
use crate::table::Table;
use crate::value::Value;
use crate::view::EntityView;

/// An entity view without its types.
pub(crate) trait AnyEntity<E>: Send + Sync {
    fn table(&self) -> &'static Table;

    /// Starts a batch: which rows its events need.
    fn begin<'v>(&'v self, events: &[Arc<Recorded<E>>]) -> Box<dyn EntityFold<E> + 'v>;

    /// Starts a fold of all history, of the keys of one part of so many.
    fn bulk<'v>(&'v self, part: u64, parts: u64) -> Box<dyn BulkFold<E> + 'v>;

    /// Starts a fold from nothing that keeps all rows in memory.
    fn naive<'v>(&'v self) -> Box<dyn NaiveFold<E> + 'v>;
}

/// A batch in work. Rows are known by their slot, counted from 0 in the order of [`EntityFold::keys`].
pub(crate) trait EntityFold<E>: Send {
    /// The keys of the rows to load.
    fn keys(&self) -> Vec<&[Value]>;

    /// Puts a stored row into its slot.
    fn put(&mut self, slot: usize, values: Vec<Value>) -> Result<(), FailedFold>;

    /// Folds the event of this number and says whether it named a row. What its rows add to summaries is appended.
    fn fold(
        &mut self,
        number: usize,
        event: &Recorded<E>,
        sums: &mut Vec<Contribution>,
    ) -> Result<bool, FailedFold>;

    /// What the batch changed.
    fn changes(self: Box<Self>) -> Result<Vec<Change>, FailedFold>;
}

/// What one event adds to one row of a summary, by way of one entity row.
#[derive(Debug)]
pub(crate) struct Contribution {
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
    /// The number and position of the last event that changed the row in this batch.
    changed: Option<(usize, LogPosition)>,
    first_named: usize,
}

struct Batch<'v, V: EntityView> {
    view: &'v V,
    contributors: &'v [Contributor<V>],
    slots: Vec<Slot<V>>,
    /// By number of the event: the slots it names.
    named: Vec<Vec<usize>>,
}

impl<V: EntityView> AnyEntity<V::Event> for Entity<V> {
    fn table(&self) -> &'static Table {
        self.view.table()
    }

    fn begin<'v>(&'v self, events: &[Arc<Recorded<V::Event>>]) -> Box<dyn EntityFold<V::Event> + 'v> {
        let mut slots: Vec<Slot<V>> = Vec::new();
        let mut by_key: HashMap<Vec<Value>, usize> = HashMap::new();
        let mut named = Vec::with_capacity(events.len());
        for (number, event) in events.iter().enumerate() {
            let mut of_event = Vec::new();
            for key in self.view.keys(event) {
                let stored_key = self.view.store_key(&key);
                let slot = *by_key.entry(stored_key).or_insert_with_key(|stored_key| {
                    let stored_key = stored_key.clone();
                    slots.push(Slot {
                        key,
                        stored_key,
                        before: None,
                        row: None,
                        changed: None,
                        first_named: number,
                    });
                    slots.len() - 1
                });
                if !of_event.contains(&slot) {
                    of_event.push(slot);
                }
            }
            named.push(of_event);
        }
        Box::new(Batch { view: &*self.view, contributors: &self.contributors, slots, named })
    }

    fn bulk<'v>(&'v self, part: u64, parts: u64) -> Box<dyn BulkFold<V::Event> + 'v> {
        Box::new(BulkEntity::new(self, part, parts))
    }

    fn naive<'v>(&'v self) -> Box<dyn NaiveFold<V::Event> + 'v> {
        Box::new(NaiveEntity { entity: self, rows: HashMap::new() })
    }
}

impl<V: EntityView> EntityFold<V::Event> for Batch<'_, V> {
    fn keys(&self) -> Vec<&[Value]> {
        self.slots.iter().map(|slot| slot.stored_key.as_slice()).collect()
    }

    fn put(&mut self, slot: usize, values: Vec<Value>) -> Result<(), FailedFold> {
        let slot = &mut self.slots[slot];
        match self.view.load(&slot.key, values.clone()) {
            Ok(row) => {
                slot.row = Some(row);
                slot.before = Some(values);
                Ok(())
            }
            Err(error) => {
                let error = FoldError::new(format!("the stored row cannot be read: {error}"));
                Err(FailedFold::new(slot.first_named, self.view.table(), &slot.stored_key, &error))
            }
        }
    }

    fn fold(
        &mut self,
        number: usize,
        event: &Recorded<V::Event>,
        sums: &mut Vec<Contribution>,
    ) -> Result<bool, FailedFold> {
        for &slot in &self.named[number] {
            let slot = &mut self.slots[slot];
            let before = slot.row.take();
            let after = self
                .view
                .fold(&slot.key, before.clone(), event)
                .map_err(|error| FailedFold::new(number, self.view.table(), &slot.stored_key, &error))?;
            if before != after {
                slot.changed = Some((number, event.position));
                for contributor in self.contributors {
                    contribute(contributor, &slot.key, before.as_ref(), after.as_ref(), |key, amounts| {
                        let (position, summary) = (event.position, contributor.summary);
                        sums.push(Contribution { number, position, summary, key, amounts });
                    });
                }
            }
            slot.row = after;
        }
        Ok(!self.named[number].is_empty())
    }

    fn changes(self: Box<Self>) -> Result<Vec<Change>, FailedFold> {
        let table = self.view.table();
        let mut changes = Vec::with_capacity(self.slots.len());
        for slot in self.slots {
            let Some((number, position)) = slot.changed else { continue };
            let after = slot.row.map(|row| self.view.store(&row));
            let fits = check(table.key, &slot.stored_key)
                .and_then(|()| after.as_ref().map_or(Ok(()), |after| check(table.data, after)));
            fits.map_err(|error| FailedFold::new(number, table, &slot.stored_key, &error))?;
            if slot.before.is_some() || after.is_some() {
                changes.push(Change { key: slot.stored_key, before: slot.before, after, position });
            }
        }
        Ok(changes)
    }
}

/// The contributions of the row after less those of the row before, by key, without those that come to nothing.
fn contribute<V: EntityView>(
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
