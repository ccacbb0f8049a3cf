//! Sales between two days.

mod best;
mod days;
mod query;
mod sums;

pub(super) use self::query::SalesQuery;
