use axum::extract::State;
use contract::{Currency, ErrorCode, Money, Position};
use domain::ids::{OrderId, PaymentId, UserId};
use domain::returns::State as Return;
use domain::value::{Country, CustomerNumber, DocumentNumber};
use observability::http::RequestId;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::commands::Commands;
use crate::executor::Current;
use crate::http::{AggregateId, Failure, Found};
use crate::routes::MoneySchema;
use crate::routes::lines::LineBody;

/// A return as it stands in the log.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Return)]
pub(crate) struct ReturnBody {
    /// Which return.
    id: Uuid,
    /// A number of its own.
    #[schema(value_type = Option<String>)]
    number: Option<DocumentNumber>,
    /// From which order the goods are, if that is known.
    #[schema(value_type = Option<Uuid>)]
    order_id: Option<OrderId>,
    /// Who gave them back, if that is known.
    #[schema(value_type = Option<Uuid>)]
    customer_id: Option<UserId>,
    /// What the shop calls the customer.
    #[schema(value_type = Option<String>)]
    customer_number: Option<CustomerNumber>,
    /// Where they came from.
    #[schema(value_type = String)]
    country: Country,
    /// In which currency every line is.
    #[schema(value_type = String)]
    currency: Currency,
    /// What came back.
    lines: Vec<LineBody>,
    /// What the lines come to.
    #[schema(value_type = MoneySchema)]
    total: Money,
    /// Whether the goods are back on the shelf.
    restocked: bool,
    /// Whether the money went back.
    refunded: bool,
    /// From which payment; null when it went another way.
    #[schema(value_type = Option<Uuid>)]
    payment_id: Option<PaymentId>,
    /// The revision of its last event.
    revision: u64,
    /// The position of its last event.
    #[schema(value_type = String)]
    position: Position,
}

/// A return as it stands in the log now, however far the read side is.
#[utoipa::path(get, path = "/v1/returns/{id}", tag = "returns",
    params(("id" = Uuid, Path, description = "The return")), responses((status = 200, body = ReturnBody)))]
pub(crate) async fn get_return(
    State(commands): State<Commands>,
    AggregateId(id): AggregateId,
    request: RequestId,
) -> Result<Found<ReturnBody>, Failure> {
    match commands.returns.current(id).await {
        Err(error) => Err(Failure::of_command(&error, request)),
        Ok(current) => {
            current.and_then(found).ok_or_else(|| Failure::new(ErrorCode::ReturnNotFound, request))
        }
    }
}

fn found(current: Current<Return>) -> Option<Found<ReturnBody>> {
    let Current { state, revision, position } = current;
    let Return::Received(goods) = state else {
        return None;
    };
    let (customer_id, customer_number) =
        goods.customer.map(|customer| (customer.user_id, customer.customer_number)).unzip();
    let body = ReturnBody {
        id: goods.return_id.0,
        number: goods.number,
        order_id: goods.order_id,
        customer_id,
        customer_number,
        country: goods.country,
        currency: goods.currency,
        lines: goods.lines.into_iter().map(|line| LineBody::new(line, goods.currency)).collect(),
        total: goods.total,
        restocked: goods.restocked,
        refunded: goods.refunded.is_some(),
        payment_id: goods.refunded.flatten(),
        revision: revision.0,
        position,
    };
    Some(Found { body, revision: revision.0, position })
}
