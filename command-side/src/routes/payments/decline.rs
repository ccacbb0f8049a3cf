use axum::extract::State;
use domain::payment::Command;
use domain::value::Reason;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::KIND;
use crate::commands::Commands;
use crate::http::{AggregateId, Answer, Envelope, Failure, Operation, Order, carry_out};

const OPERATION: Operation = Operation { name: "decline-payment", kind: KIND, creates: false };

/// Why there will be no money.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct DeclinePayment {
    /// Why.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    reason: Reason,
    /// When it happened; now, when not given.
    #[schema(value_type = Option<String>, format = DateTime)]
    occurred_at: Option<Timestamp>,
}

/// Says that there will be no money.
#[utoipa::path(post, path = "/v1/payments/{id}/decline", tag = "payments", request_body = DeclinePayment,
    params(("id" = Uuid, Path, description = "The payment")), responses((status = 200, body = Answer)))]
pub(crate) async fn decline_payment(
    State(commands): State<Commands>,
    AggregateId(id): AggregateId,
    Envelope { body, sent }: Envelope<DeclinePayment>,
) -> Result<Answer, Failure> {
    let command = Command::Decline { reason: body.reason };
    carry_out(&commands, &commands.payments, &OPERATION, Order::new(id, command, body.occurred_at), sent)
        .await
}
