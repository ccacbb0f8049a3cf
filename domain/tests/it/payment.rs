use contract::Currency;
use domain::ids::{OrderId, PaymentId, ReturnId};
use domain::payment::{Command, Event, Payment, Rejection, State, Status};
use domain::value::{GatewayReference, GatewayToken, Price, Reason};
use domain::{Decider, fold};
use proptest::prelude::*;
use uuid::Uuid;

use crate::support::{check_rejections, eur, gbp, given, play};

const PAYMENT: PaymentId = PaymentId(Uuid::from_u128(1));
const ORDER: OrderId = OrderId(Uuid::from_u128(2));
const OTHER_ORDER: OrderId = OrderId(Uuid::from_u128(3));
const RETURN: ReturnId = ReturnId(Uuid::from_u128(4));

fn token() -> Option<GatewayToken> {
    Some(GatewayToken::new("tok-pay").unwrap())
}

fn reference(text: &str) -> GatewayReference {
    GatewayReference::new(text).unwrap()
}

fn reason() -> Reason {
    Reason::new("card expired").unwrap()
}

fn request(order_id: OrderId, amount: Price) -> Command {
    Command::Request { payment_id: PAYMENT, order_id, amount, token: token() }
}

fn authorize(text: &str) -> Command {
    Command::Authorize { reference: reference(text) }
}

fn decline() -> Command {
    Command::Decline { reason: reason() }
}

fn refund(return_id: Option<ReturnId>, amount: Price) -> Command {
    Command::Refund { return_id, amount }
}

fn requested() -> Event {
    Event::Requested { payment_id: PAYMENT, order_id: ORDER, amount: gbp(100), token: token() }
}

fn authorized() -> Event {
    Event::Authorized { payment_id: PAYMENT, order_id: ORDER, reference: reference("auth-1") }
}

fn captured() -> Event {
    Event::Captured { payment_id: PAYMENT, order_id: ORDER, amount: gbp(100) }
}

fn declined() -> Event {
    Event::Declined { payment_id: PAYMENT, order_id: ORDER, reason: reason() }
}

fn refunded(return_id: Option<ReturnId>, amount: Price) -> Event {
    Event::Refunded { payment_id: PAYMENT, order_id: ORDER, return_id, amount }
}

fn paid() -> Vec<Event> {
    vec![requested(), authorized(), captured()]
}

fn paid_and(more: impl IntoIterator<Item = Event>) -> Vec<Event> {
    paid().into_iter().chain(more).collect()
}

#[test]
fn a_payment_takes_one_step_after_the_other() {
    given::<Payment>([]).when(request(ORDER, gbp(100))).then([requested()]);
    given::<Payment>([requested()]).when(authorize("auth-1")).then([authorized()]);
    given::<Payment>([requested(), authorized()]).when(Command::Capture).then([captured()]);
}

#[test]
fn a_step_that_was_taken_changes_nothing() {
    given::<Payment>(paid()).when(request(ORDER, gbp(100))).then_nothing();
    given::<Payment>([requested(), authorized()]).when(authorize("auth-1")).then_nothing();
    given::<Payment>(paid()).when(authorize("auth-1")).then_nothing();
    given::<Payment>(paid()).when(Command::Capture).then_nothing();
    given::<Payment>([requested(), declined()]).when(decline()).then_nothing();
}

#[test]
fn a_payment_is_declined_until_it_is_captured() {
    given::<Payment>([requested()]).when(decline()).then([declined()]);
    given::<Payment>([requested(), authorized()]).when(decline()).then([declined()]);
}

#[test]
fn money_goes_back_once_for_each_return_and_once_for_the_order() {
    given::<Payment>(paid()).when(refund(Some(RETURN), gbp(40))).then([refunded(Some(RETURN), gbp(40))]);
    let part = || paid_and([refunded(Some(RETURN), gbp(40))]);
    given::<Payment>(part()).when(refund(Some(RETURN), gbp(40))).then_nothing();
    given::<Payment>(part()).when(refund(None, gbp(60))).then([refunded(None, gbp(60))]);
}

