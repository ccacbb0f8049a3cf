//! The sagas and what they ask of others.

use crate::board::{Board, Row, Whose};
use crate::panel::{lines, stat};

pub(super) fn board() -> Board {
    Board {
        uid: "headwater-sagas",
        title: "Headwater: sagas and payments",
        description: "Orders and returns on their way, the commands that move them, and the gateways for payment and shipping.",
        whose: Whose::Headwater,
        rows: vec![work(), gateways()],
    }
}

fn work() -> Row {
    Row::new(
        "Sagas",
        [
            stat("Under way", "none", "Orders and returns that are not over.")
                .query("{{saga}}", r#"max by (saga) (saga_instances{@, state="running"})"#),
            stat("Stuck", "none", "Refused, and without an answer to it: they stand still until somebody helps.")
                .query("{{saga}}", r#"max by (saga) (saga_instances{@, state="stuck"})"#)
                .thresholds(1.0, 20.0)
                .runbook("SagasStuck"),
            stat("To do", "none", "Commands that no event has answered yet, deadlines among them.")
                .query("{{saga}}", "max by (saga) (saga_outbox_commands{@})"),
            stat("Waits longest", "s", "How long the command that has waited longest could have been carried out.")
                .query("{{saga}}", "max by (saga) (saga_oldest_command_seconds{@})")
                .thresholds(60.0, 600.0)
                .runbook("PaymentsFailing"),
            stat("Being carried out", "none", "Commands that are under way.")
                .query("{{saga}}", "max by (saga) (saga_commands_in_flight{@})"),
            lines("By state", "none", "Orders and returns by how far they are.")
                .query("{{saga}} {{state}}", "max by (saga, state) (saga_instances{@})"),
            lines("Commands sent", "ops", "By what came of them; those that failed or came too early are sent again.").query(
                "{{saga}} {{outcome}}",
                "sum by (saga, outcome) (rate(saga_commands_total{@}[$__rate_interval]))",
            ),
            lines("Time of a command", "s", "To carry out one command of a saga, or to fail.").query(
                "p99 {{saga}}",
                "histogram_quantile(0.99, sum by (le, saga) (rate(saga_dispatch_seconds_bucket{@}[$__rate_interval])))",
            ),
            lines("Taken back", "ops", "Commands that take back what was done for an order that is called off, and what came of them.").query(
                "{{command}} {{result}}",
                "sum by (command, result) (rate(saga_compensations_total{@}[$__rate_interval]))",
            ),
            lines("Deadlines passed", "ops", "Commands with a time of their own that no event withdrew before it.")
                .query("{{saga}}", "sum by (saga) (rate(saga_timeouts_total{@}[$__rate_interval]))"),
            lines("Refused", "ops", "Commands that were refused, or had nothing to change.").query(
                "{{command}} {{reason}}",
                "sum by (command, reason) (rate(saga_commands_refused_total{@}[$__rate_interval]))",
            ),
        ],
    )
}

fn gateways() -> Row {
    Row::new(
        "Payment and shipping",
        [
            lines("Calls", "reqps", "Calls of the gateways, by what is asked for.").query(
                "{{gateway}} {{operation}}",
                "sum by (gateway, operation) (rate(gateway_call_duration_seconds_count{@}[$__rate_interval]))",
            ),
            lines("Without an answer", "percentunit", "The share of calls that got none; they are made again.")
                .query(
                    "{{gateway}}",
                    r#"sum by (gateway) (rate(gateway_call_duration_seconds_count{@, outcome="unavailable"}[$__rate_interval]) or 0 * rate(gateway_call_duration_seconds_count{@}[$__rate_interval])) / (sum by (gateway) (rate(gateway_call_duration_seconds_count{@}[$__rate_interval])) > 0)"#,
                )
                .thresholds(0.01, 0.1)
                .runbook("PaymentsFailing"),
            lines("Time to answer", "s", "How long the gateways take.").query(
                "p99 {{gateway}} {{operation}}",
                "histogram_quantile(0.99, sum by (le, gateway, operation) (rate(gateway_call_duration_seconds_bucket{@}[$__rate_interval])))",
            ),
            lines("Sandbox", "reqps", "Calls that the sandbox has answered, where it stands in for the gateways.").query(
                "{{kind}}",
                "sum by (kind) (rate(sandbox_calls_total{@}[$__rate_interval]))",
            ),
        ],
    )
}
