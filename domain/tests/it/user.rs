use domain::Personal;
use domain::ids::{PersonId, UserId};
use domain::user::{Command, Event, Rejection, State, User};
use domain::value::{Country, CustomerNumber, Email, PersonName};
use proptest::prelude::*;

use crate::support::{check_rejections, given, play};

fn number() -> CustomerNumber {
    CustomerNumber::new("17850").unwrap()
}

fn id() -> UserId {
    UserId::from_number(&number())
}

fn country(text: &str) -> Country {
    Country::new(text).unwrap()
}

fn ada() -> Option<Personal<PersonName>> {
    Some(Personal::Clear(PersonName::new("Ada").unwrap()))
}

fn email() -> Option<Personal<Email>> {
    Some(Personal::Clear(Email::new("ada@example.org").unwrap()))
}

fn register() -> Command {
    Command::Register { customer_number: number(), country: country("France"), name: ada(), email: email() }
}

fn registered(name: Option<Personal<PersonName>>) -> Event {
    Event::Registered {
        user_id: id(),
        customer_number: number(),
        country: country("France"),
        name,
        email: None,
    }
}

fn change(to: &str, name: Option<Personal<PersonName>>) -> Command {
    Command::ChangeProfile { country: country(to), name, email: None }
}

fn changed(to: &str, name: Option<Personal<PersonName>>) -> Event {
    Event::ProfileChanged { user_id: id(), country: country(to), name, email: None }
}

fn deactivated() -> Event {
    Event::Deactivated { user_id: id() }
}

#[test]
fn a_customer_registers_under_the_id_of_the_number() {
    given::<User>([]).when(register()).then([Event::Registered {
        user_id: id(),
        customer_number: number(),
        country: country("France"),
        name: ada(),
        email: email(),
    }]);
}

#[test]
fn a_profile_is_replaced_as_a_whole() {
    given::<User>([registered(ada())]).when(change("EIRE", None)).then([changed("EIRE", None)]);
    given::<User>([registered(None)]).when(change("France", ada())).then([changed("France", ada())]);
    given::<User>([registered(None)]).when(change("EIRE", None)).then([changed("EIRE", None)]);
}

#[test]
fn the_same_profile_without_personal_data_changes_nothing() {
    given::<User>([registered(None)]).when(change("France", None)).then_nothing();
}

#[test]
fn what_is_not_given_is_taken_away() {
    let known = Event::Registered {
        user_id: id(),
        customer_number: number(),
        country: country("France"),
        name: ada(),
        email: email(),
    };
    given::<User>([known, changed("EIRE", None)]).when(change("EIRE", None)).then_nothing();
}

#[test]
fn a_decision_is_the_same_before_and_after_erasure() {
    for known in [ada(), Some(Personal::Erased)] {
        given::<User>([registered(known.clone())])
            .when(change("France", ada()))
            .then([changed("France", ada())]);
        given::<User>([registered(known)]).when(change("France", None)).then([changed("France", None)]);
    }
}

#[test]
fn an_account_is_closed_once() {
    given::<User>([registered(None)]).when(Command::Deactivate).then([deactivated()]);
    given::<User>([registered(None), deactivated()]).when(Command::Deactivate).then_nothing();
}

#[test]
fn every_event_belongs_to_the_person() {
    for event in [registered(None), changed("EIRE", None), deactivated()] {
        assert_eq!(event.person(), Some(PersonId::from(id())));
    }
}

#[test]
fn every_rejection_is_met() {
    check_rejections::<User>(
        Rejection::NAMES,
        vec![
            (vec![], change("EIRE", None), Rejection::NotFound),
            (vec![], Command::Deactivate, Rejection::NotFound),
            (vec![registered(None)], register(), Rejection::AlreadyRegistered),
            (vec![registered(None), deactivated()], register(), Rejection::AlreadyRegistered),
            (vec![registered(None), deactivated()], change("EIRE", None), Rejection::Deactivated),
        ],
    );
}

fn any_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        2 => Just(register()),
        4 => ("(France|EIRE)", any::<bool>()).prop_map(|(to, named)| change(&to, if named { ada() } else { None })),
        1 => Just(Command::Deactivate),
    ]
}

proptest! {
    #[test]
    fn a_user_keeps_id_and_number_and_a_closed_account_stays_closed(
        commands in prop::collection::vec(any_command(), 0..20),
    ) {
        play::<User>(commands, |before, events, after| {
            let State::Known { user_id, customer_number, .. } = after else {
                panic!("an accepted command leaves a known user");
            };
            assert_eq!((*user_id, customer_number), (id(), &number()));
            if let State::Known { status: domain::user::Status::Deactivated, .. } = before {
                assert!(events.is_empty());
            }
            assert!(events.len() <= 1);
        });
    }
}
