//! The dashboards, one a file, in the order in which one looks at them.

mod commands;
mod event_store;
mod overview;
mod projections;
mod queries;
mod runtime;
mod sagas;

use crate::board::Board;

/// Every dashboard.
#[must_use]
pub fn all() -> Vec<Board> {
    vec![
        overview::board(),
        commands::board(),
        projections::board(),
        sagas::board(),
        queries::board(),
        event_store::board(),
        runtime::board(),
    ]
}
