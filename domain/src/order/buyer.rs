use serde::{Deserialize, Serialize};

use crate::ids::UserId;
use crate::personal::Personal;
use crate::value::{CustomerNumber, Email, PersonName};

/// A registered customer, as an order or a return names them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Customer {
    /// Which user.
    pub user_id: UserId,
    /// What the shop calls them.
    pub customer_number: CustomerNumber,
}

/// Who buys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Buyer {
    /// A registered customer.
    Customer(Customer),
    /// Somebody without an account; the personal data belongs to the order itself.
    Guest {
        /// The guest's name.
        name: Option<Personal<PersonName>>,
        /// The guest's e-mail address.
        email: Option<Personal<Email>>,
    },
}

/// Why an order was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CancelReason {
    /// Somebody asked for it.
    Requested,
    /// Not everything could be reserved.
    OutOfStock,
    /// The payment was declined.
    PaymentDeclined,
    /// The payment could not be carried out.
    PaymentFailed,
    /// The goods did not arrive, or could not be sent.
    ShipmentFailed,
}
