//! `/v1/orders`.

pub(crate) mod cancel;
pub(crate) mod get;
pub(crate) mod mark_delivered;
pub(crate) mod mark_paid;
pub(crate) mod mark_reserved;
pub(crate) mod mark_shipped;
pub(crate) mod place;

use utoipa::ToSchema;

/// How the kind stands in addresses.
const KIND: &str = "orders";

/// Why an order is called off.
#[derive(ToSchema)]
#[schema(as = CancelReason, rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(dead_code, reason = "it stands for domain::order::CancelReason in the OpenAPI document")]
pub(crate) enum CancelReasonSchema {
    /// Somebody asked for it.
    Requested,
    /// Not everything could be reserved.
    OutOfStock,
    /// The payment was declined.
    PaymentDeclined,
    /// The payment could not be carried out.
    PaymentFailed,
    /// The goods did not arrive, or could not be sent.
    ShipmentFailed,
}
