use domain::codec::{Decoded, Encoded, encode};
use domain::ids::{PersonId, UserId};
use domain::value::{Country, CustomerNumber, Email, PersonName};
use domain::{Personal, ShopEvent, user};
use vault::{OpenError, Sealed, Vault};

pub const SECRETS: [&str; 2] = ["Ada Lovelace", "ada@example.org"];

fn user_event(number: u32, name: Option<Personal<PersonName>>, email: Option<Personal<Email>>) -> ShopEvent {
    let customer_number = CustomerNumber::new(&number.to_string()).unwrap();
    ShopEvent::from(user::Event::Registered {
        user_id: UserId::from_number(&customer_number),
        customer_number,
        country: Country::new("EIRE").unwrap(),
        name,
        email,
    })
}

/// A registration with name and e-mail address.
pub fn clear(number: u32) -> ShopEvent {
    let name = PersonName::new(SECRETS[0]).unwrap();
    let email = Email::new(SECRETS[1]).unwrap();
    user_event(number, Some(Personal::Clear(name)), Some(Personal::Clear(email)))
}

/// The same after the person's key was destroyed.
pub fn erased(number: u32) -> ShopEvent {
    user_event(number, Some(Personal::Erased), Some(Personal::Erased))
}

/// A registration without personal data.
pub fn blank(number: u32) -> ShopEvent {
    user_event(number, None, None)
}

pub fn person(number: u32) -> PersonId {
    clear(number).person().unwrap()
}

pub fn encoded(number: u32) -> Encoded {
    encode(&clear(number))
}

pub async fn open(vault: &Vault, sealed: &Sealed) -> Result<ShopEvent, OpenError> {
    match vault.open_event(sealed.event_type, sealed.schema_version, &sealed.data).await? {
        Decoded::Event(event) => Ok(event),
        Decoded::UnknownType => panic!("{} is known", sealed.event_type),
    }
}
