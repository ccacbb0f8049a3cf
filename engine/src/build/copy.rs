//! Rows into a table by COPY.

use bytes::BytesMut;
use futures::pin_mut;
use postgres_types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::{Client, Error};

use crate::fold::Change;
use crate::table::Table;
use crate::value::{SqlType, Value};

/// Adds rows that the table does not hold yet, and gives their number. Changes that are none are passed over.
pub(crate) async fn copy_in(
    client: &Client,
    table: &'static Table,
    version: i32,
    changes: &[Change],
) -> Result<u64, Error> {
    let columns: Vec<&str> = table.columns().map(|column| column.name).chain(["updated_position"]).collect();
    let sql = format!("COPY {} ({}) FROM STDIN BINARY", table.versioned(version), columns.join(", "));
    let types: Vec<Type> =
        table.columns().map(|column| postgres_type(column.sql_type)).chain([Type::INT8]).collect();
    let sink = client.copy_in(&sql).await?;
    let writer = BinaryCopyInWriter::new(sink, &types);
    pin_mut!(writer);
    for change in changes {
        let Some(after) = &change.after else { continue };
        let position = Value::BigInt(change.position.0.cast_signed());
        let cells: Vec<Cell<'_>> = change.key.iter().chain(after).chain([&position]).map(Cell).collect();
        let cells: Vec<&(dyn ToSql + Sync)> = cells.iter().map(|cell| cell as &(dyn ToSql + Sync)).collect();
        writer.as_mut().write(&cells).await?;
    }
    writer.finish().await
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
