//! The set-wise statements of one table.

use crate::table::{Column, Table};

/// The statements by which the engine reads and writes the table of one view and version. Every parameter is an
/// array, one a column.
pub(crate) struct TableSql {
    pub(crate) table: &'static Table,
    /// Parameters: key columns. Columns: ordinal of the key from 1, then the data columns.
    pub(crate) load: String,
    /// Parameters: key columns, data columns, updated position.
    pub(crate) upsert: String,
    /// Parameters: key columns.
    pub(crate) delete: String,
}

impl TableSql {
    pub(crate) fn new(table: &'static Table, version: i32) -> Self {
        let name = table.versioned(version);
        let names = |columns: &[Column], prefix: &str| -> Vec<String> {
            columns.iter().map(|column| format!("{prefix}{}", column.name)).collect()
        };
        let arrays = |columns: &mut dyn Iterator<Item = &'static Column>| -> Vec<String> {
            columns
                .enumerate()
                .map(|(i, column)| format!("${}::{}[]", i + 1, column.sql_type.name()))
                .collect()
        };
        let key_arrays = arrays(&mut table.key.iter()).join(", ");
        let wanted = names(table.key, "").join(", ");
        let same_key: Vec<String> = table.key.iter().map(|c| format!("t.{0} = wanted.{0}", c.name)).collect();
        let same_key = same_key.join(" AND ");
        let data: String = names(table.data, ", t.").concat();
        let load = format!(
            "SELECT wanted.ordinal{data} FROM unnest({key_arrays}) WITH ORDINALITY AS wanted({wanted}, ordinal) \
             JOIN {name} t ON {same_key}"
        );
        let delete =
            format!("DELETE FROM {name} t USING unnest({key_arrays}) AS wanted({wanted}) WHERE {same_key}");

        let all: Vec<&str> = table.columns().map(|column| column.name).collect();
        let mut all_arrays = arrays(&mut table.columns());
        all_arrays.push(format!("${}::bigint[]", all.len() + 1));
        let updates: Vec<&str> =
            table.data.iter().map(|column| column.name).chain(["updated_position"]).collect();
        let updates: Vec<String> = updates.iter().map(|name| format!("{name} = EXCLUDED.{name}")).collect();
        let upsert = format!(
            "INSERT INTO {name} ({}, updated_position) SELECT * FROM unnest({}) ON CONFLICT ({wanted}) DO UPDATE SET {}",
            all.join(", "),
            all_arrays.join(", "),
            updates.join(", "),
        );
        Self { table, load, upsert, delete }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::SqlType;

    #[test]
    fn the_statements_of_a_table_with_a_key_of_two_columns() {
        static TABLE: Table = Table {
            name: "lines",
            key: &[Column::new("order_id", SqlType::Uuid), Column::new("line", SqlType::Integer)],
            data: &[Column::new("sku", SqlType::Text)],
            person: None,
        };
        let sql = TableSql::new(&TABLE, 3);
        assert_eq!(
            sql.load,
            "SELECT wanted.ordinal, t.sku FROM unnest($1::uuid[], $2::integer[]) WITH ORDINALITY AS \
             wanted(order_id, line, ordinal) JOIN lines_v3 t ON t.order_id = wanted.order_id AND t.line = wanted.line"
        );
        assert_eq!(
            sql.delete,
            "DELETE FROM lines_v3 t USING unnest($1::uuid[], $2::integer[]) AS wanted(order_id, line) WHERE \
             t.order_id = wanted.order_id AND t.line = wanted.line"
        );
        assert_eq!(
            sql.upsert,
            "INSERT INTO lines_v3 (order_id, line, sku, updated_position) SELECT * FROM unnest($1::uuid[], \
             $2::integer[], $3::text[], $4::bigint[]) ON CONFLICT (order_id, line) DO UPDATE SET sku = EXCLUDED.sku, \
             updated_position = EXCLUDED.updated_position"
        );
    }
}
