use axum::extract::State;
use domain::order::Command;

use super::KIND;
use crate::commands::Commands;
use crate::http::{AggregateId, Answer, Envelope, Failure, Operation, Order, carry_out};
use crate::routes::Plain;

const OPERATION: Operation = Operation { name: "mark-order-delivered", kind: KIND, creates: false };

/// Says that an order arrived.
#[utoipa::path(post, path = "/v1/orders/{id}/mark-delivered", tag = "orders", request_body = Option<Plain>,
    params(("id" = Uuid, Path, description = "The order")), responses((status = 200, body = Answer)))]
pub(crate) async fn mark_order_delivered(
    State(commands): State<Commands>,
    AggregateId(id): AggregateId,
    Envelope { body, sent }: Envelope<Plain>,
) -> Result<Answer, Failure> {
    carry_out(
        &commands,
        &commands.orders,
        &OPERATION,
        Order::new(id, Command::MarkDelivered, body.occurred_at),
        sent,
    )
    .await
}
