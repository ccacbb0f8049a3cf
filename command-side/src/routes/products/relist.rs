use axum::extract::State;
use domain::product::Command;

use super::KIND;
use crate::commands::Commands;
use crate::http::{AggregateId, Answer, Envelope, Failure, Operation, Order, carry_out};
use crate::routes::Plain;

const OPERATION: Operation = Operation { name: "relist-product", kind: KIND, creates: false };

/// Puts a product back into the catalogue, as it was.
#[utoipa::path(post, path = "/v1/products/{id}/relist", tag = "products", request_body = Option<Plain>,
    params(("id" = Uuid, Path, description = "The product")), responses((status = 200, body = Answer)))]
pub(crate) async fn relist_product(
    State(commands): State<Commands>,
    AggregateId(id): AggregateId,
    Envelope { body, sent }: Envelope<Plain>,
) -> Result<Answer, Failure> {
    carry_out(
        &commands,
        &commands.products,
        &OPERATION,
        Order::new(id, Command::Relist, body.occurred_at),
        sent,
    )
    .await
}
