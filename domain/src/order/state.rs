use contract::{Currency, Money};

use super::{Buyer, CancelReason};
use crate::ids::{OrderId, PaymentId, ShipmentId};
use crate::lines::Line;
use crate::value::{Country, DocumentNumber, Reason};

/// An order as its events leave it.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum State {
    /// Nobody placed it yet.
    #[default]
    Unknown,
    /// It was placed.
    Placed(Box<Placed>),
}

/// An order that was placed.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// Which order.
    pub order_id: OrderId,
    /// A number of its own.
    pub number: Option<DocumentNumber>,
    /// Who buys.
    pub buyer: Buyer,
    /// Where it goes.
    pub country: Country,
    /// In which currency every line is.
    pub currency: Currency,
    /// What is bought.
    pub lines: Vec<Line>,
    /// What the lines come to.
    pub total: Money,
    /// How far it is.
    pub status: Status,
    /// By which payment it is paid.
    pub payment_id: Option<PaymentId>,
    /// With which shipment it left the house.
    pub shipment_id: Option<ShipmentId>,
    /// Why it was called off.
    pub cancelled: Option<(CancelReason, Option<Reason>)>,
}

/// How far an order is; each but the last comes after the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Somebody bought.
    Placed,
    /// Everything it needs is set aside.
    Reserved,
    /// It is paid.
    Paid,
    /// It left the house.
    Shipped,
    /// It arrived.
    Delivered,
    /// It was called off.
    Cancelled,
}
