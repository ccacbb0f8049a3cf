//! What this crate measures.

use std::time::Duration;

use observability::metric::DURATION_BUCKETS;
use observability::metric::MetricUnit::{Count, Seconds};
use observability::{Label, MetricDef};

use crate::gateway::GatewayError;

const GATEWAY_DURATION: &str = "gateway_call_duration_seconds";
const COMPENSATIONS: &str = "saga_compensations_total";
const REFUSED: &str = "saga_commands_refused_total";
const LEDGER_CALLS: &str = "sandbox_calls_total";

/// What can be asked of the gateways, which the sandbox answers.
const OPERATIONS: &[&str] = &["authorize", "capture", "void", "refund", "carry", "track"];

/// Every metric of this crate.
pub const CATALOGUE: &[MetricDef] = &[
    MetricDef::histogram(
        GATEWAY_DURATION,
        Seconds,
        DURATION_BUCKETS,
        "Time from a call of a gateway to its answer",
    )
    .by(&[
        Label::one_of("gateway", &["payment", "shipping"]),
        Label::one_of("operation", OPERATIONS),
        Label::one_of("outcome", &["answered", "unavailable", "refused", "not_yet"]),
    ]),
    MetricDef::counter(
        COMPENSATIONS,
        Count,
        "Commands of sagas that take back what was done, and what came of them",
    )
    .by(&[
        Label::each("saga", "saga"),
        Label::each("command", "command of a saga"),
        Label::one_of("result", &["done", "nothing_to_change", "refused"]),
    ]),
    MetricDef::counter(REFUSED, Count, "Commands of sagas that were refused, or had nothing to change").by(
        &[
            Label::each("saga", "saga"),
            Label::each("command", "command of a saga"),
            Label::one_of("reason", &["nothing_to_change", "gateway", "rejected"]),
        ],
    ),
    MetricDef::counter(LEDGER_CALLS, Count, "Calls that the sandbox has answered")
        .by(&[Label::one_of("kind", OPERATIONS)]),
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

pub(crate) fn record_compensation(saga: &'static str, command: &'static str, result: &'static str) {
    metrics::counter!(COMPENSATIONS, "saga" => saga, "command" => command, "result" => result).increment(1);
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
