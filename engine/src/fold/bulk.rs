//! One entity view's part of a fold of all history. Rows stay in memory for as long as there is room, and leave in
//! bulk; one that is needed again afterwards is read back.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use contract::LogPosition;
use xxhash_rust::xxh3::xxh3_64;

use super::entity::contribute;
use super::{Change, FailedFold, Past, check, why};
use crate::error::FoldError;
use crate::event::Recorded;
use crate::parked::{NewlyParked, PLACES_MAX, Place, Stuck, WAITING_MAX, Waiting};
use crate::projection::Entity;
use crate::table::Table;
use crate::value::Value;
use crate::view::EntityView;
use crate::write::rows::Loaded;
use crate::write::sql::{Keeps, TableSql};

/// What a row costs besides what its events brought, bytes: key, slot and places in two maps.
const ROW_BYTES: usize = 256;

/// Sums of summary views: which of the projection's, and by which key.
pub(crate) type Sums = HashMap<(usize, Vec<Value>), Sum>;

/// One row of a summary view in the making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) amounts: Vec<i128>,
    /// Of the last event that changed a row which contributes.
    pub(crate) position: LogPosition,
}

impl Sum {
    pub(crate) fn add(&mut self, amounts: &[i128], position: LogPosition) {
        self.amounts.iter_mut().zip(amounts).for_each(|(sum, amount)| *sum += amount);
        self.position = self.position.max(position);
    }
}

/// What is kept of the past of a projection's tables; none of those of which nothing is.
pub(crate) struct PastOf {
    /// By entity view: what its rows were.
    pub(crate) rows: Vec<Option<Vec<Past>>>,
    /// By summary view: what was added.
    pub(crate) sums: Vec<Option<Vec<Past>>>,
}

impl PastOf {
    /// Nothing yet, of these tables of a projection.
    pub(crate) fn new(tables: &[TableSql], entities: usize) -> Self {
        let of = |sql: &TableSql| (sql.keeps != Keeps::Nothing).then(Vec::new);
        let (rows, sums) = tables.split_at(entities);
        Self { rows: rows.iter().map(of).collect(), sums: sums.iter().map(of).collect() }
    }
}

/// Rows of an entity view that are put aside, because they cannot be folded or a person has decided about them: by key,
/// as they stand in the version in use.
pub(crate) type RowsAside = HashMap<Vec<Value>, Option<Vec<Value>>>;

/// What a fold of all history leaves over.
#[derive(Debug, Default)]
pub(crate) struct Leftover {
    /// The rows that were put aside, from their first event on.
    pub(crate) stuck: Stuck,
    /// Rows that have to be put aside, so that nothing of this fold can be used; and why.
    pub(crate) failed: Vec<(Place, String)>,
    /// Rows of summaries to which the rows put aside contribute, as they stand in the version in use.
    pub(crate) touched: HashSet<(usize, Vec<Value>)>,
    /// A row in use cannot be read, so it is not known which they are.
    pub(crate) is_touched_unknown: bool,
}

impl Leftover {
    pub(crate) fn append(&mut self, mut other: Leftover) {
        self.stuck.parked.append(&mut other.stuck.parked);
        self.stuck.waiting.append(&mut other.stuck.waiting);
        self.failed.append(&mut other.failed);
        self.touched.extend(other.touched);
        self.is_touched_unknown |= other.is_touched_unknown;
    }

    /// Whether it is more than may be parked.
    pub(crate) fn is_too_much(&self) -> bool {
        self.failed.len() > PLACES_MAX || self.stuck.waiting.len() > WAITING_MAX
    }
}

/// An entity view without its types.
pub(crate) trait BulkFold<E> {
    fn table(&self) -> &'static Table;

    /// Takes the next events, each with the bytes of its data, and gives the keys of the rows that left and are needed
    /// again.
    fn begin(&mut self, events: &[(Arc<Recorded<E>>, usize)]) -> Vec<Vec<Value>>;

