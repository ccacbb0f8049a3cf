//! The metrics of HTTP servers, named as the OpenTelemetry conventions do.

use crate::metric::{DURATION_BUCKETS, Label, MetricDef, MetricUnit};

pub(super) const DURATION: &str = "http_server_request_duration_seconds";
pub(super) const ACTIVE: &str = "http_server_active_requests";

/// What the method of a request is called; the last for all that no handler takes.
const METHODS: &[&str] = &["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "_OTHER"];

/// The route of a request that no route matches: one label value, whatever the path was.
pub const UNMATCHED: &str = "unmatched";

/// The status of a request whose client went away before the answer.
pub const ABANDONED: &str = "499";

/// Every metric of this module.
pub const CATALOGUE: &[MetricDef] = &[
    MetricDef::histogram(
        DURATION,
        MetricUnit::Seconds,
        DURATION_BUCKETS,
        "from the head of a request to the head of its answer; 499 means that the client went away",
    )
    .by(&[
        Label::one_of("method", METHODS),
        Label::each("route", "route, and `unmatched` for all others"),
        Label::each("status", "status of HTTP"),
    ]),
    MetricDef::gauge(ACTIVE, MetricUnit::Count, "requests being answered right now"),
];
