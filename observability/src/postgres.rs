//! What may be told of an error of PostgreSQL. Its message and its detail quote the row that was refused, so neither
//! stands in a log, a span or a status.

use std::error::Error;

use tokio_postgres::error::DbError;

/// An error with its causes, in one line. What PostgreSQL says comes down to the state (SQLSTATE) and the name of the
/// constraint.
#[must_use]
pub fn told(error: &(dyn Error + 'static)) -> String {
    let mut told = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let refused =
            error.downcast_ref::<tokio_postgres::Error>().and_then(tokio_postgres::Error::as_db_error);
        let text = refused.map_or_else(|| error.to_string(), state_of);
        if told.is_empty() {
            told = text;
        } else if !told.contains(&text) {
            told = format!("{told}: {text}");
        }
        next = error.source().filter(|_| refused.is_none());
    }
    told
}

/// The state, and the constraint that was violated, if one was.
fn state_of(error: &DbError) -> String {
    let state = error.code().code();
    match error.constraint() {
        Some(constraint) => format!("SQLSTATE {state}, constraint {constraint}"),
        None => format!("SQLSTATE {state}"),
    }
}
