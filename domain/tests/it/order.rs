use contract::{Currency, Money};
use domain::ids::{OrderId, PaymentId, PersonId, ShipmentId, UserId};
use domain::lines::{LINES_MAX, NewLine};
use domain::order::{Buyer, CancelReason, Command, Customer, Event, Order, Place, Rejection, State, Status};
use domain::value::{Country, CustomerNumber, DocumentNumber, Email, GatewayToken, Reason, UNITS_MAX};
use domain::{Decider, Personal, fold};
use proptest::prelude::*;
use uuid::Uuid;

use crate::support::{check_rejections, eur, gbp, given, kept, line, play};

const ORDER: OrderId = OrderId(Uuid::from_u128(1));
const PAYMENT: PaymentId = PaymentId(Uuid::from_u128(2));
const OTHER_PAYMENT: PaymentId = PaymentId(Uuid::from_u128(3));
const SHIPMENT: ShipmentId = ShipmentId(Uuid::from_u128(4));
const OTHER_SHIPMENT: ShipmentId = ShipmentId(Uuid::from_u128(5));

fn customer() -> Buyer {
    let customer_number = CustomerNumber::new("17850").unwrap();
    Buyer::Customer(Customer { user_id: UserId::from_number(&customer_number), customer_number })
}

fn guest() -> Buyer {
    let email = Email::new("guest@example.org").unwrap();
    Buyer::Guest { name: None, email: Some(Personal::Clear(email)) }
}

fn two_lines() -> Vec<NewLine> {
    vec![line("85123A", 6, gbp(255)), line("85123A", 1, gbp(295))]
}

fn place(buyer: Buyer, lines: Vec<NewLine>) -> Command {
    Command::Place(Box::new(Place {
        order_id: ORDER,
        number: Some(DocumentNumber::new("536365").unwrap()),
        buyer,
        country: Country::new("EIRE").unwrap(),
        currency: Currency::GBP,
        lines,
        payment_token: Some(GatewayToken::new("tok-pay").unwrap()),
        shipping_token: Some(GatewayToken::new("tok-ship").unwrap()),
    }))
}

fn placed_with(buyer: Buyer, lines: &[NewLine], total: i64) -> Event {
    Event::Placed {
        order_id: ORDER,
        number: Some(DocumentNumber::new("536365").unwrap()),
        buyer,
        country: Country::new("EIRE").unwrap(),
        currency: Currency::GBP,
        lines: lines.iter().map(kept).collect(),
        total: Money::new(total, Currency::GBP),
        payment_token: Some(GatewayToken::new("tok-pay").unwrap()),
        shipping_token: Some(GatewayToken::new("tok-ship").unwrap()),
    }
}

fn placed() -> Event {
    placed_with(customer(), &two_lines(), 6 * 255 + 295)
}

fn cancel(reason: CancelReason) -> Command {
    Command::Cancel { reason, note: None }
}

fn cancelled(reason: CancelReason) -> Event {
    Event::Cancelled { order_id: ORDER, reason, note: None }
}

fn pay(payment_id: PaymentId) -> Command {
    Command::MarkPaid { payment_id }
}

fn ship(shipment_id: ShipmentId) -> Command {
    Command::MarkShipped { shipment_id }
}

/// The events of an order that came so far and was not called off.
fn way(to: Status) -> Vec<Event> {
    let steps = [
        placed(),
        Event::Reserved { order_id: ORDER },
        Event::Paid { order_id: ORDER, payment_id: PAYMENT },
        Event::Shipped { order_id: ORDER, shipment_id: SHIPMENT },
        Event::Delivered { order_id: ORDER },
    ];
    steps.into_iter().take(to as usize + 1).collect()
}

fn called_off(from: Status, reason: CancelReason) -> Vec<Event> {
    way(from).into_iter().chain([cancelled(reason)]).collect()
}

#[test]
fn an_order_of_a_customer_keeps_every_line_and_the_total() {
    given::<Order>([]).when(place(customer(), two_lines())).then([placed()]);
    assert_eq!(placed().person(), None);
}

#[test]
fn an_order_of_a_guest_is_its_own_person() {
    let event = placed_with(guest(), &two_lines(), 6 * 255 + 295);
    assert_eq!(event.person(), Some(PersonId::from(ORDER)));
    given::<Order>([]).when(place(guest(), two_lines())).then([event]);
}

