use contract::{Currency, Money};
use domain::ids::{OrderId, PaymentId, ReturnId, UserId};
use domain::lines::{LINES_MAX, NewLine};
use domain::order::Customer;
use domain::returns::{Command, Event, Receive, Rejection, Return, State};
use domain::value::{Country, CustomerNumber, DocumentNumber, UNITS_MAX};
use domain::{Decider, fold};
use proptest::prelude::*;
use uuid::Uuid;

use crate::support::{check_rejections, eur, gbp, given, kept, line, play};

const RETURN: ReturnId = ReturnId(Uuid::from_u128(1));
const ORDER: OrderId = OrderId(Uuid::from_u128(2));
const PAYMENT: PaymentId = PaymentId(Uuid::from_u128(3));

fn customer() -> Customer {
    let customer_number = CustomerNumber::new("17850").unwrap();
    Customer { user_id: UserId::from_number(&customer_number), customer_number }
}

fn goods() -> Vec<NewLine> {
    vec![line("85123A", 2, gbp(255)), line("m", 1, gbp(10))]
}

fn receive(order_id: Option<OrderId>, customer: Option<Customer>, lines: Vec<NewLine>) -> Command {
    Command::Receive(Box::new(Receive {
        return_id: RETURN,
        number: Some(DocumentNumber::new("C536379").unwrap()),
        order_id,
        customer,
        country: Country::new("EIRE").unwrap(),
        currency: Currency::GBP,
        lines,
    }))
}

fn received(order_id: Option<OrderId>, customer: Option<Customer>) -> Event {
    Event::Received {
        return_id: RETURN,
        number: Some(DocumentNumber::new("C536379").unwrap()),
        order_id,
        customer,
        country: Country::new("EIRE").unwrap(),
        currency: Currency::GBP,
        lines: goods().iter().map(kept).collect(),
        total: Money::new(520, Currency::GBP),
    }
}

fn restocked(order_id: Option<OrderId>) -> Event {
    Event::Restocked { return_id: RETURN, order_id }
}

fn refunded(order_id: Option<OrderId>, payment_id: Option<PaymentId>) -> Event {
    Event::Refunded { return_id: RETURN, order_id, payment_id, amount: Money::new(520, Currency::GBP) }
}

fn refund(payment_id: Option<PaymentId>) -> Command {
    Command::MarkRefunded { payment_id }
}

#[test]
fn goods_come_back_with_or_without_naming_an_order_or_a_customer() {
    for order_id in [Some(ORDER), None] {
        for customer in [Some(customer()), None] {
            given::<Return>([])
                .when(receive(order_id, customer.clone(), goods()))
                .then([received(order_id, customer)]);
        }
    }
}

#[test]
fn goods_are_restocked_once_before_or_after_the_refund() {
    for order_id in [Some(ORDER), None] {
        let history = [received(order_id, None), refunded(order_id, None)];
        given::<Return>(history[..1].to_vec()).when(Command::MarkRestocked).then([restocked(order_id)]);
        given::<Return>(history).when(Command::MarkRestocked).then([restocked(order_id)]);
    }
    given::<Return>([received(None, None), restocked(None)]).when(Command::MarkRestocked).then_nothing();
}

#[test]
fn all_the_money_goes_back_once_from_a_payment_or_another_way() {
    for payment_id in [Some(PAYMENT), None] {
        let history = [received(Some(ORDER), None), restocked(Some(ORDER))];
        let back = refunded(Some(ORDER), payment_id);
        given::<Return>(history[..1].to_vec()).when(refund(payment_id)).then([back.clone()]);
        given::<Return>(history.clone()).when(refund(payment_id)).then([back.clone()]);
        given::<Return>(history.into_iter().chain([back])).when(refund(payment_id)).then_nothing();
    }
}

#[test]
fn every_rejection_is_met() {
    let mismatch = Rejection::CurrencyMismatch { currency: Currency::GBP };
    assert_eq!(mismatch.details(), Some(serde_json::json!({"currency": "GBP"})));
    let of_lines = |lines, rejection| (vec![], receive(None, None, lines), rejection);
    check_rejections::<Return>(
        Rejection::NAMES,
        vec![
            (vec![], Command::MarkRestocked, Rejection::NotFound),
            (vec![], refund(None), Rejection::NotFound),
            (vec![received(None, None)], receive(None, None, goods()), Rejection::AlreadyReceived),
            of_lines(vec![], Rejection::NoLines),
            of_lines(vec![line("m", 1, gbp(1)); LINES_MAX + 1], Rejection::TooManyLines),
            of_lines(vec![line("m", 1, eur(1))], mismatch),
            of_lines(vec![line("m", 2, gbp(i64::MAX))], Rejection::AmountOverflow),
            of_lines(vec![line("m", UNITS_MAX, gbp(0)); 2], Rejection::QuantityOverflow),
            (
                vec![received(None, None), refunded(None, None)],
                refund(Some(PAYMENT)),
                Rejection::AlreadyRefunded,
            ),
            (
                vec![received(None, None), refunded(None, Some(PAYMENT))],
                refund(None),
                Rejection::AlreadyRefunded,
            ),
        ],
    );
}

fn any_payment() -> impl Strategy<Value = Option<PaymentId>> {
    prop_oneof![Just(None), Just(Some(PAYMENT))]
}

fn any_command() -> impl Strategy<Value = Command> {
    let price = prop_oneof![4 => (0..1_000_i64).prop_map(gbp), 1 => Just(gbp(i64::MAX)), 1 => Just(eur(1))];
    let lines =
        prop::collection::vec((1..5_i64, price).prop_map(|(units, price)| line("m", units, price)), 0..3);
    prop_oneof![
        lines.prop_map(|lines| receive(None, None, lines)),
        Just(Command::MarkRestocked),
        any_payment().prop_map(refund),
    ]
}

proptest! {
    #[test]
    fn what_came_back_stays_and_each_step_is_taken_once(commands in prop::collection::vec(any_command(), 0..20)) {
        let mut steps = Vec::new();
        play::<Return>(commands, |before, events, after| {
            let State::Received(after) = after else { panic!("an accepted command leaves a return") };
            assert!(after.total.minor >= 0);
            if let State::Received(before) = before {
                assert_eq!((&before.lines, before.total), (&after.lines, after.total));
                assert_eq!(events.is_empty(), before == after);
            }
            steps.extend(events.iter().map(|event| event.event_type().name));
        });
        let different: std::collections::HashSet<_> = steps.iter().collect();
        prop_assert_eq!(different.len(), steps.len());
    }

    #[test]
    fn no_command_panics_whatever_the_events_were(
        steps in prop::collection::vec((0..3_usize, any_payment()), 0..8),
        command in any_command(),
    ) {
        let event = |(step, payment)| match step {
            0 => received(None, None),
            1 => restocked(None),
            _ => refunded(None, payment),
        };
        let events: Vec<_> = steps.into_iter().map(event).collect();
        let _ = Return::decide(&fold::<Return>(&events), command);
    }
}
