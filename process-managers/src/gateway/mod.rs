//! The gateways to payment and shipping, over HTTP. Each call carries the id of the command that causes it as its
//! idempotency key, so that a gateway does once what is sent again. Nothing is tried again here: the dispatcher does.

mod client;
mod payment;
mod shipping;

pub(crate) use client::IDEMPOTENCY_KEY;
pub use client::{GatewayError, GatewayUrl, InvalidGatewayUrl};
pub use payment::{Authorization, Capture, PaymentGateway};
pub use shipping::{Carriage, Delivery, ShippingGateway};
