use axum::extract::State;
use domain::ids::{OrderId, PaymentId};
use domain::order::Command;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::KIND;
use crate::commands::Commands;
use crate::http::{AggregateId, Answer, Envelope, Failure, Operation, Order, prepare_and_carry_out};
use crate::routes::references::{Reference, Referring};

const OPERATION: Operation = Operation { name: "mark-order-paid", kind: KIND, creates: false };

/// By what an order is paid.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct MarkOrderPaid {
    /// By which of its payments.
    #[schema(value_type = Uuid)]
    payment_id: PaymentId,
    /// When it happened; now, when not given.
    #[schema(value_type = Option<String>, format = DateTime)]
    occurred_at: Option<Timestamp>,
}

/// Says that an order is paid.
#[utoipa::path(post, path = "/v1/orders/{id}/mark-paid", tag = "orders", request_body = MarkOrderPaid,
    params(("id" = Uuid, Path, description = "The order")), responses((status = 200, body = Answer)))]
pub(crate) async fn mark_order_paid(
    State(commands): State<Commands>,
    AggregateId(id): AggregateId,
    Envelope { body, sent }: Envelope<MarkOrderPaid>,
) -> Result<Answer, Failure> {
    let command = Referring {
        command: Command::MarkPaid { payment_id: body.payment_id },
        references: vec![Reference::Payment(body.payment_id, Some(OrderId(id)))],
        commands: commands.clone(),
    };
    prepare_and_carry_out(
        &commands,
        &commands.orders,
        &OPERATION,
        Order::new(id, command, body.occurred_at),
        sent,
    )
    .await
}