#[test]
fn every_rejection_is_met() {
    let mismatch = Rejection::CurrencyMismatch { currency: Currency::GBP };
    let too_large = |left_minor| Rejection::RefundTooLarge { left_minor };
    assert_eq!(mismatch.details(), Some(serde_json::json!({"currency": "GBP"})));
    assert_eq!(too_large(60).details(), Some(serde_json::json!({"leftMinor": 60})));
    let part = || paid_and([refunded(Some(RETURN), gbp(40))]);
    let mut cases = vec![
        (paid(), request(OTHER_ORDER, gbp(100)), Rejection::AlreadyRequested),
        (paid(), request(ORDER, gbp(101)), Rejection::AlreadyRequested),
        (vec![requested()], Command::Capture, Rejection::NotAuthorized),
        (vec![requested(), authorized()], authorize("auth-2"), Rejection::AlreadyAuthorized),
        (paid(), authorize("auth-2"), Rejection::AlreadyAuthorized),
        (vec![requested()], refund(None, gbp(1)), Rejection::NotCaptured),
        (vec![requested(), authorized()], refund(None, gbp(1)), Rejection::NotCaptured),
        (paid(), decline(), Rejection::AlreadyCaptured),
        (paid(), refund(None, eur(1)), mismatch),
        (paid(), refund(None, gbp(101)), too_large(100)),
        (part(), refund(None, gbp(61)), too_large(60)),
        (part(), refund(None, gbp(i64::MAX)), too_large(60)),
        (part(), refund(Some(RETURN), gbp(41)), Rejection::AlreadyRefunded),
    ];
    for command in [authorize("auth-1"), Command::Capture, refund(None, gbp(1))] {
        cases.push((vec![], command.clone(), Rejection::NotFound));
        cases.push((vec![requested(), declined()], command, Rejection::Declined));
    }
    cases.push((vec![], decline(), Rejection::NotFound));
    check_rejections::<Payment>(Rejection::NAMES, cases);
}

fn any_price() -> impl Strategy<Value = Price> {
    prop_oneof![6 => (0..150_i64).prop_map(gbp), 1 => Just(gbp(i64::MAX)), 1 => Just(eur(10))]
}

fn any_return() -> impl Strategy<Value = Option<ReturnId>> {
    prop::option::of((0..3_u128).prop_map(|n| ReturnId(Uuid::from_u128(n))))
}

fn any_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        2 => any_price().prop_map(|amount| request(ORDER, amount)),
        4 => "auth-[12]".prop_map(|text| authorize(&text)),
        4 => Just(Command::Capture),
        1 => Just(decline()),
        8 => (any_return(), any_price()).prop_map(|(id, amount)| refund(id, amount)),
    ]
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(requested()),
        Just(authorized()),
        Just(captured()),
        Just(declined()),
        (any_return(), any_price()).prop_map(|(id, amount)| refunded(id, amount)),
    ]
}

proptest! {
    #[test]
    fn no_more_goes_back_than_came_in(commands in prop::collection::vec(any_command(), 0..40)) {
        play::<Payment>(commands, |before, events, after| {
            let State::Requested(after) = after else { panic!("an accepted command leaves a payment") };
            assert!((0..=after.amount.money().minor).contains(&after.refunded_minor()));
            assert!(after.refunds.is_empty() || after.status == Status::Captured);
            assert!(after.refunds.values().all(|price| price.money().currency == after.amount.money().currency));
            if let State::Requested(before) = before {
                assert_eq!((before.order_id, before.amount), (after.order_id, after.amount));
                assert!(before.status != Status::Declined || events.is_empty(), "declined is the end");
            }
            assert_eq!(events.is_empty(), *before == State::Requested(after.clone()));
        });
    }

    #[test]
    fn no_command_panics_whatever_the_events_were(
        events in prop::collection::vec(any_event(), 0..12),
        command in any_command(),
    ) {
        let _ = Payment::decide(&fold::<Payment>(&events), command);
    }
}
