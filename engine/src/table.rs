//! What the engine has to know of a view's table.

use tokio_postgres::Row;

use crate::value::{SqlType, Value};

/// A column of a view's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name in SQL.
    pub name: &'static str,
    /// Its type.
    pub sql_type: SqlType,
    /// Whether it may be null.
    pub nullable: bool,
    /// Whether it holds personal data, which erasure blanks.
    pub personal: bool,
}

impl Column {
    /// A column that is never null and holds nothing personal.
    #[must_use]
    pub const fn new(name: &'static str, sql_type: SqlType) -> Self {
        Self { name, sql_type, nullable: false, personal: false }
    }

    /// The same, and it may be null.
    #[must_use]
    pub const fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }

    /// The same, and it holds personal data; erased is null.
    #[must_use]
    pub const fn personal(mut self) -> Self {
        self.personal = true;
        self.nullable = true;
        self
    }
}

/// A view's table. In Postgres it is `<name>_v<version>`, with the columns named here and `updated_position bigint`,
/// which is the engine's, and with the key columns as primary key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// The name of the view, without version.
    pub name: &'static str,
    /// The columns of the key, in the order of the view's `store_key`.
    pub key: &'static [Column],
    /// The other columns, in the order of the view's `store`.
    pub data: &'static [Column],
    /// The key or data column that holds the id of the person whose data the personal columns are.
    pub person: Option<&'static str>,
    /// Whether what its rows were is kept too (`contract::history`).
    pub history: bool,
}

impl Table {
    /// The name in Postgres of the table of one version.
    #[must_use]
    pub fn versioned(&self, version: i32) -> String {
        format!("{}_v{version}", self.name)
    }

    /// Key columns, then data columns.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &'static Column> {
        self.key.iter().chain(self.data)
    }

    /// The names of key and data columns, for a SELECT.
    pub(crate) fn column_list(&self) -> String {
        self.columns().map(|column| column.name).collect::<Vec<_>>().join(", ")
    }

    /// Reads a row of a SELECT of [`Table::column_list`]: key columns, data columns.
    pub(crate) fn read(&self, row: &Row) -> Result<(Vec<Value>, Vec<Value>), tokio_postgres::Error> {
        let columns = self.columns().enumerate();
        let values = columns.map(|(index, column)| Value::read(row, index, column.sql_type));
        let mut key = values.collect::<Result<Vec<_>, _>>()?;
        let data = key.split_off(self.key.len());
        Ok((key, data))
    }

    /// What is wrong with the declaration, if anything.
    pub(crate) fn flaw(&self) -> Option<String> {
        let name = self.name;
        if self.key.is_empty() {
            return Some(format!("{name} has no key"));
        }
        if let Some(column) = self.key.iter().find(|c| c.nullable || c.sql_type == SqlType::Jsonb) {
            return Some(format!("{name}.{} cannot be part of a key", column.name));
        }
        let words = std::iter::once(name).chain(self.columns().map(|c| c.name));
        if let Some(word) = words.into_iter().find(|word| !is_identifier(word)) {
            return Some(format!("{word:?} is not a plain SQL name"));
        }
        match self.person {
            Some(person) if !self.columns().any(|c| c.name == person) => {
                Some(format!("{name} has no person column {person}"))
            }
            None if self.columns().any(|c| c.personal) => {
                Some(format!("{name} has personal columns and names no person column"))
            }
            _ => None,
        }
    }
}

/// Names are put into SQL as they are, so nothing but lower-case letters, digits and underscores goes.
fn is_identifier(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &[Column] = &[Column::new("id", SqlType::Uuid)];
    const DOCUMENT: &[Column] = &[Column::new("doc", SqlType::Jsonb)];
    const NAME: &[Column] = &[Column::new("name", SqlType::Text).personal()];

    #[test]
    fn a_declaration_that_cannot_work_is_refused() {
        let good = Table { name: "things", key: ID, data: &[], person: None, history: false };
        assert_eq!(good.flaw(), None);
        assert!(Table { key: &[], ..good }.flaw().is_some());
        assert!(Table { name: "things; drop", ..good }.flaw().is_some());
        assert!(Table { key: DOCUMENT, ..good }.flaw().is_some());
        let personal = Table { data: NAME, ..good };
        assert!(personal.flaw().is_some());
        assert_eq!(Table { person: Some("id"), ..personal }.flaw(), None);
        assert!(Table { person: Some("nobody"), ..personal }.flaw().is_some());
    }
}
