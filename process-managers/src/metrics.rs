//! What this crate measures.

use std::time::Duration;

use observability::metric::DURATION_BUCKETS;
use observability::{MetricDef, MetricKind, MetricUnit};

use crate::gateway::GatewayError;

const GATEWAY_DURATION: &str = "gateway_call_duration_seconds";
const REFUSED: &str = "saga_commands_refused_total";
const LEDGER_CALLS: &str = "sandbox_calls_total";

/// Every metric of this crate.
pub const CATALOGUE: &[MetricDef] = &[
    MetricDef {
        name: GATEWAY_DURATION,
        kind: MetricKind::Histogram,
        unit: MetricUnit::Seconds,
        help: "Time from a call of a gateway to its answer",
        labels: &["gateway", "operation", "outcome"],
        buckets: DURATION_BUCKETS,
    },
    MetricDef {
        name: REFUSED,
        kind: MetricKind::Counter,
        unit: MetricUnit::Count,
        help: "Commands of sagas that were refused, or had nothing to change",
        labels: &["saga", "command", "reason"],
        buckets: &[],
    },
    MetricDef {
        name: LEDGER_CALLS,
        kind: MetricKind::Counter,
        unit: MetricUnit::Count,
        help: "Calls that the sandbox has answered",
        labels: &["kind"],
        buckets: &[],
    },
];

pub(crate) fn record_gateway_call(
    gateway: &'static str,
    operation: &'static str,
    took: Duration,
    error: Option<&GatewayError>,
) {
    let outcome = match error {
        None => "answered",
        Some(GatewayError::Unavailable(_)) => "unavailable",
        Some(GatewayError::Refused(_)) => "refused",
        Some(GatewayError::NotYet) => "not_yet",
    };
    metrics::histogram!(GATEWAY_DURATION, "gateway" => gateway, "operation" => operation, "outcome" => outcome)
        .record(took.as_secs_f64());
}

pub(crate) fn record_refused(saga: &'static str, command: &'static str, reason: &'static str) {
    metrics::counter!(REFUSED, "saga" => saga, "command" => command, "reason" => reason).increment(1);
}

pub(crate) fn record_sandbox_call(kind: &'static str) {
    metrics::counter!(LEDGER_CALLS, "kind" => kind).increment(1);
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_catalogue_keeps_the_rules() {
        observability::metric::check(&[super::CATALOGUE]).unwrap();
    }
}
