//! The set-wise statements of one table.

use contract::history;
use tokio_postgres::GenericClient;

use crate::projection::Projection;
use crate::table::{Column, Table};

/// What is kept of a view's past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeps {
    Nothing,
    /// Of an entity view: what its rows were.
    Rows,
    /// Of a summary view: what was added.
    Sums,
}

/// The statements by which the engine reads and writes the table of one view and version. Every parameter is an
/// array, one a column.
pub(crate) struct TableSql {
    pub(crate) table: &'static Table,
    pub(crate) version: i32,
    pub(crate) keeps: Keeps,
    /// Parameters: key columns. Columns: ordinal of the key from 1, the data columns, the position of the event that
    /// made the row what it is.
    pub(crate) load: String,
    /// Parameters: key columns, data columns, updated position, and when what rows were is kept the position of the
    /// event, where that is another.
    pub(crate) upsert: String,
    /// Parameters: key columns.
    pub(crate) delete: String,
    /// Parameters: key columns, data columns, those of [`past_positions`](Self::past_positions).
    pub(crate) insert_past: String,
}

impl TableSql {
    pub(crate) fn new(table: &'static Table, version: i32, keeps: Keeps) -> Self {
        let name = table.versioned(version);
        let names = |columns: &[Column], prefix: &str| -> Vec<String> {
            columns.iter().map(|column| format!("{prefix}{}", column.name)).collect()
        };
        let key_arrays = arrays(table.key.iter(), 0).join(", ");
        let wanted = names(table.key, "").join(", ");
        let same_key: Vec<String> = table.key.iter().map(|c| format!("t.{0} = wanted.{0}", c.name)).collect();
        let same_key = same_key.join(" AND ");
        let data: String = names(table.data, ", t.").concat();
        let (since, since_column) = match keeps {
            Keeps::Rows => ("coalesce(t.since_position, t.updated_position)", Some("since_position")),
            Keeps::Nothing | Keeps::Sums => ("t.updated_position", None),
        };
        let load = format!(
            "SELECT wanted.ordinal{data}, {since} FROM unnest({key_arrays}) WITH ORDINALITY AS \
             wanted({wanted}, ordinal) JOIN {name} t ON {same_key}"
        );
        let delete =
            format!("DELETE FROM {name} t USING unnest({key_arrays}) AS wanted({wanted}) WHERE {same_key}");

        let positions: Vec<&str> = ["updated_position"].into_iter().chain(since_column).collect();
        let updates = table.data.iter().map(|column| column.name).chain(positions.iter().copied());
        let updates: Vec<String> = updates.map(|name| format!("{name} = EXCLUDED.{name}")).collect();
        let insert = insert(table, &name, &positions);
        let upsert = format!("{insert} ON CONFLICT ({wanted}) DO UPDATE SET {}", updates.join(", "));
        let mut sql = Self { table, version, keeps, load, upsert, delete, insert_past: String::new() };
        sql.insert_past = self::insert(table, &sql.past(), sql.past_positions());
        sql
    }

    /// The table of what rows were.
    pub(crate) fn past(&self) -> String {
        history::table(self.table.name, self.version)
    }

    /// The columns of that table which are the engine's.
    pub(crate) fn past_positions(&self) -> &'static [&'static str] {
        match self.keeps {
            Keeps::Rows => &["updated_position", "until_position"],
            Keeps::Nothing | Keeps::Sums => &["updated_position"],
        }
    }
}

/// Those of a projection's version, in the order of its tables; with what is kept of their past, if anything is.
pub(crate) fn of_version<E: Send + Sync + 'static>(
    projection: &Projection<E>,
    version: i32,
    has_history: bool,
) -> Vec<TableSql> {
    let entities = projection.entities.len();
    let of = |(index, table): (usize, &'static Table)| {
        let keeps = match index < entities {
            _ if !has_history || !table.history => Keeps::Nothing,
            true => Keeps::Rows,
            false => Keeps::Sums,
        };
        TableSql::new(table, version, keeps)
    };
    projection.tables().enumerate().map(of).collect()
}

/// Whether there is a table of this name.
pub(crate) async fn exists(client: &impl GenericClient, table: &str) -> Result<bool, tokio_postgres::Error> {
    client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&table]).await?.try_get(0)
}

/// Those of which the past is kept.
pub(crate) fn kept(tables: &[TableSql]) -> impl Iterator<Item = &TableSql> {
    tables.iter().filter(|sql| sql.keeps != Keeps::Nothing)
}

/// Parameters that are arrays of the types of these columns.
fn arrays(columns: impl Iterator<Item = &'static Column>, before: usize) -> Vec<String> {
    let numbered = columns.enumerate();
    numbered.map(|(i, column)| format!("${}::{}[]", before + i + 1, column.sql_type.name())).collect()
}

/// Inserts key columns, data columns and these positions.
fn insert(table: &'static Table, into: &str, positions: &[&str]) -> String {
    let mut parameters = arrays(table.columns(), 0);
    let columns: Vec<&str> =
        table.columns().map(|column| column.name).chain(positions.iter().copied()).collect();
    for number in parameters.len()..columns.len() {
        parameters.push(format!("${}::bigint[]", number + 1));
    }
    format!("INSERT INTO {into} ({}) SELECT * FROM unnest({})", columns.join(", "), parameters.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::SqlType;

    static TABLE: Table = Table {
        name: "lines",
        key: &[Column::new("order_id", SqlType::Uuid), Column::new("line", SqlType::Integer)],
        data: &[Column::new("sku", SqlType::Text)],
        person: None,
        history: true,
    };

    #[test]
    fn the_statements_of_a_table_with_a_key_of_two_columns() {
        let sql = TableSql::new(&TABLE, 3, Keeps::Nothing);
        assert_eq!(
            sql.load,
            "SELECT wanted.ordinal, t.sku, t.updated_position FROM unnest($1::uuid[], $2::integer[]) WITH ORDINALITY AS \
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

    #[test]
    fn the_statements_when_what_rows_were_is_kept() {
        let sql = TableSql::new(&TABLE, 3, Keeps::Rows);
        assert!(
            sql.load.contains("t.sku, coalesce(t.since_position, t.updated_position) FROM"),
            "{}",
            sql.load
        );
        assert!(sql.upsert.ends_with("since_position = EXCLUDED.since_position"), "{}", sql.upsert);
        assert_eq!(
            sql.insert_past,
            "INSERT INTO lines_h3 (order_id, line, sku, updated_position, until_position) SELECT * FROM \
             unnest($1::uuid[], $2::integer[], $3::text[], $4::bigint[], $5::bigint[])"
        );
        let sums = TableSql::new(&TABLE, 3, Keeps::Sums);
        assert!(sums.insert_past.ends_with("$3::text[], $4::bigint[])"), "{}", sums.insert_past);
    }
}
