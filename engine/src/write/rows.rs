//! Rows of a batch: one statement loads them, one writes those that changed, one deletes.

use deadpool_postgres::{ClientWrapper, Transaction};
use postgres_types::ToSql;
use tokio_postgres::Error;

use super::sql::TableSql;
use crate::fold::Change;
use crate::value::{Value, column_array};

/// The stored rows of a projection's tables.
pub(crate) struct Rows<'s> {
    pub(crate) client: &'s ClientWrapper,
    /// In the order of the projection's tables.
    pub(crate) tables: &'s [TableSql],
}

type Parameter<'v> = Box<dyn ToSql + Sync + Send + 'v>;

fn references<'p, 'v>(parameters: &'p [Parameter<'v>]) -> Vec<&'p (dyn ToSql + Sync)> {
    parameters.iter().map(|parameter| &**parameter as &(dyn ToSql + Sync)).collect()
}

impl Rows<'_> {
    /// The data columns of the rows with these keys, each with the index of its key. Keys without a row give none.
    pub(crate) async fn load(
        &self,
        table: usize,
        keys: &[&[Value]],
    ) -> Result<Vec<(usize, Vec<Value>)>, Error> {
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
            let slot = usize::try_from(row.try_get::<_, i64>(0)? - 1).unwrap_or_default();
            let data = sql.table.data.iter().enumerate();
            let values = data.map(|(index, column)| Value::read(row, index + 1, column.sql_type));
            rows.push((slot, values.collect::<Result<Vec<_>, _>>()?));
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
        let mut parameters: Vec<Parameter<'_>> = Vec::new();
        for (index, column) in sql.table.key.iter().enumerate() {
            parameters
                .push(column_array(column.sql_type, written.iter().map(|(change, _)| &change.key[index])));
        }
        for (index, column) in sql.table.data.iter().enumerate() {
            parameters.push(column_array(column.sql_type, written.iter().map(|(_, after)| &after[index])));
        }
        let positions: Vec<i64> = written.iter().map(|(change, _)| change.position.0.cast_signed()).collect();
        parameters.push(Box::new(positions));
        let statement = transaction.prepare_cached(&sql.upsert).await?;
        transaction.execute(&statement, &references(&parameters)).await?;
    }
    Ok(())
}
