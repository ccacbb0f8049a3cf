use axum::extract::State;
use domain::shipment::Command;
use domain::value::GatewayReference;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::KIND;
use crate::commands::Commands;
use crate::http::{AggregateId, Answer, Envelope, Failure, Operation, Order, carry_out};

const OPERATION: Operation = Operation { name: "dispatch-shipment", kind: KIND, creates: false };

/// What the carrier has.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct DispatchShipment {
    /// What the carrier calls it.
    #[schema(value_type = String, min_length = 1, max_length = 128)]
    reference: GatewayReference,
    /// When it happened; now, when not given.
    #[schema(value_type = Option<String>, format = DateTime)]
    occurred_at: Option<Timestamp>,
}

/// Says that the carrier has the goods.
#[utoipa::path(post, path = "/v1/shipments/{id}/dispatch", tag = "shipments", request_body = DispatchShipment,
    params(("id" = Uuid, Path, description = "The shipment")), responses((status = 200, body = Answer)))]
pub(crate) async fn dispatch_shipment(
    State(commands): State<Commands>,
    AggregateId(id): AggregateId,
    Envelope { body, sent }: Envelope<DispatchShipment>,
) -> Result<Answer, Failure> {
    let command = Command::Dispatch { reference: body.reference };
    carry_out(&commands, &commands.shipments, &OPERATION, Order::new(id, command, body.occurred_at), sent)
        .await
}
