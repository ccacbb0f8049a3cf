use axum::extract::State;
use domain::ids::OrderId;
use domain::stock::Action;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{KIND, act};
use crate::commands::Commands;
use crate::http::{AggregateId, Answer, Envelope, Failure, Operation};

const OPERATION: Operation = Operation { name: "release-stock", kind: KIND, creates: false };

/// A reservation to be given up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ReleaseStock {
    /// Of which order.
    #[schema(value_type = Uuid)]
    order_id: OrderId,
    /// When it happened; now, when not given.
    #[schema(value_type = Option<String>, format = DateTime)]
    occurred_at: Option<Timestamp>,
}

/// Gives up what was set aside for an order.
#[utoipa::path(post, path = "/v1/stock/{productId}/release", tag = "stock", request_body = ReleaseStock,
    params(("productId" = Uuid, Path, description = "The product")), responses((status = 200, body = Answer)))]
pub(crate) async fn release_stock(
    State(commands): State<Commands>,
    AggregateId(product): AggregateId,
    Envelope { body, sent }: Envelope<ReleaseStock>,
) -> Result<Answer, Failure> {
    let action = Action::Release { order_id: body.order_id };
    act(&commands, &OPERATION, product, action, body.occurred_at, sent).await
}
