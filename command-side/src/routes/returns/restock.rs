use axum::extract::State;
use domain::returns::Command;

use super::KIND;
use crate::commands::Commands;
use crate::http::{AggregateId, Answer, Envelope, Failure, Operation, Order, carry_out};
use crate::routes::Plain;

const OPERATION: Operation = Operation { name: "restock-return", kind: KIND, creates: false };

/// Says that the goods of a return are back on the shelf.
#[utoipa::path(post, path = "/v1/returns/{id}/restock", tag = "returns", request_body = Option<Plain>,
    params(("id" = Uuid, Path, description = "The return")), responses((status = 200, body = Answer)))]
pub(crate) async fn restock_return(
    State(commands): State<Commands>,
    AggregateId(id): AggregateId,
    Envelope { body, sent }: Envelope<Plain>,
) -> Result<Answer, Failure> {
    carry_out(
        &commands,
        &commands.returns,
        &OPERATION,
        Order::new(id, Command::MarkRestocked, body.occurred_at),
        sent,
    )
    .await
}
