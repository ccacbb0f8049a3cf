//! What the saga asks for. The return is the one the saga is keyed by.

use domain::ids::{OrderId, PaymentId, ProductId, ReturnId};
use domain::value::{Price, Quantity};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A command of the saga of returns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Command {
    /// Put a product back on the shelf, all lines of it together.
    RestockStock {
        /// Which.
        product_id: ProductId,
        /// How many.
        quantity: Quantity,
    },
    /// Say that the goods are back on the shelf.
    MarkRestocked,
    /// Have the payment gateway give money back from the order's own payment.
    RefundPayment {
        /// Of which order.
        order_id: OrderId,
        /// How much.
        amount: Price,
    },
    /// Say that the money went back.
    MarkRefunded {
        /// From which payment; none when it went another way, or there was none to go.
        payment_id: Option<PaymentId>,
    },
}

impl Command {
    /// Its name in events, for operators and in metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::RestockStock { .. } => "RESTOCK_STOCK",
            Self::MarkRestocked => "MARK_RESTOCKED",
            Self::RefundPayment { .. } => REFUND_PAYMENT,
            Self::MarkRefunded { .. } => MARK_REFUNDED,
        }
    }

    /// The aggregate that it is for, of the return that the saga looks after.
    #[must_use]
    pub fn subject(&self, goods: ReturnId) -> Uuid {
        match self {
            Self::RestockStock { product_id, .. } => product_id.0,
            Self::MarkRestocked | Self::MarkRefunded { .. } => goods.0,
            Self::RefundPayment { order_id, .. } => PaymentId::of_order(*order_id).0,
        }
    }
}

pub(super) const REFUND_PAYMENT: &str = "REFUND_PAYMENT";
pub(super) const MARK_REFUNDED: &str = "MARK_REFUNDED";