    /// Puts a row back that left; what it contributed is taken out of the sums.
    fn put(&mut self, key: &[Value], row: Loaded, sums: &mut Sums) -> Result<(), FailedFold>;

    /// Folds the events that were taken, and notes what rows were and what was added to sums.
    fn fold(&mut self, events: &[(Arc<Recorded<E>>, usize)], past: &mut PastOf);

    /// Bytes that the rows in memory take, about.
    fn weight(&self) -> usize;

    /// Lets rows go, the half that was needed least lately or all, and adds what they contribute to the sums.
    fn let_go(&mut self, all: bool, sums: &mut Sums) -> Vec<Change>;

    /// What could not be folded since this was asked last.
    fn leftover(&mut self) -> Leftover;
}

struct Slot<V: EntityView> {
    key: V::Key,
    stored_key: Vec<Value>,
    hash: u64,
    /// As it stands in its table.
    before: Option<Vec<Value>>,
    row: Option<V::Row>,
    /// Of the last event that changed the row since it came into memory.
    changed: Option<LogPosition>,
    /// Of the event that made the row what it is.
    since: LogPosition,
    weight: usize,
    /// When it was needed last, in batches.
    needed: u64,
    has_failed: bool,
}

pub(crate) struct BulkEntity<'v, V: EntityView> {
    entity: &'v Entity<V>,
    /// Of the projection.
    view: usize,
    aside: &'v RowsAside,
    /// Of those aside, whose first event has come.
    has_come: HashSet<Vec<Value>>,
    /// Those that have failed are told once, however often they leave memory.
    has_failed: HashSet<Vec<Value>>,
    leftover: Leftover,
    part: u64,
    parts: u64,
    slots: Vec<Option<Slot<V>>>,
    free: Vec<usize>,
    by_key: HashMap<Vec<Value>, usize>,
    /// Number of the event in its batch, and slot, in the order of the events.
    named: Vec<(usize, usize)>,
    /// Hashes of the keys whose rows left. Two keys of one hash cost a look at the table.
    left: HashSet<u64>,
    weight: usize,
    batches: u64,
}

impl<'v, V: EntityView> BulkEntity<'v, V> {
    pub(super) fn new(
        entity: &'v Entity<V>,
        view: usize,
        (part, parts): (u64, u64),
        aside: &'v RowsAside,
    ) -> Self {
        Self {
            entity,
            view,
            aside,
            has_come: HashSet::new(),
            has_failed: HashSet::new(),
            leftover: Leftover::default(),
            part,
            parts,
            slots: Vec::new(),
            free: Vec::new(),
            by_key: HashMap::new(),
            named: Vec::new(),
            left: HashSet::new(),
            weight: 0,
            batches: 0,
        }
    }

