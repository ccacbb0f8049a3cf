use axum::extract::State;
use domain::payment::Command;
use domain::value::GatewayReference;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::KIND;
use crate::commands::Commands;
use crate::http::{AggregateId, Answer, Envelope, Failure, Operation, Order, carry_out};

const OPERATION: Operation = Operation { name: "authorize-payment", kind: KIND, creates: false };

/// What the gateway holds.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AuthorizePayment {
    /// What the gateway calls it.
    #[schema(value_type = String, min_length = 1, max_length = 128)]
    reference: GatewayReference,
    /// When it happened; now, when not given.
    #[schema(value_type = Option<String>, format = DateTime)]
    occurred_at: Option<Timestamp>,
}

/// Says that the gateway holds the money.
#[utoipa::path(post, path = "/v1/payments/{id}/authorize", tag = "payments", request_body = AuthorizePayment,
    params(("id" = Uuid, Path, description = "The payment")), responses((status = 200, body = Answer)))]
pub(crate) async fn authorize_payment(
    State(commands): State<Commands>,
    AggregateId(id): AggregateId,
    Envelope { body, sent }: Envelope<AuthorizePayment>,
) -> Result<Answer, Failure> {
    let command = Command::Authorize { reference: body.reference };
    carry_out(&commands, &commands.payments, &OPERATION, Order::new(id, command, body.occurred_at), sent)
        .await
}
