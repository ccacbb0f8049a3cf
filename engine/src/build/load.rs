//! Rows on their way into the tables, while the part that folded them goes on.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::BuildError;
use super::copy::{copy_in, copy_past};
use super::progress::Progress;
use crate::fold::{Change, Past};
use crate::parked::{PLACES_MAX, Place};
use crate::value::Value;
use crate::write::refused::{is_of_the_data, why_refused};
use crate::write::rows::{self, Loaded, Rows};
use crate::write::session::Session;
use crate::write::sql::TableSql;

/// Rows of one view.
pub(super) enum Batch {
    /// As they are now.
    Rows(usize, Vec<Change>),
    /// As they were.
    Past(usize, Vec<Past>),
}

/// Rows that Postgres does not take, and why.
type Refused = Vec<(Place, String)>;

/// Writes and reads for one part, a few batches at a time.
pub(super) struct Loader {
    /// None while batches are under way.
    writer: Option<Writer>,
    under_way: Option<UnderWay>,
    refused: Refused,
    reader: Session,
    /// In the order of the projection's tables.
    tables: Arc<Vec<TableSql>>,
    runtime: Handle,
}

/// The session, and what goes with it.
struct Writer {
    session: Session,
    tables: Arc<Vec<TableSql>>,
    progress: Arc<Progress>,
}

/// Batches that are being written, so that their rows cannot be read from the tables yet.
struct UnderWay {
    batches: Arc<Vec<Batch>>,
    /// By the hash of view and key, which several may share: in which batch, and where there.
    places: HashMap<u64, Vec<(usize, usize)>>,
    writing: JoinHandle<Result<(Writer, Refused), BuildError>>,
}

impl Loader {
    /// Takes a session that writes and another that reads meanwhile.
    pub(super) fn new(
        (writer, reader): (Session, Session),
        tables: &Arc<Vec<TableSql>>,
        progress: &Arc<Progress>,
        runtime: Handle,
    ) -> Self {
        let (tables, progress) = (Arc::clone(tables), Arc::clone(progress));
        let writer = Some(Writer { session: writer, tables: Arc::clone(&tables), progress });
        Self { writer, under_way: None, refused: Vec::new(), reader, tables, runtime }
    }

    /// Begins to write, once what is under way is written: there is never more than this in memory.
    pub(super) fn write(&mut self, batches: Vec<Batch>) -> Result<(), BuildError> {
        if batches.is_empty() {
            return Ok(());
        }
        let mut writer = self.at_rest()?;
        let batches = Arc::new(batches);
        let (written, runtime) = (Arc::clone(&batches), self.runtime.clone());
        let writing = self.runtime.spawn_blocking(move || {
            let mut refused = Vec::new();
            for batch in &*written {
                refused.extend(runtime.block_on(writer.write(batch))?);
            }
            Ok((writer, refused))
        });
        let places = places(&batches);
        self.under_way = Some(UnderWay { batches, places, writing });
        Ok(())
    }

    /// Reads rows back that have left memory, also those that are still under way.
    pub(super) fn read(&self, view: usize, keys: &[&[Value]]) -> Result<Vec<Loaded>, BuildError> {
        let (mut rows, mut written) = (Vec::new(), Vec::new());
        for (index, key) in keys.iter().enumerate() {
            match self.under_way.as_ref().and_then(|under_way| under_way.row(view, key)) {
                Some(Change { after: Some(values), since, .. }) => {
                    rows.push(Loaded { index, values: values.clone(), since: *since });
                }
                Some(Change { after: None, .. }) => {}
                None => written.push((index, *key)),
            }
        }
        let keys: Vec<&[Value]> = written.iter().map(|(_, key)| *key).collect();
        let tables = Rows { client: &self.reader.client, tables: &self.tables };
        let loaded = self.runtime.block_on(tables.load(view, &keys))?;
        rows.extend(loaded.into_iter().map(|row| Loaded { index: written[row.index].0, ..row }));
        Ok(rows)
    }

    /// What was refused by now.
    pub(super) fn refused(&mut self) -> Refused {
        std::mem::take(&mut self.refused)
    }

    /// What was refused since, once all is written.
    pub(super) fn end(mut self) -> Result<Refused, BuildError> {
        self.at_rest()?;
        Ok(self.refused)
    }

    fn at_rest(&mut self) -> Result<Writer, BuildError> {
        if let Some(UnderWay { writing, .. }) = self.under_way.take() {
            let (writer, refused) = self.runtime.block_on(writing).map_err(BuildError::of_task).flatten()?;
            self.refused.extend(refused);
            self.writer = Some(writer);
        }
        self.writer.take().ok_or(BuildError::BrokenOff)
    }
}

fn places(batches: &[Batch]) -> HashMap<u64, Vec<(usize, usize)>> {
    let mut places: HashMap<u64, Vec<(usize, usize)>> = HashMap::new();
    for (at, batch) in batches.iter().enumerate() {
        let Batch::Rows(view, changes) = batch else { continue };
        for (row, change) in changes.iter().enumerate() {
            places.entry(hash(*view, &change.key)).or_default().push((at, row));
        }
    }
    places
}

fn hash(view: usize, key: &[Value]) -> u64 {
    let mut form = Vec::with_capacity(64);
    key.iter().for_each(|value| value.canonical(&mut form));
    xxh3_64_with_seed(&form, view as u64)
}

impl UnderWay {
    fn row(&self, view: usize, key: &[Value]) -> Option<&Change> {
        let places = self.places.get(&hash(view, key))?;
        places.iter().find_map(|(batch, row)| match self.batches.get(*batch)? {
            Batch::Rows(of, changes) if *of == view => changes.get(*row).filter(|change| change.key == key),
            _ => None,
        })
    }
}

impl Writer {
    async fn write(&mut self, batch: &Batch) -> Result<Refused, BuildError> {
        let progress = Arc::clone(&self.progress);
        match batch {
            Batch::Rows(view, changes) => {
                let write = async |changes: &[Change]| self.write_rows(*view, changes).await;
                by_halves(*view, changes, |change| &change.key, &progress, write).await
            }
            Batch::Past(view, past) => {
                let sql = &self.tables[*view];
                let write = async |past: &[Past]| copy_past(&self.session.client, sql, past).await;
                by_halves(*view, past, |past| &past.key, &progress, write).await
            }
        }
    }

    /// Rows that the table does not hold yet go by COPY; either all are such, or none.
    async fn write_rows(&mut self, view: usize, changes: &[Change]) -> Result<(), tokio_postgres::Error> {
        let sql = &self.tables[view];
        let Some(first) = changes.first() else { return Ok(()) };
        if first.before.is_none() {
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
) -> Result<Refused, BuildError> {
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
