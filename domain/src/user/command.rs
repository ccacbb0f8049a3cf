use crate::personal::Personal;
use crate::value::{Country, CustomerNumber, Email, PersonName};

/// What can be asked of a user.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Registers a new customer. The stream is the one of [`crate::ids::UserId::from_number`].
    Register {
        /// What the shop calls the customer.
        customer_number: CustomerNumber,
        /// Where the customer lives.
        country: Country,
        /// The customer's name.
        name: Option<Personal<PersonName>>,
        /// The customer's e-mail address.
        email: Option<Personal<Email>>,
    },
    /// Replaces country, name and e-mail address; what is not given is taken away.
    ChangeProfile {
        /// Where the customer lives from now on.
        country: Country,
        /// The customer's name from now on.
        name: Option<Personal<PersonName>>,
        /// The customer's e-mail address from now on.
        email: Option<Personal<Email>>,
    },
    /// Closes the account. There is no way back.
    Deactivate,
}
