use contract::{Currency, Money};

use crate::ids::{OrderId, PaymentId, ReturnId};
use crate::lines::Line;
use crate::order::Customer;
use crate::value::{Country, DocumentNumber};

/// A return as its events leave it.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum State {
    /// Nothing came back yet.
    #[default]
    Unknown,
    /// The goods are here.
    Received(Box<Received>),
}

/// A return that was received.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    /// Which return.
    pub return_id: ReturnId,
    /// A number of its own.
    pub number: Option<DocumentNumber>,
    /// From which order the goods are.
    pub order_id: Option<OrderId>,
    /// Who gave them back.
    pub customer: Option<Customer>,
    /// Where they came from.
    pub country: Country,
    /// In which currency every line is.
    pub currency: Currency,
    /// What came back.
    pub lines: Vec<Line>,
    /// What the lines come to.
    pub total: Money,
    /// Whether the goods are back on the shelf.
    pub restocked: bool,
    /// Whether the money went back, and from which payment.
    pub refunded: Option<Option<PaymentId>>,
}
