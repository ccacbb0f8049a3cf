//! View `customers`: who is registered. Name and e-mail are personal; erased reads as null.

use domain::ShopEvent;
use domain::ids::UserId;
use domain::personal::Personal;
use domain::user::Event;
use engine::{Column, EntityView, FoldError, LoadError, Recorded, SqlType, Stored, Table, Value};
use jiff::Timestamp;
use read_model::customers::CustomerStatus;

use super::{absent, existing, revision};

static TABLE: Table = Table {
    name: "customers",
    key: &[Column::new("user_id", SqlType::Uuid)],
    data: &[
        Column::new("customer_number", SqlType::Text).nullable(),
        Column::new("country", SqlType::Text),
        Column::new("name", SqlType::Text).personal(),
        Column::new("email", SqlType::Text).personal(),
        Column::new("status", SqlType::Text),
        Column::new("registered_at", SqlType::TimestampTz),
        Column::new("revision", SqlType::BigInt),
    ],
    // A registered user is the person of the same id.
    person: Some("user_id"),
    history: true,
};

pub(crate) struct Customers;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Customer {
    customer_number: Option<String>,
    country: String,
    name: Option<String>,
    email: Option<String>,
    status: CustomerStatus,
    registered_at: Timestamp,
    revision: i64,
}

/// The text of a personal field that was given and not erased.
fn clear<T: ToString>(field: Option<&Personal<T>>) -> Option<String> {
    field.and_then(Personal::clear).map(ToString::to_string)
}

impl EntityView for Customers {
    type Event = ShopEvent;
    type Key = UserId;
    type Row = Customer;

    fn table(&self) -> &'static Table {
        &TABLE
    }

    fn keys(&self, event: &Recorded<ShopEvent>) -> Vec<UserId> {
        match &event.event {
            ShopEvent::User(
                Event::Registered { user_id, .. }
                | Event::ProfileChanged { user_id, .. }
                | Event::Deactivated { user_id },
            ) => vec![*user_id],
            _ => Vec::new(),
        }
    }

    fn fold(
        &self,
        _: &UserId,
        row: Option<Customer>,
        event: &Recorded<ShopEvent>,
    ) -> Result<Option<Customer>, FoldError> {
        let ShopEvent::User(of_user) = &event.event else { return Ok(row) };
        let revision = revision(event);
        Ok(Some(match of_user {
            Event::Registered { user_id: _, customer_number, country, name, email } => {
                absent(row.as_ref())?;
                Customer {
                    customer_number: Some(customer_number.to_string()),
                    country: country.to_string(),
                    name: clear(name.as_ref()),
                    email: clear(email.as_ref()),
                    status: CustomerStatus::Active,
                    registered_at: event.occurred_at,
                    revision,
                }
            }
            Event::ProfileChanged { user_id: _, country, name, email } => Customer {
                country: country.to_string(),
                name: clear(name.as_ref()),
                email: clear(email.as_ref()),
                revision,
                ..existing(row)?
            },
            Event::Deactivated { .. } => {
                Customer { status: CustomerStatus::Deactivated, revision, ..existing(row)? }
            }
        }))
    }

    fn store_key(&self, key: &UserId) -> Vec<Value> {
        vec![key.0.into()]
    }

    fn store(&self, row: &Customer) -> Vec<Value> {
        vec![
            row.customer_number.clone().into(),
            row.country.as_str().into(),
            row.name.clone().into(),
            row.email.clone().into(),
            row.status.as_str().into(),
            row.registered_at.into(),
            row.revision.into(),
        ]
    }

    fn load(&self, _: &UserId, values: Vec<Value>) -> Result<Customer, LoadError> {
        let mut stored = Stored::new(values);
        Ok(Customer {
            customer_number: stored.take()?,
            country: stored.take()?,
            name: stored.take()?,
            email: stored.take()?,
            status: stored.parse()?,
            registered_at: stored.take()?,
            revision: stored.take()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use domain::value::{Country, CustomerNumber, Email, PersonName};
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::super::testing::{assert_table_is, recorded};
    use super::*;

    const ID: UserId = UserId(Uuid::from_u128(1));

    fn registered(name: Option<Personal<PersonName>>) -> Event {
        Event::Registered {
            user_id: ID,
            customer_number: CustomerNumber::new("17850").unwrap(),
            country: Country::new("United Kingdom").unwrap(),
            name,
            email: Some(Personal::Clear(Email::new("ada@example.org").unwrap())),
        }
    }

    #[test]
    fn the_table_is_the_read_models() {
        assert_table_is(&Customers, &read_model::customers::CUSTOMER);
    }

    #[test]
    fn a_profile_is_replaced_and_an_erased_name_reads_as_none() {
        let ada = Some(Personal::Clear(PersonName::new("Ada").unwrap()));
        let row = Customers.fold(&ID, None, &recorded(registered(ada), 1, 0)).unwrap().unwrap();
        assert_eq!((row.name.as_deref(), row.email.as_deref()), (Some("Ada"), Some("ada@example.org")));
        let change = |row: Customer, name| {
            let country = Country::new("France").unwrap();
            let changed = Event::ProfileChanged { user_id: ID, country, name: Some(name), email: None };
            Customers.fold(&ID, Some(row), &recorded(changed, 2, 1)).unwrap().unwrap()
        };
        let grace = change(row.clone(), Personal::Clear(PersonName::new("Grace").unwrap()));
        assert_eq!((grace.name.as_deref(), grace.email.as_deref()), (Some("Grace"), None));
        let row = change(row, Personal::Erased);
        assert_eq!((row.name.as_deref(), row.email.as_deref(), row.country.as_str()), (None, None, "France"));
        assert_eq!((row.customer_number.as_deref(), row.revision), (Some("17850"), 1));
        let closed = recorded(Event::Deactivated { user_id: ID }, 3, 2);
        let row = Customers.fold(&ID, Some(row), &closed).unwrap().unwrap();
        assert_eq!(row.status, CustomerStatus::Deactivated);
    }

    #[test]
    fn an_event_whose_predecessor_is_missing_cannot_be_folded() {
        assert!(Customers.fold(&ID, None, &recorded(Event::Deactivated { user_id: ID }, 1, 1)).is_err());
        let row = Customers.fold(&ID, None, &recorded(registered(None), 1, 0)).unwrap();
        assert!(Customers.fold(&ID, row, &recorded(registered(None), 2, 1)).is_err());
    }

    proptest! {
        #[test]
        fn a_row_is_the_same_after_storing_and_loading(
            (customer_number, country) in (proptest::option::of(".{1,64}"), ".{1,64}"),
            (name, email) in (proptest::option::of(".{1,99}"), proptest::option::of(".{1,99}")),
            (is_active, at, revision) in (any::<bool>(), -100_000_000_000_000_i64..100_000_000_000_000_000, any::<i64>()),
        ) {
            let status = if is_active { CustomerStatus::Active } else { CustomerStatus::Deactivated };
            let registered_at = Timestamp::from_microsecond(at).unwrap();
            let row = Customer { customer_number, country, name, email, status, registered_at, revision };
            prop_assert_eq!(engine::law::survives_storage(&Customers, &ID, &row), Ok(()));
        }
    }
}
