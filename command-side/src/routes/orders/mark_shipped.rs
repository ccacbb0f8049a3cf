use axum::extract::State;
use domain::ids::{OrderId, ShipmentId};
use domain::order::Command;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::KIND;
use crate::commands::Commands;
use crate::http::{AggregateId, Answer, Envelope, Failure, Operation, Order, prepare_and_carry_out};
use crate::routes::references::{Reference, Referring};

const OPERATION: Operation = Operation { name: "mark-order-shipped", kind: KIND, creates: false };

/// With what an order left the house.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct MarkOrderShipped {
    /// With which of its shipments.
    #[schema(value_type = Uuid)]
    shipment_id: ShipmentId,
    /// When it happened; now, when not given.
    #[schema(value_type = Option<String>, format = DateTime)]
    occurred_at: Option<Timestamp>,
}

/// Says that an order left the house.
#[utoipa::path(post, path = "/v1/orders/{id}/mark-shipped", tag = "orders", request_body = MarkOrderShipped,
    params(("id" = Uuid, Path, description = "The order")), responses((status = 200, body = Answer)))]
pub(crate) async fn mark_order_shipped(
    State(commands): State<Commands>,
    AggregateId(id): AggregateId,
    Envelope { body, sent }: Envelope<MarkOrderShipped>,
) -> Result<Answer, Failure> {
    let command = Referring {
        command: Command::MarkShipped { shipment_id: body.shipment_id },
        references: vec![Reference::Shipment(body.shipment_id, OrderId(id))],
        commands: commands.clone(),
    };
    prepare_and_carry_out(
        &commands,
        &commands.orders,
        &OPERATION,
        Order::new(id, command, body.occurred_at),
        sent,
    )
    .await
}