    /// The slot of a key of this part, and whether its row has to be read back first; none for one that is put aside.
    fn slot(
        &mut self,
        key: V::Key,
        event: &Recorded<V::Event>,
        buffer: &mut Vec<u8>,
    ) -> Option<(usize, bool)> {
        let stored_key = self.entity.view.store_key(&key);
        buffer.clear();
        stored_key.iter().for_each(|value| value.canonical(buffer));
        let hash = xxh3_64(buffer);
        // The high bits, for the low ones order the keys within the maps.
        if (hash >> 32) % self.parts != self.part {
            return None;
        }
        if let Some(&slot) = self.by_key.get(&stored_key) {
            return Some((slot, false));
        }
        if self.aside.contains_key(&stored_key) {
            self.put_aside(&key, stored_key, event);
            return None;
        }
        let fresh = Slot {
            key,
            stored_key: stored_key.clone(),
            hash,
            before: None,
            row: None,
            changed: None,
            since: LogPosition::START,
            weight: ROW_BYTES,
            needed: 0,
            has_failed: false,
        };
        self.weight += ROW_BYTES;
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.slots.push(None);
                self.slots.len() - 1
            }
        };
        self.slots[slot] = Some(fresh);
        self.by_key.insert(stored_key, slot);
        Some((slot, self.left.contains(&hash)))
    }

    /// Lets an event wait.
    fn put_aside(&mut self, key: &V::Key, stored_key: Vec<Value>, event: &Recorded<V::Event>) {
        let place = Place::Row { view: self.view, key: stored_key.clone() };
        if self.has_come.insert(stored_key.clone()) {
            if let Some(Some(in_use)) = self.aside.get(&stored_key) {
                match self.entity.view.load(key, in_use.clone()) {
                    Ok(row) => self.leftover.touched.extend(self.entity.contributors.iter().flat_map(|of| {
                        (of.contributions)(key, &row).into_iter().map(|(sum, _)| (of.summary, sum))
                    })),
                    Err(_) => self.leftover.is_touched_unknown = true,
                }
            }
            let reason = "put aside while the version was built".to_owned();
            self.leftover.stuck.parked.push(NewlyParked {
                place: place.clone(),
                event: event.into(),
                reason,
            });
        }
        self.leftover.stuck.waiting.push(Waiting::of(place, event));
    }

    fn fail(&mut self, stored_key: Vec<Value>, error: &FoldError) {
        if self.has_failed.insert(stored_key.clone()) {
            let reason = why(self.entity.view.table(), &stored_key, error);
            self.leftover.failed.push((Place::Row { view: self.view, key: stored_key }, reason));
        }
    }

    /// The batch before which slots are to go.
    fn limit(&self, all: bool) -> u64 {
        if all {
            return u64::MAX;
        }
        let mut needed: Vec<u64> = self.slots.iter().flatten().map(|slot| slot.needed).collect();
        let middle = needed.len() / 2;
        if needed.is_empty() { 0 } else { *needed.select_nth_unstable(middle).1 + 1 }
    }

    fn leave(&mut self, slot: Slot<V>, sums: &mut Sums) -> Option<Change> {
        self.weight -= slot.weight;
        self.by_key.remove(&slot.stored_key);
        let position = slot.changed.unwrap_or_default();
        if let Some(row) = &slot.row {
            self.contribute(&slot.key, row, 1, position, sums);
        }
        let after = slot.row.map(|row| self.entity.view.store(&row));
        let table = self.entity.view.table();
        let fits = check(table.key, &slot.stored_key)
            .and_then(|()| after.as_ref().map_or(Ok(()), |after| check(table.data, after)));
        if let Err(error) = fits {
            self.fail(slot.stored_key, &error);
            return None;
        }
        // Never taken out again: another key may have the same hash.
        if after.is_some() {
            self.left.insert(slot.hash);
        }
        let changed = slot.changed.is_some() && (slot.before.is_some() || after.is_some());
        changed.then_some(Change {
            key: slot.stored_key,
            before: slot.before,
            after,
            position,
            since: position,
        })
    }

    fn contribute(&self, key: &V::Key, row: &V::Row, sign: i128, position: LogPosition, sums: &mut Sums) {
        for contributor in &self.entity.contributors {
            for (summary_key, amounts) in (contributor.contributions)(key, row) {
                let amounts: Vec<i128> =
                    amounts.into_iter().map(|amount| i128::from(amount) * sign).collect();
                sums.entry((contributor.summary, summary_key))
                    .or_insert_with(|| Sum { amounts: vec![0; amounts.len()], position })
                    .add(&amounts, position);
            }
        }
    }
}

