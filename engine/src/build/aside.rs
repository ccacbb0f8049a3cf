//! What a fold of all history puts aside: rows that are parked in the version in use, that a person has decided about, or
//! that turned out not to be foldable. The worker of the version folds them first of all, as it folds what is parked; the
//! comparison with the version in use leaves them out.

use std::collections::{BTreeSet, HashMap, HashSet};

use deadpool_postgres::{ClientWrapper, Pool};

use super::check::{self, InUse};
use super::session;
use crate::checksum::Checksums;
use crate::error::EngineError;
use crate::fold::bulk::{Leftover, RowsAside};
use crate::parked::Place;
use crate::parked::decision::Skips;
use crate::projection::Projection;
use crate::table::Table;
use crate::value::Value;
use crate::write::rows::Rows;
use crate::write::session::Session;
use crate::write::sql;

/// The rows put aside.
#[derive(Debug)]
pub(crate) struct Aside {
    /// By entity view.
    pub(crate) rows: Vec<RowsAside>,
    /// Views that have other columns in the version in use, so that nothing can be taken out of their checksums.
    whole: BTreeSet<&'static str>,
}

/// What a comparison leaves out.
#[derive(Debug, Default)]
pub(crate) struct LeftOut {
    /// Keys that are left out, by view: of entity views and of summaries.
    pub(crate) keys: HashMap<&'static str, HashSet<Vec<Value>>>,
    /// Views of which nothing is compared.
    pub(crate) whole: BTreeSet<&'static str>,
    /// How many rows of entity views, and of summaries.
    pub(crate) counts: (u64, u64),
}

/// The version in use, as it stood at one moment, for as long as it is needed.
pub(super) struct Snapshot {
    session: Session,
    pub(super) in_use: InUse,
}

impl Snapshot {
    /// None when the projection has no version in use.
    pub(super) async fn open<E: Send + Sync + 'static>(
        pool: &Pool,
        projection: &Projection<E>,
    ) -> Result<Option<Self>, EngineError> {
        let session = session::open(pool).await?;
        session.client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        let in_use = check::in_use(&session.client, projection.name).await?;
        Ok(in_use.map(|in_use| Self { session, in_use }))
    }

    pub(super) fn client(&self) -> &ClientWrapper {
        &self.session.client
    }

    /// What is put aside: what is known to fail, and what the version in use and decisions say.
    pub(super) async fn aside<E: Send + Sync + 'static>(
        &self,
        projection: &Projection<E>,
        known: &HashSet<Place>,
        skips: &Skips,
    ) -> Result<Aside, EngineError> {
        let places = places(projection, known, &self.in_use, skips);
        Aside::read(self.client(), projection, &self.in_use, places).await
    }

    /// Takes what is put aside out of the checksums of both versions.
    pub(super) async fn leave_out<E: Send + Sync + 'static>(
        &mut self,
        aside: &Aside,
        projection: &Projection<E>,
        leftover: &Leftover,
        built: (&ClientWrapper, i32, &mut [Checksums]),
    ) -> Result<LeftOut, EngineError> {
        let in_use = (&self.session.client, &mut self.in_use);
        aside.leave_out(projection, leftover, in_use, built).await
    }
}

/// The places to put aside: those known to fail, those parked in the version in use, and those decided about.
fn places<E: Send + Sync + 'static>(
    projection: &Projection<E>,
    known: &HashSet<Place>,
    in_use: &InUse,
    skips: &Skips,
) -> HashSet<Place> {
    let tables: Vec<&Table> = projection.tables().collect();
    let named = in_use.parked.iter().chain(skips.places());
    let rows = named.filter_map(|name| name.resolve(&tables));
    // A stream is parked at the event that does not decode, as it is when it is folded live.
    rows.filter(|place| matches!(place, Place::Row { .. })).chain(known.iter().cloned()).collect()
}

impl Aside {
    pub(super) fn is_empty(&self) -> bool {
        self.rows.iter().all(HashMap::is_empty)
    }

