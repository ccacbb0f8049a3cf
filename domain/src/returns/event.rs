use contract::{Currency, Money, money::minor_units};
use serde::{Deserialize, Serialize};

use crate::ids::{OrderId, PaymentId, PersonId, ReturnId};
use crate::lines::Line;
use crate::order::Customer;
use crate::value::{Country, DocumentNumber};

/// What happened to a return.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all_fields = "camelCase")]
pub enum Event {
    /// The goods are here.
    Received {
        /// Which return.
        return_id: ReturnId,
        /// A number of its own.
        number: Option<DocumentNumber>,
        /// From which order the goods are.
        order_id: Option<OrderId>,
        /// Who gave them back.
        customer: Option<Customer>,
        /// Where they came from.
        country: Country,
        /// In which currency every line is.
        currency: Currency,
        /// What came back.
        lines: Vec<Line>,
        /// What the lines come to, not below 0.
        #[serde(with = "minor_units")]
        total: Money,
    },
    /// The goods are back on the shelf.
    Restocked {
        /// Which return.
        return_id: ReturnId,
        /// From which order the goods are.
        order_id: Option<OrderId>,
    },
    /// The money went back.
    Refunded {
        /// Which return.
        return_id: ReturnId,
        /// From which order the goods are.
        order_id: Option<OrderId>,
        /// From which payment; none when it went another way.
        payment_id: Option<PaymentId>,
        /// How much.
        #[serde(with = "minor_units")]
        amount: Money,
    },
}

event_types! {
    Received = "ReturnReceived" v 1;
    Restocked = "ReturnRestocked" v 1;
    Refunded = "ReturnRefunded" v 1;
}

impl Event {
    /// Nobody: a return holds ids and lines only.
    #[must_use]
    pub const fn person(&self) -> Option<PersonId> {
        None
    }
}
