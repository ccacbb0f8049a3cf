use axum::extract::State;
use domain::stock::Action;
use domain::value::Quantity;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{KIND, act};
use crate::commands::Commands;
use crate::http::{AggregateId, Answer, Envelope, Failure, Operation};

const OPERATION: Operation = Operation { name: "receive-stock", kind: KIND, creates: false };

/// Units that came in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ReceiveStock {
    /// How many.
    #[schema(value_type = i64, minimum = 1, maximum = 2147483647, example = 6)]
    quantity: Quantity,
    /// When it happened; now, when not given.
    #[schema(value_type = Option<String>, format = DateTime)]
    occurred_at: Option<Timestamp>,
}

/// Takes in units from a supplier.
#[utoipa::path(post, path = "/v1/stock/{productId}/receive", tag = "stock", request_body = ReceiveStock,
    params(("productId" = Uuid, Path, description = "The product")), responses((status = 200, body = Answer)))]
pub(crate) async fn receive_stock(
    State(commands): State<Commands>,
    AggregateId(product): AggregateId,
    Envelope { body, sent }: Envelope<ReceiveStock>,
) -> Result<Answer, Failure> {
    let action = Action::Receive { quantity: body.quantity };
    act(&commands, &OPERATION, product, action, body.occurred_at, sent).await
}