#[test]
fn an_order_may_be_as_long_and_as_large_as_can_be_counted() {
    let lines = vec![line("m", 1, gbp(1)); LINES_MAX];
    given::<Order>([]).when(place(customer(), lines.clone())).then([placed_with(customer(), &lines, 5_000)]);
    let lines = vec![line("m", 1, gbp(i64::MAX)), line("n", UNITS_MAX - 1, gbp(0))];
    given::<Order>([]).when(place(customer(), lines.clone())).then([placed_with(
        customer(),
        &lines,
        i64::MAX,
    )]);
}

#[test]
fn an_order_takes_one_step_after_the_other() {
    let [_, reserved, paid, shipped, delivered] = way(Status::Delivered).try_into().unwrap();
    given::<Order>(way(Status::Placed)).when(Command::MarkReserved).then([reserved]);
    given::<Order>(way(Status::Reserved)).when(pay(PAYMENT)).then([paid]);
    given::<Order>(way(Status::Paid)).when(ship(SHIPMENT)).then([shipped]);
    given::<Order>(way(Status::Shipped)).when(Command::MarkDelivered).then([delivered]);
}

#[test]
fn a_step_that_was_taken_changes_nothing() {
    for status in [Status::Reserved, Status::Paid, Status::Shipped, Status::Delivered] {
        given::<Order>(way(status)).when(Command::MarkReserved).then_nothing();
    }
    for status in [Status::Paid, Status::Shipped, Status::Delivered] {
        given::<Order>(way(status)).when(pay(PAYMENT)).then_nothing();
    }
    for status in [Status::Shipped, Status::Delivered] {
        given::<Order>(way(status)).when(ship(SHIPMENT)).then_nothing();
    }
    given::<Order>(way(Status::Delivered)).when(Command::MarkDelivered).then_nothing();
}

#[test]
fn an_order_is_called_off_until_it_left_the_house() {
    for status in [Status::Placed, Status::Reserved, Status::Paid] {
        let note = Some(Reason::new("changed their mind").unwrap());
        given::<Order>(way(status))
            .when(Command::Cancel { reason: CancelReason::Requested, note: note.clone() })
            .then([Event::Cancelled { order_id: ORDER, reason: CancelReason::Requested, note }]);
    }
    given::<Order>(called_off(Status::Paid, CancelReason::OutOfStock))
        .when(cancel(CancelReason::OutOfStock))
        .then_nothing();
}

#[test]
fn a_shipped_order_is_called_off_only_when_it_did_not_arrive() {
    given::<Order>(way(Status::Shipped))
        .when(cancel(CancelReason::ShipmentFailed))
        .then([cancelled(CancelReason::ShipmentFailed)]);
}

#[test]
fn lines_that_cannot_be_taken_are_rejected() {
    let mismatch = Rejection::CurrencyMismatch { currency: Currency::GBP };
    assert_eq!(mismatch.details(), Some(serde_json::json!({"currency": "GBP"})));
    let too_much =
        [vec![line("m", 2, gbp(i64::MAX))], vec![line("m", 1, gbp(i64::MAX)), line("m", 1, gbp(1))]];
    let cases = [
        (vec![], Rejection::NoLines),
        (vec![line("m", 1, gbp(1)); LINES_MAX + 1], Rejection::TooManyLines),
        (vec![line("m", 1, gbp(1)), line("m", 1, eur(1))], mismatch),
        (vec![line("m", UNITS_MAX, gbp(0)), line("m", 1, gbp(0))], Rejection::QuantityOverflow),
    ];
    for (lines, rejection) in cases {
        given::<Order>([]).when(place(customer(), lines)).then_rejected(rejection);
    }
    for lines in too_much {
        given::<Order>([]).when(place(customer(), lines)).then_rejected(Rejection::AmountOverflow);
    }
}

