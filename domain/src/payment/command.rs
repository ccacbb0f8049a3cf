use crate::ids::{OrderId, PaymentId, ReturnId};
use crate::value::{GatewayReference, GatewayToken, Price, Reason};

/// What can be asked of a payment.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Asks for the money.
    Request {
        /// Its id, which names its stream.
        payment_id: PaymentId,
        /// For which order.
        order_id: OrderId,
        /// How much.
        amount: Price,
        /// What the gateway knows the buyer's choice by.
        token: Option<GatewayToken>,
    },
    /// Says that the gateway holds the money.
    Authorize {
        /// What the gateway calls it.
        reference: GatewayReference,
    },
    /// Says that the gateway has taken the money.
    Capture,
    /// Says that there will be no money.
    Decline {
        /// Why.
        reason: Reason,
    },
    /// Gives money back: once for each return, and once for the order itself.
    Refund {
        /// For which return; none when the order is called off.
        return_id: Option<ReturnId>,
        /// How much.
        amount: Price,
    },
}
