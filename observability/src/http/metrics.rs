//! The metrics of HTTP servers, named as the OpenTelemetry conventions do.

use crate::metric::{DURATION_BUCKETS, MetricDef, MetricKind, MetricUnit};

pub(super) const DURATION: &str = "http_server_request_duration_seconds";
pub(super) const ACTIVE: &str = "http_server_active_requests";

/// The route of a request that no route matches: one label value, whatever the path was.
pub const UNMATCHED: &str = "unmatched";

/// The status of a request whose client went away before the answer.
pub const ABANDONED: &str = "499";

/// Every metric of this module.
pub const CATALOGUE: &[MetricDef] = &[
    MetricDef {
        name: DURATION,
        kind: MetricKind::Histogram,
        unit: MetricUnit::Seconds,
        help: "from the head of a request to the head of its answer; 499 means that the client went away",
        labels: &["method", "route", "status"],
        buckets: DURATION_BUCKETS,
    },
    MetricDef {
        name: ACTIVE,
        kind: MetricKind::Gauge,
        unit: MetricUnit::Count,
        help: "requests being answered right now",
        labels: &[],
        buckets: &[],
    },
];
