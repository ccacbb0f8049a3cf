//! The query side: GraphQL and search.

use crate::board::{Board, Row, Whose};
use crate::panel::{lines, stat};

pub(super) fn board() -> Board {
    Board {
        uid: "headwater-queries",
        title: "Headwater: queries and search",
        description: "GraphQL operations, their errors, waiting for a position, and the search index.",
        whose: Whose::Headwater,
        rows: vec![now(), operations(), search()],
    }
}

fn now() -> Row {
    Row::new(
        "Now",
        [
            stat("Operations", "reqps", "GraphQL operations a second.")
                .query("operations", "sum(rate(graphql_operation_duration_seconds_count{@}[$__rate_interval]))"),
            stat("p99", "s", "99 of 100 operations are answered within this time.")
                .query(
                    "p99",
                    "histogram_quantile(0.99, sum by (le) (rate(graphql_operation_duration_seconds_bucket{@}[$__rate_interval])))",
                )
                .thresholds(0.1, 0.25)
                .runbook("QueryLatencyBurn"),
            stat("Waiting for Postgres", "none", "Queries that wait for a connection.")
                .query("queries", "sum(postgres_pool_waiting{@})")
                .thresholds(1.0, 10.0)
                .runbook("DatabasePoolExhausted"),
            stat("Documents", "none", "Products in the search index.")
                .query("products", "max(search_index_documents{@})"),
        ],
    )
}

fn operations() -> Row {
    Row::new(
        "GraphQL",
        [
            lines("Operations by type", "reqps", "Queries, mutations and subscriptions.").query(
                "{{type}}",
                "sum by (type) (rate(graphql_operation_duration_seconds_count{@}[$__rate_interval]))",
            ),
            lines("Time to answer", "s", "From a parsed operation to its answer, waiting for a position included.")
                .percentiles("graphql_operation_duration_seconds", "@")
                .thresholds(0.1, 0.25)
                .runbook("QueryLatencyBurn"),
            lines("Errors", "ops", "Errors in answers by their code; those that are not ours are here, too.")
                .query("{{code}}", "sum by (code) (rate(graphql_errors_total{@}[$__rate_interval]))")
                .runbook("QueryAvailabilityBurn"),
            lines("Answers with an error of ours", "ops", "Answers with status 200 that hold one; other failures have a status of their own.")
                .query("answers", "sum(rate(graphql_failed_answers_total{@}[$__rate_interval]))")
                .query(
                    "{{status}}",
                    r#"sum by (status) (rate(http_server_request_duration_seconds_count{@, route="/graphql", status=~"429|5.."}[$__rate_interval]))"#,
                )
                .runbook("QueryAvailabilityBurn"),
            lines("Refused", "ops", "Refused before anything was read: too deep, too complex, or too many at once.")
                .query("{{reason}}", "sum by (reason) (rate(graphql_rejected_total{@}[$__rate_interval]))"),
            lines("Slowest fields", "s", "What a field that gives objects takes at p95, of the first 32 of an operation.")
                .query(
                    "{{field}}",
                    "topk(10, histogram_quantile(0.95, sum by (le, field) (rate(graphql_resolver_duration_seconds_bucket{@}[$__rate_interval]))))",
                ),
            lines("Complexity", "none", "What the operations ask for; above 10,000 one is refused.")
                .percentiles("graphql_query_complexity", "@"),
            lines("Depth", "none", "How deep the fields of the operations stand in one another.")
                .percentiles("graphql_query_depth", "@"),
            lines("Waiting for a position", "s", "How long requests with a position waited until the views were there.")
                .percentiles("graphql_position_wait_seconds", "@"),
            lines("What came of waiting", "reqps", "Requests with a position: reached it, or gave up.").query(
                "{{outcome}}",
                "sum by (outcome) (rate(graphql_position_wait_seconds_count{@}[$__rate_interval]))",
            ),
        ],
    )
}

fn search() -> Row {
    Row::new(
        "Search",
        [
            lines("Time to search", "s", "How long the index takes to find a page of hits.")
                .percentiles("search_query_duration_seconds", "@"),
            lines("Behind its table", "bytes", "Bytes of the log between the index and its table.")
                .query(
                    "index",
                    r#"clamp_min(max(projection_checkpoint_position{@, projection="catalogue"}) - max(search_index_position{@}), 0)"#,
                )
                .runbook("SearchIndexBehind"),
            lines("Time of a commit", "s", "To make durable and visible what was indexed.")
                .percentiles("search_index_commit_duration_seconds", "@"),
            lines("Segments", "none", "Files that a search looks into; many make it slow.")
                .query("{{instance}}", "max by (instance) (search_index_segments{@})"),
        ],
    )
}
