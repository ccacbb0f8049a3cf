//! What Postgres refuses because of the data, and how that is told.

use observability::postgres::told;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// Whether the error is of the data sent, so that sending it again cannot help: SQLSTATE classes 22 and 23, and a row or
/// a key of an index that is larger than a page takes.
pub(crate) fn is_of_the_data(error: &Error) -> bool {
    error.code().is_some_and(|state| {
        let class = state.code().get(..2);
        matches!(class, Some("22" | "23")) || *state == SqlState::PROGRAM_LIMIT_EXCEEDED
    })
}

/// For operators: the state, and what was violated; never the values.
pub(crate) fn why_refused(error: &Error) -> String {
    format!("Postgres refuses the row: {}", told(error))
}
