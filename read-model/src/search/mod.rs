//! The search index: what it looks like, and how the one who keeps it hands it to those who answer from it.
//!
//! The index of a version of [`crate::catalogue::PRODUCT_TEXTS`] holds the rows of that table which are not deleted. A
//! commit carries in its [`Payload`] up to where the log is in it, so it is never silently apart from the table.

mod payload;
mod published;
mod schema;

pub use payload::Payload;
pub use published::{Published, SearchIndexes};
pub use schema::{Analyzer, Fields, open};

/// What the index is called where projections are named: in errors and in metrics.
pub const NAME: &str = "search";
