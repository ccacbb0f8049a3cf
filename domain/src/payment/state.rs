use std::collections::BTreeMap;

use crate::ids::{OrderId, PaymentId, ReturnId};
use crate::value::{GatewayReference, Price};

/// A payment as its events leave it.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum State {
    /// Nobody asked for it yet.
    #[default]
    Unknown,
    /// It was asked for.
    Requested(Requested),
}

/// A payment that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Requested {
    /// Which payment.
    pub payment_id: PaymentId,
    /// For which order.
    pub order_id: OrderId,
    /// How much.
    pub amount: Price,
    /// How far it is.
    pub status: Status,
    /// What the gateway calls it.
    pub reference: Option<GatewayReference>,
    /// What went back, by return; under none what went back because the order was called off.
    pub refunds: BTreeMap<Option<ReturnId>, Price>,
}

/// How far a payment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The money was asked for.
    Requested,
    /// The gateway holds it.
    Authorized,
    /// The gateway has taken it.
    Captured,
    /// There will be none.
    Declined,
}

impl Requested {
    /// What went back altogether, in minor units.
    #[must_use]
    pub fn refunded_minor(&self) -> i64 {
        self.refunds.values().fold(0, |sum: i64, price| sum.saturating_add(price.money().minor))
    }
}
