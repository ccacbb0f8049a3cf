//! A batch in memory: load the rows that its events name, fold, and say what changed.

pub(crate) mod batch;
pub(crate) mod bulk;
pub(crate) mod entity;
pub(crate) mod summary;

use contract::LogPosition;

use crate::error::FoldError;
use crate::parked::Place;
use crate::parked::key::KeyText;
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
    /// Where readers find that the row has changed: the position of the last event that changed it, or of its retry.
    pub(crate) position: LogPosition,
    /// Of the last event that changed the row.
    pub(crate) since: LogPosition,
}

/// What a row was before an event changed it, or what an event added to a sum.
#[derive(Debug)]
pub(crate) struct Past {
    pub(crate) key: Vec<Value>,
    /// The data columns.
    pub(crate) values: Vec<Value>,
    /// Of the event that made it.
    pub(crate) since: LogPosition,
    /// Of the event that ended it; a sum has none.
    pub(crate) until: Option<LogPosition>,
}

impl Past {
    /// What an event added to a sum; none when that is more than a column holds.
    pub(crate) fn added(key: &[Value], amounts: &[i128], position: LogPosition) -> Option<Self> {
        let values = amounts.iter().map(|amount| i64::try_from(*amount).map(Value::BigInt));
        let values = values.collect::<Result<Vec<_>, _>>().ok()?;
        Some(Self { key: key.to_vec(), values, since: position, until: None })
    }
}

/// The event at which a batch cannot go on.
#[derive(Debug)]
pub(crate) struct FailedFold {
    /// The event's number in the batch.
    pub(crate) number: usize,
    /// What to park, from that event on, so that the rest can be folded; none when nothing can go on.
    pub(crate) place: Option<Place>,
    pub(crate) reason: String,
}

impl FailedFold {
    pub(crate) fn new(number: usize, table: &Table, key: &[Value], error: &FoldError) -> Self {
        Self { number, place: None, reason: why(table, key, error) }
    }

    /// The same, and the row of this view is to be parked.
    pub(crate) fn at(mut self, view: usize, key: &[Value]) -> Self {
        self.place = Some(Place::Row { view, key: key.to_vec() });
        self
    }
}

/// What went wrong with a row, for operators.
pub(crate) fn why(table: &Table, key: &[Value], error: &FoldError) -> String {
    format!("view {}, key {}: {error}", table.name, KeyText(key))
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
