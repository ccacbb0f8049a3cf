use axum::extract::State;
use domain::stock::Action;
use domain::value::{QuantityChange, Reason};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{KIND, act};
use crate::commands::Commands;
use crate::http::{AggregateId, Answer, Envelope, Failure, Operation};

const OPERATION: Operation = Operation { name: "adjust-stock", kind: KIND, creates: false };

/// What a count found.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AdjustStock {
    /// How many more, or below 0 how many fewer, there are than the books say.
    #[schema(value_type = i64, minimum = -2147483647, maximum = 2147483647, example = -3)]
    quantity: QuantityChange,
    /// Why.
    #[schema(value_type = String, min_length = 1, max_length = 200, example = "breakage")]
    reason: Reason,
    /// When it happened; now, when not given.
    #[schema(value_type = Option<String>, format = DateTime)]
    occurred_at: Option<Timestamp>,
}

/// Sets the count right after somebody counted.
#[utoipa::path(post, path = "/v1/stock/{productId}/adjust", tag = "stock", request_body = AdjustStock,
    params(("productId" = Uuid, Path, description = "The product")), responses((status = 200, body = Answer)))]
pub(crate) async fn adjust_stock(
    State(commands): State<Commands>,
    AggregateId(product): AggregateId,
    Envelope { body, sent }: Envelope<AdjustStock>,
) -> Result<Answer, Failure> {
    let action = Action::Adjust { quantity: body.quantity, reason: body.reason };
    act(&commands, &OPERATION, product, action, body.occurred_at, sent).await
}
