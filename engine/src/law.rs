//! What every view is checked against: the law of storage, and a fold of the log in memory that knows nothing of
//! batches, deltas or SQL. Not used while folding.

use std::collections::HashMap;

use bytes::BytesMut;
use contract::{LogPosition, history};
use postgres_types::{FromSql, ToSql, Type};
use tokio_postgres::Client;

use crate::checksum::Checksums;
use crate::error::FoldError;
use crate::event::Recorded;
use crate::projection::{Entity, Projection};
use crate::table::{Column, Table};
use crate::value::{SqlType, Value};
use crate::view::EntityView;

/// Checks that a row is the same after it was stored and loaded, and that its canonical form is: what is sent to
/// Postgres is encoded and decoded as for it.
///
/// # Errors
/// What is different, for a test to show.
pub fn survives_storage<V: EntityView>(view: &V, key: &V::Key, row: &V::Row) -> Result<(), String> {
    let table = view.table();
    let sent = view.store(row);
    let received = through_the_wire(table.data, &sent)?;
    through_the_wire(table.key, &view.store_key(key))?;
    let loaded =
        view.load(key, received).map_err(|error| format!("{} does not load: {error}", table.name))?;
    let canonical = |values: &[Value]| {
        let mut bytes = Vec::new();
        values.iter().for_each(|value| value.canonical(&mut bytes));
        bytes
    };
    if canonical(&view.store(&loaded)) != canonical(&sent) {
        return Err(format!(
            "{}: the canonical form changed, {:?} to {:?}",
            table.name,
            sent,
            view.store(&loaded)
        ));
    }
    if loaded != *row {
        return Err(format!("{}: the row loaded is another than the row stored, {sent:?}", table.name));
    }
    Ok(())
}

fn through_the_wire(columns: &[Column], values: &[Value]) -> Result<Vec<Value>, String> {
    fn turn<T: ToSql + for<'b> FromSql<'b>>(
        value: &T,
        sql_type: &Type,
        wrap: fn(T) -> Value,
    ) -> Result<Value, String> {
        let mut bytes = BytesMut::new();
        value.to_sql(sql_type, &mut bytes).map_err(|error| error.to_string())?;
        T::from_sql(sql_type, &bytes).map(wrap).map_err(|error| error.to_string())
    }
    if columns.len() != values.len() {
        return Err(format!("{} values for {} columns", values.len(), columns.len()));
    }
    let mut received = Vec::with_capacity(values.len());
    for (column, value) in columns.iter().zip(values) {
        received.push(match (value, column.sql_type) {
            (Value::Null, _) if column.nullable => Value::Null,
            (Value::Text(text), SqlType::Text) => turn(text, &Type::TEXT, Value::Text)?,
            (Value::Uuid(id), SqlType::Uuid) => turn(id, &Type::UUID, Value::Uuid)?,
            (Value::BigInt(number), SqlType::BigInt) => turn(number, &Type::INT8, Value::BigInt)?,
            (Value::Integer(number), SqlType::Integer) => turn(number, &Type::INT4, Value::Integer)?,
            (Value::Boolean(truth), SqlType::Boolean) => turn(truth, &Type::BOOL, Value::Boolean)?,
            (Value::TimestampTz(at), SqlType::TimestampTz) => {
                turn(at, &Type::TIMESTAMPTZ, Value::TimestampTz)?
            }
            (Value::Date(day), SqlType::Date) => turn(day, &Type::DATE, Value::Date)?,
            (Value::Jsonb(document), SqlType::Jsonb) => turn(document, &Type::JSONB, Value::Jsonb)?,
            (other, expected) => return Err(format!("{} takes {expected:?}, not {other:?}", column.name)),
        });
    }
    Ok(received)
}

/// All rows of a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewRows {
    /// Of which table.
    pub table: &'static Table,
    /// Data columns by key columns.
    pub rows: HashMap<Vec<Value>, Vec<Value>>,
    /// The position of the last event that changed each row; of summary views, empty from [`naive_fold`].
    pub updated: HashMap<Vec<Value>, LogPosition>,
}

