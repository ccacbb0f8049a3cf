use serde::{Deserialize, Serialize};

use crate::ids::{OrderId, PaymentId, PersonId, ReturnId};
use crate::value::{GatewayReference, GatewayToken, Price, Reason};

/// What happened to a payment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all_fields = "camelCase")]
pub enum Event {
    /// The money was asked for.
    Requested {
        /// Which payment.
        payment_id: PaymentId,
        /// For which order.
        order_id: OrderId,
        /// How much.
        amount: Price,
        /// What the gateway knows the buyer's choice by.
        token: Option<GatewayToken>,
    },
    /// The gateway holds the money.
    Authorized {
        /// Which payment.
        payment_id: PaymentId,
        /// For which order.
        order_id: OrderId,
        /// What the gateway calls it.
        reference: GatewayReference,
    },
    /// The gateway has taken the money.
    Captured {
        /// Which payment.
        payment_id: PaymentId,
        /// For which order.
        order_id: OrderId,
        /// How much.
        amount: Price,
    },
    /// There will be no money.
    Declined {
        /// Which payment.
        payment_id: PaymentId,
        /// For which order.
        order_id: OrderId,
        /// Why.
        reason: Reason,
    },
    /// Money went back.
    Refunded {
        /// Which payment.
        payment_id: PaymentId,
        /// For which order.
        order_id: OrderId,
        /// For which return; none when the order was called off.
        return_id: Option<ReturnId>,
        /// How much.
        amount: Price,
    },
}

event_types! {
    Requested = "PaymentRequested" v 1;
    Authorized = "PaymentAuthorized" v 1;
    Captured = "PaymentCaptured" v 1;
    Declined = "PaymentDeclined" v 1;
    Refunded = "PaymentRefunded" v 1;
}

impl Event {
    /// Nobody: a payment holds ids, amounts and tokens only.
    #[must_use]
    pub const fn person(&self) -> Option<PersonId> {
        None
    }
}
