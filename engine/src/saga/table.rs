//! The table of a saga's rows.

use crate::table::{Column, Table};
use crate::value::SqlType;

const KEY: &[Column] = &[Column::new("saga_id", SqlType::Uuid)];

const DATA: &[Column] = &[
    Column::new("step", SqlType::Text),
    Column::new("state", SqlType::Jsonb),
    Column::new("outbox", SqlType::Jsonb),
    Column::new("due_at", SqlType::TimestampTz).nullable(),
    Column::new("stuck_reason", SqlType::Text).nullable(),
    Column::new("over", SqlType::Boolean),
];

/// The columns of every saga's table; its migration stands with the saga. `due_at` is when the dispatcher has to look
/// at the row next: the earliest *not before* in the outbox, null when the outbox is empty.
#[must_use]
pub const fn saga_table(name: &'static str) -> Table {
    Table { name, key: KEY, data: DATA, person: None, history: false }
}

/// Whether the table has the columns of a saga's rows.
pub(crate) fn is_saga_table(table: &Table) -> bool {
    *table == saga_table(table.name)
}