impl<V: EntityView> BulkFold<V::Event> for BulkEntity<'_, V> {
    fn table(&self) -> &'static Table {
        self.entity.view.table()
    }

    fn begin(&mut self, events: &[(Arc<Recorded<V::Event>>, usize)]) -> Vec<Vec<Value>> {
        self.batches += 1;
        self.named.clear();
        let (mut missing, mut buffer) = (Vec::new(), Vec::new());
        for (number, (event, bytes)) in events.iter().enumerate() {
            let first = self.named.len();
            for key in self.entity.view.keys(event) {
                let Some((at, has_left)) = self.slot(key, event, &mut buffer) else { continue };
                if self.named[first..].iter().any(|(_, named)| *named == at) {
                    continue;
                }
                self.named.push((number, at));
                let Some(slot) = &mut self.slots[at] else { continue };
                slot.weight += bytes;
                slot.needed = self.batches;
                self.weight += bytes;
                if has_left {
                    missing.push(slot.stored_key.clone());
                }
            }
        }
        missing
    }

    fn put(&mut self, key: &[Value], row: Loaded, sums: &mut Sums) -> Result<(), FailedFold> {
        let Some(&at) = self.by_key.get(key) else { return Ok(()) };
        let Some(mut slot) = self.slots[at].take() else { return Ok(()) };
        let loaded = self.entity.view.load(&slot.key, row.values.clone()).map_err(|error| {
            let error = FoldError::new(format!("the stored row cannot be read: {error}"));
            FailedFold::new(0, self.entity.view.table(), &slot.stored_key, &error)
        })?;
        self.contribute(&slot.key, &loaded, -1, LogPosition::START, sums);
        (slot.row, slot.before, slot.since) = (Some(loaded), Some(row.values), row.since);
        self.slots[at] = Some(slot);
        Ok(())
    }

    fn fold(&mut self, events: &[(Arc<Recorded<V::Event>>, usize)], past: &mut PastOf) {
        let mut failed = Vec::new();
        for &(number, at) in &self.named {
            let Some(slot) = &mut self.slots[at] else { continue };
            if slot.has_failed {
                continue;
            }
            let event = &events[number].0;
            let before = slot.row.take();
            match self.entity.view.fold(&slot.key, before.clone(), event) {
                Ok(after) => {
                    slot.row = after;
                    if before != slot.row {
                        let noted =
                            note_past(self.entity, self.view, slot, before.as_ref(), event.position, past);
                        if let Err(error) = noted {
                            slot.has_failed = true;
                            failed.push((slot.stored_key.clone(), error));
                        }
                        (slot.changed, slot.since) = (Some(event.position), event.position);
                    }
                }
                Err(error) => {
                    slot.has_failed = true;
                    failed.push((slot.stored_key.clone(), error));
                }
            }
        }
        failed.into_iter().for_each(|(key, error)| self.fail(key, &error));
    }

    fn weight(&self) -> usize {
        self.weight
    }

    fn let_go(&mut self, all: bool, sums: &mut Sums) -> Vec<Change> {
        let limit = self.limit(all);
        let mut changes = Vec::new();
        for at in 0..self.slots.len() {
            if let Some(slot) = self.slots[at].take_if(|slot| slot.needed < limit) {
                changes.extend(self.leave(slot, sums));
                self.free.push(at);
            }
        }
        changes
    }

    fn leftover(&mut self) -> Leftover {
        std::mem::take(&mut self.leftover)
    }
}

/// Notes what a row was and what its change adds to sums, where that is kept. The row of the slot is that after the event.
fn note_past<V: EntityView>(
    entity: &Entity<V>,
    view: usize,
    slot: &Slot<V>,
    before: Option<&V::Row>,
    position: LogPosition,
    past: &mut PastOf,
) -> Result<(), FoldError> {
    if let (Some(rows), Some(before)) = (&mut past.rows[view], before) {
        let values = entity.view.store(before);
        check(entity.view.table().data, &values)?;
        rows.push(Past { key: slot.stored_key.clone(), values, since: slot.since, until: Some(position) });
    }
    let mut overflow = false;
    for contributor in &entity.contributors {
        let Some(sums) = &mut past.sums[contributor.summary] else { continue };
        contribute(contributor, &slot.key, before, slot.row.as_ref(), |key, amounts| {
            match Past::added(&key, &amounts, position) {
                Some(added) => sums.push(added),
                None => overflow = true,
            }
        });
    }
    if overflow { Err(FoldError::new("what it adds to a sum overflows")) } else { Ok(()) }
}
