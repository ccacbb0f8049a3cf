//! The metrics of the search index. Those of the views are the engine's.

use std::time::Duration;

use contract::Position;
use metrics::{gauge, histogram};
use observability::metric::STORAGE_DURATION_BUCKETS;
use observability::{MetricDef, MetricKind, MetricUnit};
use tantivy::Searcher;

const COMMIT: &str = "search_index_commit_duration_seconds";
const DOCUMENTS: &str = "search_index_documents";
const SEGMENTS: &str = "search_index_segments";
const POSITION: &str = "search_index_position";

/// What the indexer records.
pub const CATALOGUE: &[MetricDef] = &[
    MetricDef {
        name: COMMIT,
        kind: MetricKind::Histogram,
        unit: MetricUnit::Seconds,
        help: "time to make what was indexed durable and visible",
        labels: &["version"],
        buckets: STORAGE_DURATION_BUCKETS,
    },
    MetricDef {
        name: DOCUMENTS,
        kind: MetricKind::Gauge,
        unit: MetricUnit::Count,
        help: "products that the search index holds",
        labels: &["version"],
        buckets: &[],
    },
    MetricDef {
        name: SEGMENTS,
        kind: MetricKind::Gauge,
        unit: MetricUnit::Count,
        help: "segments of the search index",
        labels: &["version"],
        buckets: &[],
    },
    MetricDef {
        name: POSITION,
        kind: MetricKind::Gauge,
        unit: MetricUnit::Count,
        help: "log position up to which the search index has everything",
        labels: &["version"],
        buckets: &[],
    },
];

pub(crate) fn committed(version: i32, took: Duration) {
    histogram!(COMMIT, "version" => version.to_string()).record(took.as_secs_f64());
}

// Gauges are floats: above 2^53 a position loses its last digits, which no chart shows.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn published(version: i32, searcher: &Searcher, position: Position) {
    let version = version.to_string();
    gauge!(DOCUMENTS, "version" => version.clone()).set(searcher.num_docs() as f64);
    gauge!(SEGMENTS, "version" => version.clone()).set(searcher.segment_readers().len() as f64);
    gauge!(POSITION, "version" => version).set(position.at.0 as f64);
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_catalogue_keeps_the_rules() {
        assert_eq!(observability::metric::check(&[super::CATALOGUE]), Ok(()));
    }
}
