//! Rows into a table by COPY.

use bytes::BytesMut;
use contract::LogPosition;
use futures::pin_mut;
use postgres_types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::{Client, Error};

use crate::fold::{Change, Past};
use crate::table::Table;
use crate::value::{SqlType, Value};
use crate::write::sql::TableSql;

/// Adds rows that the table does not hold yet. Changes that are none are passed over.
pub(crate) async fn copy_in(client: &Client, sql: &TableSql, changes: &[Change]) -> Result<(), Error> {
    let rows = changes
        .iter()
        .filter_map(|change| Some((change.key.iter().chain(change.after.as_ref()?), [change.position])));
    copy(client, sql.table, &sql.table.versioned(sql.version), &["updated_position"], rows).await
}

/// Adds what rows were.
pub(crate) async fn copy_past(client: &Client, sql: &TableSql, past: &[Past]) -> Result<(), Error> {
    let rows = past
        .iter()
        .map(|past| (past.key.iter().chain(&past.values), std::iter::once(past.since).chain(past.until)));
    copy(client, sql.table, &sql.past(), sql.past_positions(), rows).await
}

/// Copies key columns, data columns and these positions of each row.
async fn copy<'r>(
    client: &Client,
    table: &'static Table,
    into: &str,
    positions: &[&str],
    rows: impl Iterator<Item = (impl Iterator<Item = &'r Value>, impl IntoIterator<Item = LogPosition>)>,
) -> Result<(), Error> {
    let columns: Vec<&str> =
        table.columns().map(|column| column.name).chain(positions.iter().copied()).collect();
    let sql = format!("COPY {into} ({}) FROM STDIN BINARY", columns.join(", "));
    let types = table.columns().map(|column| postgres_type(column.sql_type));
    let types: Vec<Type> = types.chain(positions.iter().map(|_| Type::INT8)).collect();
    let writer = BinaryCopyInWriter::new(client.copy_in(&sql).await?, &types);
    pin_mut!(writer);
    for (values, positions) in rows {
        let positions = positions.into_iter().map(|position| Value::BigInt(position.0.cast_signed()));
        let positions: Vec<Value> = positions.collect();
        let mut cells: Vec<Cell<'_>> = values.map(Cell).collect();
        cells.extend(positions.iter().map(Cell));
        let cells: Vec<&(dyn ToSql + Sync)> = cells.iter().map(|cell| cell as &(dyn ToSql + Sync)).collect();
        writer.as_mut().write(&cells).await?;
    }
    writer.finish().await.map(drop)
}

const fn postgres_type(sql_type: SqlType) -> Type {
    match sql_type {
        SqlType::Text => Type::TEXT,
        SqlType::Uuid => Type::UUID,
        SqlType::BigInt => Type::INT8,
        SqlType::Integer => Type::INT4,
        SqlType::Boolean => Type::BOOL,
        SqlType::TimestampTz => Type::TIMESTAMPTZ,
        SqlType::Date => Type::DATE,
        SqlType::Jsonb => Type::JSONB,
    }
}

/// A value as a parameter. Its type was compared with its column's when the row was folded.
#[derive(Debug)]
struct Cell<'v>(&'v Value);

impl ToSql for Cell<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self.0 {
            Value::Null => Ok(IsNull::Yes),
            Value::Text(text) => text.to_sql(ty, out),
            Value::Uuid(id) => id.to_sql(ty, out),
            Value::BigInt(number) => number.to_sql(ty, out),
            Value::Integer(number) => number.to_sql(ty, out),
            Value::Boolean(truth) => truth.to_sql(ty, out),
            Value::TimestampTz(moment) => moment.to_sql(ty, out),
            Value::Date(day) => day.to_sql(ty, out),
            Value::Jsonb(document) => document.to_sql(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
