//! A batch in memory: load the rows that its events name, fold, and say what changed.

pub(crate) mod batch;
pub(crate) mod bulk;
pub(crate) mod entity;
pub(crate) mod summary;

use contract::LogPosition;

use crate::error::FoldError;
use crate::table::Table;
use crate::value::Value;

/// What a batch does to one row.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) key: Vec<Value>,
    /// The data columns before the batch; none is no row.
    pub(crate) before: Option<Vec<Value>>,
    /// The data columns after it; none deletes.
    pub(crate) after: Option<Vec<Value>>,
    /// Of the last event that changed the row.
    pub(crate) position: LogPosition,
}

/// The event at which a batch cannot go on; those before it can be folded.
#[derive(Debug)]
pub(crate) struct FailedFold {
    /// The event's number in the batch.
    pub(crate) number: usize,
    pub(crate) reason: String,
}

impl FailedFold {
    pub(crate) fn new(number: usize, table: &Table, key: &[Value], error: &FoldError) -> Self {
        let view = table.name;
        Self { number, reason: format!("view {view}, key {}: {error}", KeyText(key)) }
    }
}

/// A key for operators' eyes. Keys are ids and natural keys, never personal.
pub(crate) struct KeyText<'k>(pub(crate) &'k [Value]);

impl std::fmt::Display for KeyText<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, value) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("/")?;
            }
            match value {
                Value::Text(text) => f.write_str(text)?,
                Value::Uuid(id) => write!(f, "{id}")?,
                Value::BigInt(number) => write!(f, "{number}")?,
                Value::Integer(number) => write!(f, "{number}")?,
                Value::Boolean(truth) => write!(f, "{truth}")?,
                Value::TimestampTz(moment) => write!(f, "{moment}")?,
                Value::Date(day) => write!(f, "{day}")?,
                Value::Null | Value::Jsonb(_) => f.write_str("?")?,
            }
        }
        Ok(())
    }
}

/// Whether the values fit the columns that they are for.
pub(crate) fn check(columns: &[crate::table::Column], values: &[Value]) -> Result<(), FoldError> {
    if columns.len() != values.len() {
        return Err(FoldError::new(format!("{} values for {} columns", values.len(), columns.len())));
    }
    for (column, value) in columns.iter().zip(values) {
        let fits = value.sql_type().map_or(column.nullable, |of| of == column.sql_type);
        if !fits {
            let found = value.sql_type().map_or("null", crate::SqlType::name);
            let (name, expected) = (column.name, column.sql_type.name());
            return Err(FoldError::new(format!("column {name} takes {expected}, the view gave {found}")));
        }
    }
    Ok(())
}
