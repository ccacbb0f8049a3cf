//! What a view looks like: tables, columns, rows and migrations, and the fields of the search index; all that the
//! projections, which write, and the query side, which reads, share. One module a projection. Who folds and who answers
//! stands in neither.

pub mod catalogue;
mod column;
pub mod customers;
mod hints;
mod migrations;
mod pool;
pub mod search;
pub mod shop;
mod view;

pub use column::UnknownName;
pub use hints::{Hints, Subscription};
pub use migrations::{MIGRATION_HISTORY, migrations};
pub use pool::{APPLICATION_NAME, PoolError, READ_TIMEOUT, WRITE_TIMEOUT, pool, reader_pool};
pub use view::{Later, Past, Projection, View};

/// The schema in Postgres that everything derived stands in. Connections of [`pool()`] have it as their search path.
pub const SCHEMA: &str = "headwater";

/// Every projection whose tables stand here.
pub const PROJECTIONS: &[&Projection] = &[&catalogue::CATALOGUE, &customers::CUSTOMERS, &shop::SHOP];
