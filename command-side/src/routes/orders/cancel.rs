use axum::extract::State;
use domain::order::{CancelReason, Command};
use domain::value::Reason;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{CancelReasonSchema, KIND};
use crate::commands::Commands;
use crate::http::{AggregateId, Answer, Envelope, Failure, Operation, Order, carry_out};

const OPERATION: Operation = Operation { name: "cancel-order", kind: KIND, creates: false };

/// Why an order is called off.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CancelOrder {
    /// Why.
    #[schema(value_type = CancelReasonSchema)]
    reason: CancelReason,
    /// What else there is to say.
    #[schema(value_type = Option<String>, max_length = 200)]
    note: Option<Reason>,
    /// When it happened; now, when not given.
    #[schema(value_type = Option<String>, format = DateTime)]
    occurred_at: Option<Timestamp>,
}

/// Calls an order off. What is shipped is called off only because it did not arrive.
#[utoipa::path(post, path = "/v1/orders/{id}/cancel", tag = "orders", request_body = CancelOrder,
    params(("id" = Uuid, Path, description = "The order")), responses((status = 200, body = Answer)))]
pub(crate) async fn cancel_order(
    State(commands): State<Commands>,
    AggregateId(id): AggregateId,
    Envelope { body, sent }: Envelope<CancelOrder>,
) -> Result<Answer, Failure> {
    let command = Command::Cancel { reason: body.reason, note: body.note };
    carry_out(&commands, &commands.orders, &OPERATION, Order::new(id, command, body.occurred_at), sent).await
}
