//! One summary view's part of a batch.

use std::collections::HashMap;

use contract::LogPosition;

use super::entity::Contribution;
use super::{Change, FailedFold, Past, check};
use crate::error::FoldError;
use crate::table::Table;
use crate::value::Value;

const OVERFLOWS: &str = "the sum overflows";

struct Slot {
    key: Vec<Value>,
    before: Option<Vec<i64>>,
    sums: Vec<i64>,
    changed: LogPosition,
    first_named: usize,
}

/// The sums that a batch changes. Rows are known by their slot, counted from 0 in the order of [`SummaryFold::keys`].
pub(crate) struct SummaryFold {
    table: &'static Table,
    slots: Vec<Slot>,
    by_key: HashMap<Vec<Value>, usize>,
    /// What was added, if that is kept.
    past: Option<Vec<Past>>,
}

impl SummaryFold {
    /// Starts with the keys of the contributions to this summary; with what was added, if that is kept.
    pub(crate) fn begin<'c>(
        table: &'static Table,
        contributions: impl Iterator<Item = &'c Contribution>,
        keeps_past: bool,
    ) -> SummaryFold {
        let past = keeps_past.then(Vec::new);
        let mut fold = SummaryFold { table, slots: Vec::new(), by_key: HashMap::new(), past };
        for contribution in contributions {
            fold.by_key.entry(contribution.key.clone()).or_insert_with(|| {
                fold.slots.push(Slot {
                    key: contribution.key.clone(),
                    before: None,
                    sums: vec![0; table.data.len()],
                    changed: contribution.position,
                    first_named: contribution.number,
                });
                fold.slots.len() - 1
            });
        }
        fold
    }

    /// The keys of the rows to load.
    pub(crate) fn keys(&self) -> Vec<&[Value]> {
        self.slots.iter().map(|slot| slot.key.as_slice()).collect()
    }

    /// Puts a stored row into its slot.
    pub(crate) fn put(&mut self, slot: usize, values: &[Value]) -> Result<(), FailedFold> {
        let slot = &mut self.slots[slot];
        let sums: Option<Vec<i64>> = values
            .iter()
            .map(|value| match value {
                Value::BigInt(sum) => Some(*sum),
                _ => None,
            })
            .collect();
        let Some(sums) = sums else {
            let error = FoldError::new("the stored sums cannot be read");
            return Err(FailedFold::new(slot.first_named, self.table, &slot.key, &error));
        };
        slot.before = Some(sums.clone());
        slot.sums = sums;
        Ok(())
    }

    /// Adds one contribution.
    pub(crate) fn add(&mut self, contribution: &Contribution) -> Result<(), FailedFold> {
        let slot = &mut self.slots[self.by_key[&contribution.key]];
        let failed = |reason: &str| {
            FailedFold::new(contribution.number, self.table, &contribution.key, &FoldError::new(reason))
        };
        check(self.table.key, &slot.key)
            .map_err(|error| FailedFold::new(contribution.number, self.table, &contribution.key, &error))?;
        if contribution.amounts.len() != slot.sums.len() {
            return Err(failed("a contribution has another number of amounts than the table"));
        }
        for (sum, amount) in slot.sums.iter_mut().zip(&contribution.amounts) {
            *sum = i64::try_from(i128::from(*sum) + amount).map_err(|_| failed(OVERFLOWS))?;
        }
        if let Some(past) = &mut self.past {
            let added = Past::added(&contribution.key, &contribution.amounts, contribution.position);
            past.push(added.ok_or_else(|| failed(OVERFLOWS))?);
        }
        slot.changed = contribution.position;
        Ok(())
    }

    /// What the batch changed, and what was added; a row whose sums are all zero goes.
    pub(crate) fn changes(self) -> (Vec<Change>, Vec<Past>) {
        let stored = |sums: Vec<i64>| sums.into_iter().map(Value::BigInt).collect::<Vec<_>>();
        let changes = self.slots.into_iter().map(|slot| Change {
            key: slot.key,
            before: slot.before.map(stored),
            after: slot.sums.iter().any(|sum| *sum != 0).then(|| stored(slot.sums)),
            position: slot.changed,
            since: slot.changed,
        });
        let changes = changes.filter(|change| change.before.is_some() || change.after.is_some()).collect();
        (changes, self.past.unwrap_or_default())
    }
}