impl ViewRows {
    fn new(table: &'static Table) -> Self {
        Self { table, rows: HashMap::new(), updated: HashMap::new() }
    }

    /// Count and checksums, computed from the rows.
    #[must_use]
    pub fn checksums(&self) -> Checksums {
        let mut checksums = Checksums::default();
        for (key, row) in &self.rows {
            checksums.replace(self.table, key, None, Some(row));
        }
        checksums
    }
}

/// Which of the projection's summaries, key, amounts.
type Contributed = (usize, Vec<Value>, Vec<i64>);

/// Rows of an entity view, folded one event at a time.
pub(crate) trait NaiveFold<E> {
    /// Folds into every row of the event; one that fails stays as it was if such are to be left out.
    fn fold(&mut self, event: &Recorded<E>, leave_out: bool) -> Result<(), FoldError>;

    /// The rows, and what they all contribute.
    fn finish(self: Box<Self>) -> (ViewRows, Vec<Contributed>);
}

pub(crate) struct NaiveEntity<'v, V: EntityView> {
    pub(crate) entity: &'v Entity<V>,
    pub(crate) rows: HashMap<Vec<Value>, (V::Key, V::Row, LogPosition)>,
}

impl<V: EntityView> NaiveFold<V::Event> for NaiveEntity<'_, V> {
    fn fold(&mut self, event: &Recorded<V::Event>, leave_out: bool) -> Result<(), FoldError> {
        let view = &self.entity.view;
        let mut done = Vec::new();
        for key in view.keys(event) {
            let stored_key = view.store_key(&key);
            if done.contains(&stored_key) {
                continue;
            }
            let before = self.rows.remove(&stored_key);
            let row = before.as_ref().map(|(_, row, _)| row.clone());
            let after = match view.fold(&key, row, event) {
                Ok(Some(after)) => {
                    let position = match before {
                        Some((_, row, position)) if row == after => position,
                        _ => event.position,
                    };
                    Some((key, after, position))
                }
                Ok(None) => None,
                Err(_) if leave_out => before,
                Err(error) => return Err(error),
            };
            if let Some(after) = after {
                self.rows.insert(stored_key.clone(), after);
            }
            done.push(stored_key);
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> (ViewRows, Vec<Contributed>) {
        let mut view = ViewRows::new(self.entity.view.table());
        let mut contributions = Vec::new();
        for (stored_key, (key, row, position)) in self.rows {
            for contributor in &self.entity.contributors {
                let of_row = (contributor.contributions)(&key, &row);
                contributions
                    .extend(of_row.into_iter().map(|(key, amounts)| (contributor.summary, key, amounts)));
            }
            view.rows.insert(stored_key.clone(), self.entity.view.store(&row));
            view.updated.insert(stored_key, position);
        }
        (view, contributions)
    }
}

/// Folds events in memory, one after the other; summaries are summed up over the rows at the end. The views stand in
/// the order of [`Projection::tables`].
///
/// # Errors
/// The first that a view gives, or that a sum overflows.
pub fn naive_fold<E: Send + Sync + 'static>(
    projection: &Projection<E>,
    events: &[Recorded<E>],
) -> Result<Vec<ViewRows>, FoldError> {
    fold_all(projection, events, false)
}

/// The same, where an event is left out of each row that it cannot be folded into: as if the row had been parked and the
/// event skipped.
///
/// # Errors
/// A sum overflows.
pub fn naive_fold_with_skips<E: Send + Sync + 'static>(
    projection: &Projection<E>,
    events: &[Recorded<E>],
) -> Result<Vec<ViewRows>, FoldError> {
    fold_all(projection, events, true)
}

