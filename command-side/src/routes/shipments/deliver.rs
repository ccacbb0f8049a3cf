use axum::extract::State;
use domain::shipment::Command;

use super::KIND;
use crate::commands::Commands;
use crate::http::{AggregateId, Answer, Envelope, Failure, Operation, Order, carry_out};
use crate::routes::Plain;

const OPERATION: Operation = Operation { name: "deliver-shipment", kind: KIND, creates: false };

/// Says that the goods arrived.
#[utoipa::path(post, path = "/v1/shipments/{id}/deliver", tag = "shipments", request_body = Option<Plain>,
    params(("id" = Uuid, Path, description = "The shipment")), responses((status = 200, body = Answer)))]
pub(crate) async fn deliver_shipment(
    State(commands): State<Commands>,
    AggregateId(id): AggregateId,
    Envelope { body, sent }: Envelope<Plain>,
) -> Result<Answer, Failure> {
    carry_out(
        &commands,
        &commands.shipments,
        &OPERATION,
        Order::new(id, Command::Deliver, body.occurred_at),
        sent,
    )
    .await
}
