//! The metrics of the search index. Those of the views are the engine's.

use std::time::Duration;

use contract::Position;
use metrics::{gauge, histogram};
use observability::MetricDef;
use observability::metric::MetricUnit::{Count, Seconds};
use observability::metric::STORAGE_DURATION_BUCKETS;
use tantivy::Searcher;

const COMMIT: &str = "search_index_commit_duration_seconds";
const DOCUMENTS: &str = "search_index_documents";
const SEGMENTS: &str = "search_index_segments";
const POSITION: &str = "search_index_position";

/// What the indexer records. The gauges tell of the version that readers use.
pub const CATALOGUE: &[MetricDef] = &[
    MetricDef::histogram(
        COMMIT,
        Seconds,
        STORAGE_DURATION_BUCKETS,
        "time to make what was indexed durable and visible",
    ),
    MetricDef::gauge(DOCUMENTS, Count, "products that the search index holds"),
    MetricDef::gauge(SEGMENTS, Count, "segments of the search index"),
    MetricDef::gauge(POSITION, Count, "log position up to which the search index has everything"),
];

pub(crate) fn committed(took: Duration) {
    histogram!(COMMIT).record(took.as_secs_f64());
}

// Gauges are floats: above 2^53 a position loses its last digits, which no chart shows.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn published(searcher: &Searcher, position: Position) {
    gauge!(DOCUMENTS).set(searcher.num_docs() as f64);
    gauge!(SEGMENTS).set(searcher.segment_readers().len() as f64);
    gauge!(POSITION).set(position.at.0 as f64);
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_catalogue_keeps_the_rules() {
        assert_eq!(observability::metric::check(&[super::CATALOGUE]), Ok(()));
    }
}