fn fold_all<E: Send + Sync + 'static>(
    projection: &Projection<E>,
    events: &[Recorded<E>],
    leave_out: bool,
) -> Result<Vec<ViewRows>, FoldError> {
    let mut folds: Vec<_> = projection.entities.iter().map(|entity| entity.naive()).collect();
    for event in events {
        folds.iter_mut().try_for_each(|fold| fold.fold(event, leave_out))?;
    }
    let mut views = Vec::new();
    let mut sums: Vec<HashMap<Vec<Value>, Vec<i64>>> = vec![HashMap::new(); projection.summaries.len()];
    for fold in folds {
        let (view, contributions) = fold.finish();
        views.push(view);
        for (summary, key, amounts) in contributions {
            let sum = sums[summary].entry(key).or_insert_with(|| vec![0; amounts.len()]);
            for (sum, amount) in sum.iter_mut().zip(amounts) {
                *sum = sum.checked_add(amount).ok_or_else(|| FoldError::new("a sum overflows"))?;
            }
        }
    }
    for (table, sums) in projection.summaries.iter().zip(sums) {
        let mut view = ViewRows::new(table);
        let rows = sums.into_iter().filter(|(_, sum)| sum.iter().any(|amount| *amount != 0));
        view.rows = rows.map(|(key, sum)| (key, sum.into_iter().map(Value::BigInt).collect())).collect();
        views.push(view);
    }
    Ok(views)
}

/// Reads the tables of one version of a projection whole, each with the count and checksums that the engine kept for it.
/// The client must have the schema of the tables in its search path.
///
/// # Errors
/// Those of Postgres.
pub async fn stored<E: Send + Sync + 'static>(
    client: &Client,
    projection: &Projection<E>,
    version: i32,
) -> Result<Vec<(ViewRows, Checksums)>, tokio_postgres::Error> {
    let mut views = Vec::new();
    for table in projection.tables() {
        let view = read(client, table, &table.versioned(version), true).await?;
        let kept = client
            .query_opt(
                "SELECT row_count, checksums FROM projection_checksum WHERE name = $1 AND version = $2 AND view = $3",
                &[&projection.name, &version, &table.name],
            )
            .await?;
        let checksums = match kept {
            Some(row) => Checksums::from_json(row.try_get(0)?, &row.try_get(1)?),
            None => Checksums::default(),
        };
        views.push((view, checksums));
    }
    Ok(views)
}

/// Reads the rows of one version as they were at a position, of the views of which that is kept. The client must have the
/// schema of the tables in its search path.
///
/// # Errors
/// Those of Postgres.
pub async fn stored_as_of<E: Send + Sync + 'static>(
    client: &Client,
    projection: &Projection<E>,
    version: i32,
    at: LogPosition,
) -> Result<Vec<ViewRows>, tokio_postgres::Error> {
    client.execute("SELECT set_config($1, $2, false)", &[&history::AS_OF_SETTING, &at.0.to_string()]).await?;
    let mut views = Vec::new();
    for (index, table) in projection.tables().enumerate().filter(|(_, table)| table.history) {
        let is_entity = index < projection.entities.len();
        let columns: Vec<&str> = table.columns().map(|column| column.name).collect();
        let (key, data) = columns.split_at(table.key.len());
        let from = match is_entity {
            true => history::rows_as_of(table.name, version, &columns),
            false => history::sums_as_of(table.name, version, key, data),
        };
        views.push(read(client, table, &format!("{from} AS of_then"), is_entity).await?);
    }
    Ok(views)
}

async fn read(
    client: &Client,
    table: &'static Table,
    from: &str,
    has_position: bool,
) -> Result<ViewRows, tokio_postgres::Error> {
    let position = if has_position { ", updated_position" } else { "" };
    let mut view = ViewRows::new(table);
    for row in client.query(&format!("SELECT {}{position} FROM {from}", table.column_list()), &[]).await? {
        let (key, data) = table.read(&row)?;
        if has_position {
            let updated: i64 = row.try_get("updated_position")?;
            view.updated.insert(key.clone(), LogPosition(updated.cast_unsigned()));
        }
        let twice = view.rows.insert(key, data);
        debug_assert!(twice.is_none(), "{} has a row twice", table.name);
    }
    Ok(view)
}
