use axum::extract::State;
use domain::ids::OrderId;
use domain::stock::Action;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{KIND, act};
use crate::commands::Commands;
use crate::http::{AggregateId, Answer, Envelope, Failure, Operation};

const OPERATION: Operation = Operation { name: "ship-stock", kind: KIND, creates: false };

/// A reservation to be shipped.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ShipStock {
    /// Of which order.
    #[schema(value_type = Uuid)]
    order_id: OrderId,
    /// When it happened; now, when not given.
    #[schema(value_type = Option<String>, format = DateTime)]
    occurred_at: Option<Timestamp>,
}

/// Hands what was set aside for an order to the carrier.
#[utoipa::path(post, path = "/v1/stock/{productId}/ship", tag = "stock", request_body = ShipStock,
    params(("productId" = Uuid, Path, description = "The product")), responses((status = 200, body = Answer)))]
pub(crate) async fn ship_stock(
    State(commands): State<Commands>,
    AggregateId(product): AggregateId,
    Envelope { body, sent }: Envelope<ShipStock>,
) -> Result<Answer, Failure> {
    let action = Action::Ship { order_id: body.order_id };
    act(&commands, &OPERATION, product, action, body.occurred_at, sent).await
}
