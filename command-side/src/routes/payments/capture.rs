use axum::extract::State;
use domain::payment::Command;

use super::KIND;
use crate::commands::Commands;
use crate::http::{AggregateId, Answer, Envelope, Failure, Operation, Order, carry_out};
use crate::routes::Plain;

const OPERATION: Operation = Operation { name: "capture-payment", kind: KIND, creates: false };

/// Says that the gateway has taken the money.
#[utoipa::path(post, path = "/v1/payments/{id}/capture", tag = "payments", request_body = Option<Plain>,
    params(("id" = Uuid, Path, description = "The payment")), responses((status = 200, body = Answer)))]
pub(crate) async fn capture_payment(
    State(commands): State<Commands>,
    AggregateId(id): AggregateId,
    Envelope { body, sent }: Envelope<Plain>,
) -> Result<Answer, Failure> {
    carry_out(
        &commands,
        &commands.payments,
        &OPERATION,
        Order::new(id, Command::Capture, body.occurred_at),
        sent,
    )
    .await
}
