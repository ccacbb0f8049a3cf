use serde::{Deserialize, Serialize};

use crate::ids::{PersonId, UserId};
use crate::personal::Personal;
use crate::value::{Country, CustomerNumber, Email, PersonName};

/// What happened to a user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all_fields = "camelCase")]
pub enum Event {
    /// A customer came.
    Registered {
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
    },
    /// Country, name and e-mail address were replaced.
    ProfileChanged {
        /// Which user.
        user_id: UserId,
        /// Where the customer lives now.
        country: Country,
        /// The customer's name now.
        name: Option<Personal<PersonName>>,
        /// The customer's e-mail address now.
        email: Option<Personal<Email>>,
    },
    /// The account was closed.
    Deactivated {
        /// Which user.
        user_id: UserId,
    },
}

event_types! {
    Registered = "UserRegistered" v 1;
    ProfileChanged = "UserProfileChanged" v 1;
    Deactivated = "UserDeactivated" v 1;
}

impl Event {
    /// The user.
    #[must_use]
    pub fn person(&self) -> Option<PersonId> {
        match self {
            Event::Registered { user_id, .. }
            | Event::ProfileChanged { user_id, .. }
            | Event::Deactivated { user_id } => Some(PersonId::from(*user_id)),
        }
    }
}
