use axum::extract::State;
use contract::{ErrorCode, Money, Position};
use domain::ids::OrderId;
use domain::payment::{State as Payment, Status};
use domain::value::GatewayReference;
use observability::http::RequestId;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::commands::Commands;
use crate::executor::Current;
use crate::http::{AggregateId, Failure, Found};
use crate::routes::MoneySchema;

/// A payment as it stands in the log.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Payment)]
pub(crate) struct PaymentBody {
    /// Which payment.
    id: Uuid,
    /// For which order.
    #[schema(value_type = Uuid)]
    order_id: OrderId,
    /// How much.
    #[schema(value_type = MoneySchema)]
    amount: Money,
    /// What went back altogether.
    #[schema(value_type = MoneySchema)]
    refunded: Money,
    /// `REQUESTED`, `AUTHORIZED`, `CAPTURED` or `DECLINED`.
    status: &'static str,
    /// What the gateway calls it.
    #[schema(value_type = Option<String>)]
    reference: Option<GatewayReference>,
    /// The revision of its last event.
    revision: u64,
    /// The position of its last event.
    #[schema(value_type = String)]
    position: Position,
}

/// A payment as it stands in the log now, however far the read side is.
#[utoipa::path(get, path = "/v1/payments/{id}", tag = "payments",
    params(("id" = Uuid, Path, description = "The payment")), responses((status = 200, body = PaymentBody)))]
pub(crate) async fn get_payment(
    State(commands): State<Commands>,
    AggregateId(id): AggregateId,
    request: RequestId,
) -> Result<Found<PaymentBody>, Failure> {
    match commands.payments.current(id).await {
        Err(error) => Err(Failure::of_command(&error, request)),
        Ok(current) => {
            current.and_then(found).ok_or_else(|| Failure::new(ErrorCode::PaymentNotFound, request))
        }
    }
}

fn found(current: Current<Payment>) -> Option<Found<PaymentBody>> {
    let Current { state, revision, position } = current;
    let Payment::Requested(payment) = state else {
        return None;
    };
    let amount = payment.amount.money();
    let body = PaymentBody {
        id: payment.payment_id.0,
        order_id: payment.order_id,
        amount,
        refunded: Money::new(payment.refunded_minor(), amount.currency),
        status: match payment.status {
            Status::Requested => "REQUESTED",
            Status::Authorized => "AUTHORIZED",
            Status::Captured => "CAPTURED",
            Status::Declined => "DECLINED",
        },
        reference: payment.reference,
        revision: revision.0,
        position,
    };
    Some(Found { body, revision: revision.0, position })
}
