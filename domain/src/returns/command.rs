use contract::Currency;

use crate::ids::{OrderId, PaymentId, ReturnId};
use crate::lines::NewLine;
use crate::order::Customer;
use crate::value::{Country, DocumentNumber};

/// What can be asked of a return.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Takes the goods back.
    Receive(Box<Receive>),
    /// Says that the goods are back on the shelf.
    MarkRestocked,
    /// Says that the money went back, all of it.
    MarkRefunded {
        /// From which payment; none when it went another way.
        payment_id: Option<PaymentId>,
    },
}

/// A new return.
#[derive(Debug, Clone, PartialEq)]
pub struct Receive {
    /// Its id, which names its stream.
    pub return_id: ReturnId,
    /// A number of its own, such as a credit note's.
    pub number: Option<DocumentNumber>,
    /// From which order the goods are, if that is known.
    pub order_id: Option<OrderId>,
    /// Who gives them back, if that is known.
    pub customer: Option<Customer>,
    /// Where they come from.
    pub country: Country,
    /// In which currency every line is.
    pub currency: Currency,
    /// What comes back; 1 to [`crate::lines::LINES_MAX`].
    pub lines: Vec<NewLine>,
}
