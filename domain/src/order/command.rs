use contract::Currency;

use super::{Buyer, CancelReason};
use crate::ids::{OrderId, PaymentId, ShipmentId};
use crate::lines::NewLine;
use crate::value::{Country, DocumentNumber, GatewayToken, Reason};

/// What can be asked of an order.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Places it.
    Place(Box<Place>),
    /// Says that everything it needs is set aside.
    MarkReserved,
    /// Says that it is paid.
    MarkPaid {
        /// By which payment.
        payment_id: PaymentId,
    },
    /// Says that it left the house.
    MarkShipped {
        /// With which shipment.
        shipment_id: ShipmentId,
    },
    /// Says that it arrived.
    MarkDelivered,
    /// Calls it off. What is shipped is called off only because it did not arrive.
    Cancel {
        /// Why.
        reason: CancelReason,
        /// What else there is to say.
        note: Option<Reason>,
    },
}

/// A new order.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// Its id, which names its stream.
    pub order_id: OrderId,
    /// A number of its own, such as an invoice's.
    pub number: Option<DocumentNumber>,
    /// Who buys.
    pub buyer: Buyer,
    /// Where it goes.
    pub country: Country,
    /// In which currency every line is.
    pub currency: Currency,
    /// What is bought; 1 to [`crate::lines::LINES_MAX`].
    pub lines: Vec<NewLine>,
    /// What the payment gateway knows the buyer's choice by.
    pub payment_token: Option<GatewayToken>,
    /// What the shipping gateway knows the buyer's choice by.
    pub shipping_token: Option<GatewayToken>,
}
