use axum::extract::State;
use domain::ids::OrderId;
use domain::stock::Action;
use domain::value::Quantity;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{KIND, act};
use crate::commands::Commands;
use crate::http::{AggregateId, Answer, Envelope, Failure, Operation};

const OPERATION: Operation = Operation { name: "reserve-stock", kind: KIND, creates: false };

/// Units to be set aside.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ReserveStock {
    /// For which order.
    #[schema(value_type = Uuid)]
    order_id: OrderId,
    /// How many, all lines of the order together.
    #[schema(value_type = i64, minimum = 1, maximum = 2147483647, example = 6)]
    quantity: Quantity,
    /// When it happened; now, when not given.
    #[schema(value_type = Option<String>, format = DateTime)]
    occurred_at: Option<Timestamp>,
}

/// Sets units aside for an order.
#[utoipa::path(post, path = "/v1/stock/{productId}/reserve", tag = "stock", request_body = ReserveStock,
    params(("productId" = Uuid, Path, description = "The product")), responses((status = 200, body = Answer)))]
pub(crate) async fn reserve_stock(
    State(commands): State<Commands>,
    AggregateId(product): AggregateId,
    Envelope { body, sent }: Envelope<ReserveStock>,
) -> Result<Answer, Failure> {
    let action = Action::Reserve { order_id: body.order_id, quantity: body.quantity };
    act(&commands, &OPERATION, product, action, body.occurred_at, sent).await
}
