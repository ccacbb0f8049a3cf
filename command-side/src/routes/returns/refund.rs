use axum::extract::State;
use domain::ids::PaymentId;
use domain::returns::Command;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::KIND;
use crate::commands::Commands;
use crate::http::{AggregateId, Answer, Envelope, Failure, Operation, Order, prepare_and_carry_out};
use crate::routes::references::{Reference, Referring};

const OPERATION: Operation = Operation { name: "refund-return", kind: KIND, creates: false };

/// How the money of a return went back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RefundReturn {
    /// From which payment; none when the money went another way.
    #[schema(value_type = Option<Uuid>)]
    payment_id: Option<PaymentId>,
    /// When it happened; now, when not given.
    #[schema(value_type = Option<String>, format = DateTime)]
    occurred_at: Option<Timestamp>,
}

/// Says that the money of a return went back, all of it.
#[utoipa::path(post, path = "/v1/returns/{id}/refund", tag = "returns", request_body = Option<RefundReturn>,
    params(("id" = Uuid, Path, description = "The return")), responses((status = 200, body = Answer)))]
pub(crate) async fn refund_return(
    State(commands): State<Commands>,
    AggregateId(id): AggregateId,
    Envelope { body, sent }: Envelope<RefundReturn>,
) -> Result<Answer, Failure> {
    let command = Referring {
        command: Command::MarkRefunded { payment_id: body.payment_id },
        references: body.payment_id.map(|payment| Reference::Payment(payment, None)).into_iter().collect(),
        commands: commands.clone(),
    };
    prepare_and_carry_out(
        &commands,
        &commands.returns,
        &OPERATION,
        Order::new(id, command, body.occurred_at),
        sent,
    )
    .await
}