#[test]
fn every_rejection_is_met() {
    let of_lines = |lines, rejection| (vec![], place(customer(), lines), rejection);
    let gone = || called_off(Status::Placed, CancelReason::Requested);
    let mut cases = vec![
        of_lines(vec![], Rejection::NoLines),
        of_lines(vec![line("m", 1, gbp(1)); LINES_MAX + 1], Rejection::TooManyLines),
        of_lines(vec![line("m", 1, eur(1))], Rejection::CurrencyMismatch { currency: Currency::GBP }),
        of_lines(vec![line("m", 2, gbp(i64::MAX))], Rejection::AmountOverflow),
        of_lines(vec![line("m", UNITS_MAX, gbp(0)); 2], Rejection::QuantityOverflow),
        (way(Status::Placed), place(customer(), two_lines()), Rejection::AlreadyPlaced),
        (gone(), place(customer(), two_lines()), Rejection::AlreadyPlaced),
        (way(Status::Placed), pay(PAYMENT), Rejection::NotReserved),
        (way(Status::Delivered), pay(OTHER_PAYMENT), Rejection::AlreadyPaid),
        (way(Status::Delivered), ship(OTHER_SHIPMENT), Rejection::AlreadyShipped),
        (way(Status::Shipped), cancel(CancelReason::Requested), Rejection::AlreadyShipped),
        (way(Status::Delivered), cancel(CancelReason::ShipmentFailed), Rejection::AlreadyDelivered),
        (gone(), cancel(CancelReason::OutOfStock), Rejection::Cancelled),
    ];
    for status in [Status::Placed, Status::Reserved] {
        cases.push((way(status), ship(SHIPMENT), Rejection::NotPaid));
    }
    for status in [Status::Placed, Status::Reserved, Status::Paid] {
        cases.push((way(status), Command::MarkDelivered, Rejection::NotShipped));
    }
    for command in [Command::MarkReserved, pay(PAYMENT), ship(SHIPMENT), Command::MarkDelivered] {
        cases.push((vec![], command.clone(), Rejection::NotFound));
        cases.push((gone(), command, Rejection::Cancelled));
    }
    cases.push((vec![], cancel(CancelReason::Requested), Rejection::NotFound));
    check_rejections::<Order>(Rejection::NAMES, cases);
}

fn any_reason() -> impl Strategy<Value = CancelReason> {
    prop_oneof![Just(CancelReason::Requested), Just(CancelReason::ShipmentFailed)]
}

fn any_lines() -> impl Strategy<Value = Vec<NewLine>> {
    let price = prop_oneof![4 => (0..1_000_i64).prop_map(gbp), 1 => Just(gbp(i64::MAX)), 1 => Just(eur(1))];
    let units = prop_oneof![4 => 1..10_i64, 1 => Just(UNITS_MAX)];
    prop::collection::vec((units, price).prop_map(|(units, price)| line("m", units, price)), 0..4)
}

fn any_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        4 => any_lines().prop_map(|lines| place(guest(), lines)),
        4 => Just(Command::MarkReserved),
        4 => prop_oneof![Just(pay(PAYMENT)), Just(pay(OTHER_PAYMENT))],
        4 => prop_oneof![Just(ship(SHIPMENT)), Just(ship(OTHER_SHIPMENT))],
        4 => Just(Command::MarkDelivered),
        1 => any_reason().prop_map(cancel),
    ]
}

fn any_event() -> impl Strategy<Value = Event> {
    (0..6_usize, any_reason()).prop_map(|(step, reason)| {
        way(Status::Delivered).into_iter().nth(step).unwrap_or_else(|| cancelled(reason))
    })
}

proptest! {
    #[test]
    fn an_order_only_goes_forward_and_its_total_is_the_sum_of_its_lines(
        commands in prop::collection::vec(any_command(), 0..40),
    ) {
        play::<Order>(commands, |before, events, after| {
            let State::Placed(after) = after else { panic!("an accepted command leaves a placed order") };
            let amounts = after.lines.iter().map(|line| line.amount(after.currency).unwrap().minor);
            assert_eq!(amounts.map(i128::from).sum::<i128>(), i128::from(after.total.minor));
            let beyond = |status| (status..Status::Cancelled).contains(&after.status);
            assert!(!beyond(Status::Paid) || after.payment_id.is_some());
            assert!(!beyond(Status::Shipped) || after.shipment_id.is_some());
            if let State::Placed(before) = before {
                assert_eq!((&before.lines, before.total), (&after.lines, after.total));
                assert_eq!(events.is_empty(), before.status == after.status);
                assert!(before.status <= after.status);
                let one_step = before.status as u8 + u8::from(!events.is_empty()) == after.status as u8;
                assert!(one_step || after.status == Status::Cancelled);
            }
        });
    }

    #[test]
    fn no_command_panics_whatever_the_events_were(
        events in prop::collection::vec(any_event(), 0..10),
        command in any_command(),
    ) {
        let _ = Order::decide(&fold::<Order>(&events), command);
    }
}
