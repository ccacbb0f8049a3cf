use axum::extract::State;
use domain::user::Command;

use super::KIND;
use crate::commands::Commands;
use crate::http::{AggregateId, Answer, Envelope, Failure, Operation, Order, carry_out};
use crate::routes::Plain;

const OPERATION: Operation = Operation { name: "deactivate-user", kind: KIND, creates: false };

/// Closes a customer's account.
#[utoipa::path(post, path = "/v1/users/{id}/deactivate", tag = "users", request_body = Option<Plain>,
    params(("id" = Uuid, Path, description = "The user")), responses((status = 200, body = Answer)))]
pub(crate) async fn deactivate_user(
    State(commands): State<Commands>,
    AggregateId(id): AggregateId,
    Envelope { body, sent }: Envelope<Plain>,
) -> Result<Answer, Failure> {
    carry_out(
        &commands,
        &commands.users,
        &OPERATION,
        Order::new(id, Command::Deactivate, body.occurred_at),
        sent,
    )
    .await
}
