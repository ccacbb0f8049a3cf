use contract::{Currency, Money, money::minor_units};
use serde::{Deserialize, Serialize};

use super::{Buyer, CancelReason};
use crate::ids::{OrderId, PaymentId, PersonId, ShipmentId};
use crate::lines::Line;
use crate::value::{Country, DocumentNumber, GatewayToken, Reason};

/// What happened to an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all_fields = "camelCase")]
pub enum Event {
    /// Somebody bought.
    Placed {
        /// Which order.
        order_id: OrderId,
        /// A number of its own.
        number: Option<DocumentNumber>,
        /// Who buys.
        buyer: Buyer,
        /// Where it goes.
        country: Country,
        /// In which currency every line is.
        currency: Currency,
        /// What is bought.
        lines: Vec<Line>,
        /// What the lines come to.
        #[serde(with = "minor_units")]
        total: Money,
        /// What the payment gateway knows the buyer's choice by.
        payment_token: Option<GatewayToken>,
        /// What the shipping gateway knows the buyer's choice by.
        shipping_token: Option<GatewayToken>,
    },
    /// Everything it needs is set aside.
    Reserved {
        /// Which order.
        order_id: OrderId,
    },
    /// It is paid.
    Paid {
        /// Which order.
        order_id: OrderId,
        /// By which payment.
        payment_id: PaymentId,
    },
    /// It left the house.
    Shipped {
        /// Which order.
        order_id: OrderId,
        /// With which shipment.
        shipment_id: ShipmentId,
    },
    /// It arrived.
    Delivered {
        /// Which order.
        order_id: OrderId,
    },
    /// It was called off.
    Cancelled {
        /// Which order.
        order_id: OrderId,
        /// Why.
        reason: CancelReason,
        /// What else there is to say.
        note: Option<Reason>,
    },
}

event_types! {
    Placed = "OrderPlaced" v 1;
    Reserved = "OrderReserved" v 1;
    Paid = "OrderPaid" v 1;
    Shipped = "OrderShipped" v 1;
    Delivered = "OrderDelivered" v 1;
    Cancelled = "OrderCancelled" v 1;
}

impl Event {
    /// The order itself when a guest placed it: its own person.
    #[must_use]
    pub fn person(&self) -> Option<PersonId> {
        match self {
            Event::Placed { order_id, buyer: Buyer::Guest { .. }, .. } => Some(PersonId::from(*order_id)),
            _ => None,
        }
    }
}
