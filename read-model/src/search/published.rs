//! The way from the one who keeps the index to those who answer from it, within a process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use contract::Position;
use tantivy::Searcher;
use tokio::sync::watch;

/// The state of an index at one moment.
#[derive(Clone)]
pub struct Published {
    /// Reads that state, whatever happens to the index meanwhile.
    pub searcher: Searcher,
    /// Up to where the log is in it. Ahead of the last commit's payload when no text changed since.
    pub position: Position,
    /// When the table was looked at that this comes from.
    pub looked_at: Instant,
}

impl std::fmt::Debug for Published {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Published").field("position", &self.position).finish_non_exhaustive()
    }
}

/// The indexes of a process, by the version of their projection. Copies are the same.
#[derive(Debug, Clone)]
pub struct SearchIndexes(Arc<watch::Sender<BTreeMap<i32, Arc<Published>>>>);

impl Default for SearchIndexes {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(BTreeMap::new())))
    }
}

impl SearchIndexes {
    /// Shows the state of a version from now on.
    pub fn publish(&self, version: i32, state: Published) {
        self.0.send_modify(|states| {
            states.insert(version, Arc::new(state));
        });
    }

    /// Shows nothing of a version any more.
    pub fn withdraw(&self, version: i32) {
        self.0.send_if_modified(|states| states.remove(&version).is_some());
    }

    /// What there is now, and what will be.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<BTreeMap<i32, Arc<Published>>> {
        self.0.subscribe()
    }
}
