use axum::extract::State;
use contract::{Currency, ErrorCode, Money, Position};
use domain::Personal;
use domain::ids::{PaymentId, ShipmentId, UserId};
use domain::order::{Buyer, CancelReason, State as Order, Status};
use domain::value::{Country, CustomerNumber, DocumentNumber, Email, PersonName, Reason};
use observability::http::RequestId;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::CancelReasonSchema;
use crate::commands::Commands;
use crate::executor::Current;
use crate::http::{AggregateId, Failure, Found};
use crate::routes::MoneySchema;
use crate::routes::lines::LineBody;

/// An order as it stands in the log.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Order)]
pub(crate) struct OrderBody {
    /// Which order.
    id: Uuid,
    /// A number of its own.
    #[schema(value_type = Option<String>)]
    number: Option<DocumentNumber>,
    /// Who buys; null for a guest.
    #[schema(value_type = Option<Uuid>)]
    customer_id: Option<UserId>,
    /// What the shop calls the customer; null for a guest.
    #[schema(value_type = Option<String>)]
    customer_number: Option<CustomerNumber>,
    /// Who buys without an account; null for a customer.
    guest: Option<GuestBody>,
    /// Where it goes.
    #[schema(value_type = String)]
    country: Country,
    /// In which currency every line is.
    #[schema(value_type = String)]
    currency: Currency,
    /// `PLACED`, `RESERVED`, `PAID`, `SHIPPED`, `DELIVERED` or `CANCELLED`.
    status: &'static str,
    /// What is bought.
    lines: Vec<LineBody>,
    /// What the lines come to.
    #[schema(value_type = MoneySchema)]
    total: Money,
    /// By which payment it is paid.
    #[schema(value_type = Option<Uuid>)]
    payment_id: Option<PaymentId>,
    /// With which shipment it left the house.
    #[schema(value_type = Option<Uuid>)]
    shipment_id: Option<ShipmentId>,
    /// Why it was called off.
    #[schema(value_type = Option<CancelReasonSchema>)]
    cancel_reason: Option<CancelReason>,
    /// What else was said of that.
    #[schema(value_type = Option<String>)]
    cancel_note: Option<Reason>,
    /// The revision of its last event.
    revision: u64,
    /// The position of its last event.
    #[schema(value_type = String)]
    position: Position,
}

/// A guest as an order names one.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderGuest)]
pub(crate) struct GuestBody {
    /// The guest's name; null when there is none, or none any more.
    #[schema(value_type = Option<String>)]
    name: Option<PersonName>,
    /// The guest's e-mail address; null when there is none, or none any more.
    #[schema(value_type = Option<String>)]
    email: Option<Email>,
}

/// An order as it stands in the log now, however far the read side is.
#[utoipa::path(get, path = "/v1/orders/{id}", tag = "orders",
    params(("id" = Uuid, Path, description = "The order")), responses((status = 200, body = OrderBody)))]
pub(crate) async fn get_order(
    State(commands): State<Commands>,
    AggregateId(id): AggregateId,
    request: RequestId,
) -> Result<Found<OrderBody>, Failure> {
    match commands.orders.current(id).await {
        Err(error) => Err(Failure::of_command(&error, request)),
        Ok(current) => current.and_then(found).ok_or_else(|| Failure::new(ErrorCode::OrderNotFound, request)),
    }
}

fn found(current: Current<Order>) -> Option<Found<OrderBody>> {
    let Current { state, revision, position } = current;
    let Order::Placed(order) = state else {
        return None;
    };
    let (customer, guest) = match order.buyer {
        Buyer::Customer(customer) => (Some(customer), None),
        Buyer::Guest { name, email } => (None, Some(GuestBody { name: clear(name), email: clear(email) })),
    };
    let (customer_id, customer_number) =
        customer.map(|customer| (customer.user_id, customer.customer_number)).unzip();
    let (cancel_reason, cancel_note) = order.cancelled.unzip();
    let body = OrderBody {
        id: order.order_id.0,
        number: order.number,
        customer_id,
        customer_number,
        guest,
        country: order.country,
        currency: order.currency,
        status: status(order.status),
        lines: order.lines.into_iter().map(|line| LineBody::new(line, order.currency)).collect(),
        total: order.total,
        payment_id: order.payment_id,
        shipment_id: order.shipment_id,
        cancel_reason,
        cancel_note: cancel_note.flatten(),
        revision: revision.0,
        position,
    };
    Some(Found { body, revision: revision.0, position })
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Placed => "PLACED",
        Status::Reserved => "RESERVED",
        Status::Paid => "PAID",
        Status::Shipped => "SHIPPED",
        Status::Delivered => "DELIVERED",
        Status::Cancelled => "CANCELLED",
    }
}

fn clear<T>(field: Option<Personal<T>>) -> Option<T> {
    match field {
        Some(Personal::Clear(value)) => Some(value),
        Some(Personal::Erased) | None => None,
    }
}
