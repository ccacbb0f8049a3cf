//! The metrics of this service.

use observability::metric::MetricUnit::{Count, Seconds};
use observability::metric::{COUNT_BUCKETS, DURATION_BUCKETS, STORAGE_DURATION_BUCKETS};
use observability::{Label, MetricDef};

pub(crate) const OPERATION_DURATION: &str = "graphql_operation_duration_seconds";
pub(crate) const RESOLVER_DURATION: &str = "graphql_resolver_duration_seconds";
pub(crate) const COMPLEXITY: &str = "graphql_query_complexity";
pub(crate) const DEPTH: &str = "graphql_query_depth";
pub(crate) const ERRORS: &str = "graphql_errors_total";
pub(crate) const FAILED_ANSWERS: &str = "graphql_failed_answers_total";
pub(crate) const REJECTED: &str = "graphql_rejected_total";
pub(crate) const POSITION_WAIT: &str = "graphql_position_wait_seconds";
pub(crate) const SEARCH_DURATION: &str = "search_query_duration_seconds";
pub(crate) const POOL_MAX: &str = "postgres_pool_connections_max";
pub(crate) const POOL_WAITING: &str = "postgres_pool_waiting";
pub(crate) const POOL_WAIT: &str = "postgres_pool_wait_seconds";
pub(crate) const POOL_TIMEOUTS: &str = "postgres_pool_timeouts_total";

/// Up to what is refused.
const COMPLEXITY_BUCKETS: &[f64] = &[10.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0];

/// Every metric of this crate.
pub const CATALOGUE: &[MetricDef] = &[
    MetricDef::histogram(
        OPERATION_DURATION,
        Seconds,
        DURATION_BUCKETS,
        "from a parsed operation to its answer, waiting for a position included",
    )
    .by(&[Label::one_of("type", &["query", "mutation", "subscription"])]),
    MetricDef::histogram(
        RESOLVER_DURATION,
        Seconds,
        STORAGE_DURATION_BUCKETS,
        "how long a field that gives objects took, of the first 32 of each operation; what it shares with others counts for each",
    )
    .by(&[Label::each("field", "field of the schema that gives objects")]),
    MetricDef::histogram(COMPLEXITY, Count, COMPLEXITY_BUCKETS, "complexity of the operations that were not refused for it"),
    MetricDef::histogram(DEPTH, Count, COUNT_BUCKETS, "how deep the fields of an operation stand in one another"),
    MetricDef::counter(ERRORS, Count, "errors in answers by their public code")
        .by(&[Label::each("code", "error code")]),
    MetricDef::counter(
        FAILED_ANSWERS,
        Count,
        "answers with status 200 that hold an error of ours; those that failed as a whole have a status of 429 or 5xx",
    ),
    MetricDef::counter(
        REJECTED,
        Count,
        "requests refused before anything was read: depth, complexity or overload",
    )
    .by(&[Label::one_of("reason", &["depth", "complexity", "overload"])]),
    MetricDef::histogram(
        POSITION_WAIT,
        Seconds,
        DURATION_BUCKETS,
        "how long requests with a position waited until the read model was there, or gave up",
    )
    .by(&[Label::one_of("outcome", &["reached", "behind", "error"])]),
    MetricDef::histogram(
        SEARCH_DURATION,
        Seconds,
        STORAGE_DURATION_BUCKETS,
        "how long the search index took to find a page of hits",
    ),
    MetricDef::gauge(POOL_MAX, Count, "connections to Postgres that queries may have at once"),
    MetricDef::gauge(POOL_WAITING, Count, "queries that wait for a connection to Postgres right now"),
    MetricDef::histogram(
        POOL_WAIT,
        Seconds,
        STORAGE_DURATION_BUCKETS,
        "how long queries waited for a connection to Postgres, until they had it or gave up",
    ),
    MetricDef::counter(POOL_TIMEOUTS, Count, "queries that got no connection to Postgres in time"),
];

#[cfg(test)]
mod tests {
    #[test]
    fn the_catalogue_keeps_the_rules() {
        assert_eq!(observability::metric::check(&[super::CATALOGUE]), Ok(()));
    }
}
