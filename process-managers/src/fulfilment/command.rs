//! What the saga asks for. The order is the one the saga is keyed by.

use domain::ids::{OrderId, PaymentId, ProductId, ShipmentId};
use domain::order::CancelReason;
use domain::value::{GatewayReference, GatewayToken, Price, Quantity};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A command of the fulfilment saga.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Command {
    /// Set a product aside, all lines of it together.
    ReserveStock {
        /// Which.
        product_id: ProductId,
        /// How many.
        quantity: Quantity,
    },
    /// Give up what was set aside.
    ReleaseStock {
        /// Which.
        product_id: ProductId,
    },
    /// Count what was set aside as gone.
    ShipStock {
        /// Which.
        product_id: ProductId,
    },
    /// Say that everything is set aside.
    MarkReserved,
    /// Say that the order's own payment paid it.
    MarkPaid,
    /// Say that it left with the order's own shipment.
    MarkShipped,
    /// Say that it arrived.
    MarkDelivered,
    /// Call the order off.
    CancelOrder {
        /// Why.
        reason: CancelReason,
    },
    /// Ask for the money.
    RequestPayment {
        /// How much.
        amount: Price,
        /// What the gateway knows the buyer's choice by.
        token: Option<GatewayToken>,
    },
    /// Have the payment gateway hold the money. An amount of 0 is recorded without asking the gateway, here and below.
    AuthorizePayment {
        /// How much.
        amount: Price,
        /// What the gateway knows the buyer's choice by.
        token: Option<GatewayToken>,
    },
    /// Have the payment gateway take the money.
    CapturePayment {
        /// What the gateway calls it.
        reference: GatewayReference,
        /// How much.
        amount: Price,
    },
    /// Close a payment that the gateway knows nothing of.
    DeclinePayment,
    /// Have the payment gateway let go of the money.
    VoidPayment {
        /// What the gateway calls it.
        reference: GatewayReference,
        /// How much.
        amount: Price,
    },
    /// Have the payment gateway give the money back.
    RefundPayment {
        /// What the gateway calls it.
        reference: GatewayReference,
        /// How much.
        amount: Price,
    },
    /// Ask for the shipment.
    RequestShipment {
        /// What the gateway knows the buyer's choice by.
        token: Option<GatewayToken>,
    },
    /// Hand the goods to the carrier.
    DispatchShipment {
        /// What the gateway knows the buyer's choice by.
        token: Option<GatewayToken>,
    },
    /// Close a shipment that the carrier knows nothing of.
    FailShipment,
    /// Ask the carrier until the goods arrived or are lost.
    TrackDelivery {
        /// What the carrier calls it.
        reference: GatewayReference,
    },
}

impl Command {
    /// Its name in events, for operators and in metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ReserveStock { .. } => RESERVE_STOCK,
            Self::ReleaseStock { .. } => "RELEASE_STOCK",
            Self::ShipStock { .. } => "SHIP_STOCK",
            Self::MarkReserved => "MARK_RESERVED",
            Self::MarkPaid => "MARK_PAID",
            Self::MarkShipped => "MARK_SHIPPED",
            Self::MarkDelivered => "MARK_DELIVERED",
            Self::CancelOrder { .. } => CANCEL_ORDER,
            Self::RequestPayment { .. } => "REQUEST_PAYMENT",
            Self::AuthorizePayment { .. } => "AUTHORIZE_PAYMENT",
            Self::CapturePayment { .. } => "CAPTURE_PAYMENT",
            Self::DeclinePayment => "DECLINE_PAYMENT",
            Self::VoidPayment { .. } => "VOID_PAYMENT",
            Self::RefundPayment { .. } => "REFUND_PAYMENT",
            Self::RequestShipment { .. } => "REQUEST_SHIPMENT",
            Self::DispatchShipment { .. } => "DISPATCH_SHIPMENT",
            Self::FailShipment => "FAIL_SHIPMENT",
            Self::TrackDelivery { .. } => "TRACK_DELIVERY",
        }
    }

    /// Whether it takes back what was done for an order that is not to be delivered any more.
    #[must_use]
    pub const fn takes_back(&self) -> bool {
        matches!(
            self,
            Self::ReleaseStock { .. }
                | Self::CancelOrder { .. }
                | Self::DeclinePayment
                | Self::VoidPayment { .. }
                | Self::RefundPayment { .. }
                | Self::FailShipment
        )
    }

    /// The aggregate that it is for, of the order that the saga looks after.
    #[must_use]
    pub fn subject(&self, order: OrderId) -> Uuid {
        match self {
            Self::ReserveStock { product_id, .. }
            | Self::ReleaseStock { product_id }
            | Self::ShipStock { product_id } => product_id.0,
            Self::MarkReserved
            | Self::MarkPaid
            | Self::MarkShipped
            | Self::MarkDelivered
            | Self::CancelOrder { .. } => order.0,
            Self::RequestPayment { .. }
            | Self::AuthorizePayment { .. }
            | Self::CapturePayment { .. }
            | Self::DeclinePayment
            | Self::VoidPayment { .. }
            | Self::RefundPayment { .. } => PaymentId::of_order(order).0,
            Self::RequestShipment { .. }
            | Self::DispatchShipment { .. }
            | Self::FailShipment
            | Self::TrackDelivery { .. } => ShipmentId::of_order(order).0,
        }
    }
}

pub(super) const RESERVE_STOCK: &str = "RESERVE_STOCK";
pub(super) const CANCEL_ORDER: &str = "CANCEL_ORDER";
