//! What Postgres refuses because of the data, and how that is told.

use observability::postgres::told;
use tokio_postgres::Error;

/// Whether the error is of the data sent (SQLSTATE classes 22 and 23), so that sending it again cannot help.
pub(crate) fn is_of_the_data(error: &Error) -> bool {
    error.code().is_some_and(|state| state.code().starts_with("22") || state.code().starts_with("23"))
}

/// For operators: the state, and what was violated; never the values.
pub(crate) fn why_refused(error: &Error) -> String {
    format!("Postgres refuses the row: {}", told(error))
}
