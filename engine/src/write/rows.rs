//! Rows of a batch: one statement loads them, one writes those that changed, one deletes.

use contract::LogPosition;
use deadpool_postgres::{ClientWrapper, Transaction};
use postgres_types::ToSql;
use tokio_postgres::Error;

use super::sql::{Keeps, TableSql};
use crate::fold::{Change, Past};
use crate::table::Table;
use crate::value::{Value, column_array};

/// The stored rows of a projection's tables.
pub(crate) struct Rows<'s> {
    pub(crate) client: &'s ClientWrapper,
    /// In the order of the projection's tables.
    pub(crate) tables: &'s [TableSql],
}

/// A stored row.
pub(crate) struct Loaded {
    /// The index of its key among those asked for.
    pub(crate) index: usize,
    /// The data columns.
    pub(crate) values: Vec<Value>,
    /// Of the event that made it what it is.
    pub(crate) since: LogPosition,
}

type Parameter<'v> = Box<dyn ToSql + Sync + Send + 'v>;

fn references<'p, 'v>(parameters: &'p [Parameter<'v>]) -> Vec<&'p (dyn ToSql + Sync)> {
    parameters.iter().map(|parameter| &**parameter as &(dyn ToSql + Sync)).collect()
}

impl Rows<'_> {
    /// The rows with these keys. Keys without a row give none.
    pub(crate) async fn load(&self, table: usize, keys: &[&[Value]]) -> Result<Vec<Loaded>, Error> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let sql = &self.tables[table];
        let parameters: Vec<Parameter<'_>> = sql
            .table
            .key
            .iter()
            .enumerate()
            .map(|(index, column)| column_array(column.sql_type, keys.iter().map(move |key| &key[index])))
            .collect();
        let statement = self.client.prepare_cached(&sql.load).await?;
        let found = self.client.query(&statement, &references(&parameters)).await?;
        let mut rows = Vec::with_capacity(found.len());
        for row in &found {
            // Ordinals count from 1 and are never above the number of keys.
            let index = usize::try_from(row.try_get::<_, i64>(0)? - 1).unwrap_or_default();
            let data = sql.table.data.iter().enumerate();
            let values = data.map(|(index, column)| Value::read(row, index + 1, column.sql_type));
            let values = values.collect::<Result<Vec<_>, _>>()?;
            let since: i64 = row.try_get(values.len() + 1)?;
            rows.push(Loaded { index, values, since: LogPosition(since.cast_unsigned()) });
        }
        Ok(rows)
    }
}

/// Writes the changes of one table. Deletes go first, so that a row may take the unique value that another leaves.
pub(crate) async fn write(
    transaction: &Transaction<'_>,
    sql: &TableSql,
    changes: &[Change],
) -> Result<(), Error> {
    let deleted: Vec<&Change> = changes.iter().filter(|change| change.after.is_none()).collect();
    let written: Vec<(&Change, &Vec<Value>)> =
        changes.iter().filter_map(|change| change.after.as_ref().map(|after| (change, after))).collect();
    if !deleted.is_empty() {
        let parameters: Vec<Parameter<'_>> = sql
            .table
            .key
            .iter()
            .enumerate()
            .map(|(index, column)| {
                column_array(column.sql_type, deleted.iter().map(move |change| &change.key[index]))
            })
            .collect();
        let statement = transaction.prepare_cached(&sql.delete).await?;
        transaction.execute(&statement, &references(&parameters)).await?;
    }
    if !written.is_empty() {
        let mut parameters =
            columns(sql.table, &written, |(change, _)| change.key.as_slice(), |(_, after)| after.as_slice());
        parameters.push(positions(&written, |(change, _)| change.position));
        if sql.keeps == Keeps::Rows {
            let since =
                |change: &Change| (change.since != change.position).then_some(change.since.0.cast_signed());
            let since: Vec<Option<i64>> = written.iter().map(|(change, _)| since(change)).collect();
            parameters.push(Box::new(since));
        }
        let statement = transaction.prepare_cached(&sql.upsert).await?;
        transaction.execute(&statement, &references(&parameters)).await?;
    }
    Ok(())
}

/// Writes what the rows of one table were.
pub(crate) async fn write_past(
    transaction: &Transaction<'_>,
    sql: &TableSql,
    past: &[Past],
) -> Result<(), Error> {
    if past.is_empty() {
        return Ok(());
    }
    let mut parameters = columns(sql.table, past, |past| past.key.as_slice(), |past| past.values.as_slice());
    parameters.push(positions(past, |past| past.since));
    if sql.keeps == Keeps::Rows {
        parameters.push(positions(past, |past| past.until.unwrap_or_default()));
    }
    let statement = transaction.prepare_cached(&sql.insert_past).await?;
    transaction.execute(&statement, &references(&parameters)).await?;
    Ok(())
}

/// The arrays of the key columns and data columns of some rows.
fn columns<'v, T>(
    table: &Table,
    rows: &'v [T],
    key: impl Fn(&'v T) -> &'v [Value] + Copy + 'v,
    data: impl Fn(&'v T) -> &'v [Value] + Copy + 'v,
) -> Vec<Parameter<'v>> {
    let of_key = table.key.iter().enumerate();
    let of_key = of_key
        .map(|(index, column)| column_array(column.sql_type, rows.iter().map(move |row| &key(row)[index])));
    let of_data = table.data.iter().enumerate();
    let of_data = of_data
        .map(|(index, column)| column_array(column.sql_type, rows.iter().map(move |row| &data(row)[index])));
    of_key.chain(of_data).collect()
}

fn positions<'v, T>(rows: &[T], position: impl Fn(&T) -> LogPosition) -> Parameter<'v> {
    Box::new(rows.iter().map(|row| position(row).0.cast_signed()).collect::<Vec<i64>>())
}
