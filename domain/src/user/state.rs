use crate::ids::UserId;
use crate::personal::Personal;
use crate::value::{Country, CustomerNumber, Email, PersonName};

/// A user as its events leave it.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum State {
    /// Nobody registered it yet.
    #[default]
    Unknown,
    /// It was registered.
    Known {
        /// Which user.
        user_id: UserId,
        /// What the shop calls the customer.
        customer_number: CustomerNumber,
        /// Where the customer lives.
        country: Country,
        /// The customer's name.
        name: Option<Personal<PersonName>>,
        /// The customer's e-mail address.
        email: Option<Personal<Email>>,
        /// Whether the account is open.
        status: Status,
    },
}

/// Whether an account is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It is.
    Active,
    /// It was closed.
    Deactivated,
}
