use axum::extract::State;
use domain::ids::ReturnId;
use domain::payment::Command;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::KIND;
use crate::commands::Commands;
use crate::http::{AggregateId, Answer, Envelope, Failure, Operation, Order, prepare_and_carry_out};
use crate::routes::references::{Reference, Referring};
use crate::routes::{MoneySchema, PriceBody};

const OPERATION: Operation = Operation { name: "refund-payment", kind: KIND, creates: false };

/// Money that goes back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RefundPayment {
    /// How much.
    #[schema(value_type = MoneySchema)]
    amount: PriceBody,
    /// For which return; none when the order is called off.
    #[schema(value_type = Option<Uuid>)]
    return_id: Option<ReturnId>,
    /// When it happened; now, when not given.
    #[schema(value_type = Option<String>, format = DateTime)]
    occurred_at: Option<Timestamp>,
}

/// Gives money back: once for each return, and once for the order itself.
#[utoipa::path(post, path = "/v1/payments/{id}/refund", tag = "payments", request_body = RefundPayment,
    params(("id" = Uuid, Path, description = "The payment")), responses((status = 200, body = Answer)))]
pub(crate) async fn refund_payment(
    State(commands): State<Commands>,
    AggregateId(id): AggregateId,
    Envelope { body, sent }: Envelope<RefundPayment>,
) -> Result<Answer, Failure> {
    let command = Referring {
        command: Command::Refund { return_id: body.return_id, amount: body.amount.0 },
        references: body.return_id.map(Reference::Return).into_iter().collect(),
        commands: commands.clone(),
    };
    prepare_and_carry_out(
        &commands,
        &commands.payments,
        &OPERATION,
        Order::new(id, command, body.occurred_at),
        sent,
    )
    .await
}
