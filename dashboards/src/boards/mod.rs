//! The dashboards, one a file, in the order in which one looks at them.

mod commands;
mod event_store;
mod kurrentdb;
mod overview;
mod pipeline;
mod postgres;
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
        kurrentdb::board(),
        runtime::board(),
        postgres::board(),
        pipeline::board(),
    ]
}
