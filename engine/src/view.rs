//! The two kinds of view. Both are pure: no clock, no I/O, no state of their own.

use std::fmt::Debug;

use crate::error::{FoldError, LoadError};
use crate::event::Recorded;
use crate::table::Table;
use crate::value::Value;

/// Rows that events fold into, each under its own key.
///
/// Law: `load(store(row)) == row`, so that it is the same whether a row was folded on in memory or read back first
/// (see [`crate::law::survives_storage`], which every view's tests call).
pub trait EntityView: Send + Sync + 'static {
    /// The events it folds.
    type Event: Send + Sync + 'static;
    /// What names a row.
    type Key: Debug + Clone + Send + Sync + 'static;
    /// A row without its key.
    type Row: Clone + PartialEq + Send + Sync + 'static;

    /// Its table.
    fn table(&self) -> &'static Table;

    /// The keys of the rows that the event may change; a key may be named twice.
    fn keys(&self, event: &Recorded<Self::Event>) -> Vec<Self::Key>;

    /// The row after the event; none deletes it.
    ///
    /// # Errors
    /// The event cannot follow: its predecessor is missing, or an amount overflows.
    fn fold(
        &self,
        key: &Self::Key,
        row: Option<Self::Row>,
        event: &Recorded<Self::Event>,
    ) -> Result<Option<Self::Row>, FoldError>;

    /// The values of the key columns.
    fn store_key(&self, key: &Self::Key) -> Vec<Value>;

    /// The values of the data columns.
    fn store(&self, row: &Self::Row) -> Vec<Value>;

    /// The row of these data columns.
    ///
    /// # Errors
    /// The stored values are not of a row.
    fn load(&self, key: &Self::Key, values: Vec<Value>) -> Result<Self::Row, LoadError>;
}

/// Sums over the rows of entity views. All data columns of its table are `bigint` and not null; a row whose amounts
/// are all zero is not there.
pub trait SummaryView: Send + Sync + 'static {
    /// What the sums are by.
    type Key: Send + Sync + 'static;

    /// Its table.
    fn table(&self) -> &'static Table;

    /// The values of the key columns.
    fn store_key(&self, key: &Self::Key) -> Vec<Value>;
}

/// What the rows of the entity view `V` add to a summary. The engine adds the contributions of the row after an event
/// and subtracts those of the row before.
pub trait Contributes<V: EntityView>: SummaryView {
    /// The amounts of one row, in the order of the summary's data columns. The same key may come twice.
    fn contributions(&self, key: &V::Key, row: &V::Row) -> Vec<(Self::Key, Vec<i64>)>;
}
