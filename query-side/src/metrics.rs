//! The metrics of this service.

use observability::metric::{DURATION_BUCKETS, MetricDef, MetricKind, MetricUnit, STORAGE_DURATION_BUCKETS};

pub(crate) const OPERATION_DURATION: &str = "graphql_operation_duration_seconds";
pub(crate) const ERRORS: &str = "graphql_errors_total";
pub(crate) const REJECTED: &str = "graphql_rejected_total";
pub(crate) const POSITION_WAIT: &str = "graphql_position_wait_seconds";
pub(crate) const SEARCH_DURATION: &str = "search_query_duration_seconds";

/// Every metric of this crate.
pub const CATALOGUE: &[MetricDef] = &[
    MetricDef {
        name: OPERATION_DURATION,
        kind: MetricKind::Histogram,
        unit: MetricUnit::Seconds,
        help: "from a parsed operation to its answer, waiting for a position included",
        labels: &["type"],
        buckets: DURATION_BUCKETS,
    },
    MetricDef {
        name: ERRORS,
        kind: MetricKind::Counter,
        unit: MetricUnit::Count,
        help: "errors in answers by their public code",
        labels: &["code"],
        buckets: &[],
    },
    MetricDef {
        name: REJECTED,
        kind: MetricKind::Counter,
        unit: MetricUnit::Count,
        help: "requests refused before anything was read: depth, complexity or overload",
        labels: &["reason"],
        buckets: &[],
    },
    MetricDef {
        name: POSITION_WAIT,
        kind: MetricKind::Histogram,
        unit: MetricUnit::Seconds,
        help: "how long requests with a position waited until the read model was there, or gave up",
        labels: &["outcome"],
        buckets: DURATION_BUCKETS,
    },
    MetricDef {
        name: SEARCH_DURATION,
        kind: MetricKind::Histogram,
        unit: MetricUnit::Seconds,
        help: "how long the search index took to find a page of hits",
        labels: &[],
        buckets: STORAGE_DURATION_BUCKETS,
    },
];

#[cfg(test)]
mod tests {
    #[test]
    fn the_catalogue_keeps_the_rules() {
        assert_eq!(observability::metric::check(&[super::CATALOGUE]), Ok(()));
    }
}
