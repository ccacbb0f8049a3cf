use axum::extract::State;
use domain::shipment::Command;
use domain::value::Reason;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::KIND;
use crate::commands::Commands;
use crate::http::{AggregateId, Answer, Envelope, Failure, Operation, Order, carry_out};

const OPERATION: Operation = Operation { name: "fail-shipment", kind: KIND, creates: false };

/// Why the goods did not arrive.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct FailShipment {
    /// Why.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    reason: Reason,
    /// When it happened; now, when not given.
    #[schema(value_type = Option<String>, format = DateTime)]
    occurred_at: Option<Timestamp>,
}

/// Says that the goods did not arrive, or could not be sent.
#[utoipa::path(post, path = "/v1/shipments/{id}/fail", tag = "shipments", request_body = FailShipment,
    params(("id" = Uuid, Path, description = "The shipment")), responses((status = 200, body = Answer)))]
pub(crate) async fn fail_shipment(
    State(commands): State<Commands>,
    AggregateId(id): AggregateId,
    Envelope { body, sent }: Envelope<FailShipment>,
) -> Result<Answer, Failure> {
    let command = Command::Fail { reason: body.reason };
    carry_out(&commands, &commands.shipments, &OPERATION, Order::new(id, command, body.occurred_at), sent)
        .await
}