    /// Reads the rows as they stand in the version in use. The client sees it at the moment at which `in_use` was read.
    async fn read<E: Send + Sync + 'static>(
        client: &ClientWrapper,
        projection: &Projection<E>,
        in_use: &InUse,
        places: HashSet<Place>,
    ) -> Result<Self, EngineError> {
        let mut rows: Vec<RowsAside> = projection.entities.iter().map(|_| RowsAside::new()).collect();
        for place in places {
            if let Place::Row { view, key } = place
                && let Some(of_view) = rows.get_mut(view)
            {
                of_view.insert(key, None);
            }
        }
        let tables = sql::of_version(projection, in_use.version, false);
        let mut whole = BTreeSet::new();
        for (view, of_view) in rows.iter_mut().enumerate().filter(|(_, of_view)| !of_view.is_empty()) {
            let table = tables[view].table;
            // Without rows there are no checksums of columns either, and nothing to leave out.
            let Some(used) = in_use.checksums.get(table.name).filter(|used| used.rows > 0) else { continue };
            if !table.data.iter().all(|column| used.columns.contains_key(column.name)) {
                whole.insert(table.name);
                continue;
            }
            // A key that Postgres takes in no text has no row, and asking for it would end the snapshot.
            let keys: Vec<Vec<Value>> = of_view.keys().filter(|key| is_taken(key)).cloned().collect();
            let keys: Vec<&[Value]> = keys.iter().map(Vec::as_slice).collect();
            match (Rows { client, tables: &tables }).load(view, &keys).await {
                Ok(found) => {
                    for row in found {
                        of_view.insert(keys[row.index].to_vec(), Some(row.values));
                    }
                }
                Err(error) if error.code().is_none() => {
                    whole.insert(table.name);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Self { rows, whole })
    }

    /// Takes what is put aside out of the checksums of both versions, which are in the order of the tables.
    async fn leave_out<E: Send + Sync + 'static>(
        &self,
        projection: &Projection<E>,
        leftover: &Leftover,
        (snapshot, in_use): (&ClientWrapper, &mut InUse),
        (client, version, built): (&ClientWrapper, i32, &mut [Checksums]),
    ) -> Result<LeftOut, EngineError> {
        let mut left_out = LeftOut { whole: self.whole.clone(), ..LeftOut::default() };
        for (entity, aside) in projection.entities.iter().zip(&self.rows) {
            let table = entity.table();
            left_out.counts.0 += aside.len() as u64;
            left_out.keys.insert(table.name, aside.keys().cloned().collect());
            let Some(used) = in_use.checksums.get_mut(table.name) else { continue };
            for (key, row) in aside {
                used.replace(table, key, row.as_deref(), None);
            }
        }
        for (summary, key) in &leftover.touched {
            left_out.keys.entry(projection.summaries[*summary].name).or_default().insert(key.clone());
        }
        left_out.counts.1 = leftover.touched.len() as u64;
        let entities = projection.entities.len();
        let used_sql = sql::of_version(projection, in_use.version, false);
        let built_sql = sql::of_version(projection, version, false);
        for (index, table) in projection.summaries.iter().enumerate() {
            if leftover.is_touched_unknown || !self.whole.is_empty() {
                left_out.whole.insert(table.name);
                continue;
            }
            let Some(keys) = left_out.keys.get(table.name) else { continue };
            let keys: Vec<&[Value]> = keys.iter().map(Vec::as_slice).collect();
            let view = entities + index;
            if let Some(used) = in_use.checksums.get_mut(table.name) {
                for row in (Rows { client: snapshot, tables: &used_sql }).load(view, &keys).await? {
                    used.replace(table, keys[row.index], Some(&row.values), None);
                }
            }
            for row in (Rows { client, tables: &built_sql }).load(view, &keys).await? {
                built[view].replace(table, keys[row.index], Some(&row.values), None);
            }
        }
        Ok(left_out)
    }
}

fn is_taken(key: &[Value]) -> bool {
    !key.iter().any(|value| matches!(value, Value::Text(text) if text.contains('\0')))
}
