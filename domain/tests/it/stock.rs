use domain::ids::{OrderId, ProductId, ReturnId};
use domain::stock::{Action, Command, Event, Rejection, State, Stock};
use domain::value::{QuantityChange, Reason, UNITS_MAX};
use proptest::prelude::*;
use uuid::Uuid;

use crate::support::{check_rejections, given, play, quantity};

const PRODUCT: ProductId = ProductId(Uuid::from_u128(1));
const ORDER: OrderId = OrderId(Uuid::from_u128(2));
const OTHER_ORDER: OrderId = OrderId(Uuid::from_u128(3));
const RETURN: ReturnId = ReturnId(Uuid::from_u128(4));

fn command(action: Action) -> Command {
    Command { product_id: PRODUCT, action }
}

fn receive(units: i64) -> Command {
    command(Action::Receive { quantity: quantity(units) })
}

fn adjust(units: i64) -> Command {
    let reason = Reason::new("counted").unwrap();
    command(Action::Adjust { quantity: QuantityChange::new(units).unwrap(), reason })
}

fn reserve(order_id: OrderId, units: i64) -> Command {
    command(Action::Reserve { order_id, quantity: quantity(units) })
}

fn release(order_id: OrderId) -> Command {
    command(Action::Release { order_id })
}

fn ship(order_id: OrderId) -> Command {
    command(Action::Ship { order_id })
}

fn restock(units: i64) -> Command {
    command(Action::Restock { return_id: RETURN, quantity: quantity(units) })
}

fn received(units: i64) -> Event {
    Event::Received { product_id: PRODUCT, quantity: quantity(units) }
}

fn adjusted(units: i64) -> Event {
    let quantity = QuantityChange::new(units).unwrap();
    Event::Adjusted { product_id: PRODUCT, quantity, reason: Reason::new("counted").unwrap() }
}

fn reserved(order_id: OrderId, units: i64) -> Event {
    Event::Reserved { product_id: PRODUCT, order_id, quantity: quantity(units) }
}

fn released(order_id: OrderId, units: i64) -> Event {
    Event::Released { product_id: PRODUCT, order_id, quantity: quantity(units) }
}

fn shipped(order_id: OrderId, units: i64) -> Event {
    Event::Shipped { product_id: PRODUCT, order_id, quantity: quantity(units) }
}

fn restocked(units: i64) -> Event {
    Event::Restocked { product_id: PRODUCT, return_id: RETURN, quantity: quantity(units) }
}

#[test]
fn stock_is_received_up_to_what_can_be_counted() {
    given::<Stock>([]).when(receive(5)).then([received(5)]);
    given::<Stock>([received(5)]).when(receive(UNITS_MAX - 5)).then([received(UNITS_MAX - 5)]);
}

#[test]
fn an_adjustment_goes_both_ways_and_may_empty_the_shelf() {
    given::<Stock>([]).when(adjust(3)).then([adjusted(3)]);
    given::<Stock>([received(5)]).when(adjust(-5)).then([adjusted(-5)]);
}

#[test]
fn an_adjustment_may_leave_less_than_is_reserved() {
    given::<Stock>([received(5), reserved(ORDER, 5)]).when(adjust(-2)).then([adjusted(-2)]);
}

#[test]
fn what_is_available_can_be_reserved_and_no_more() {
    given::<Stock>([received(5), reserved(ORDER, 3)])
        .when(reserve(OTHER_ORDER, 2))
        .then([reserved(OTHER_ORDER, 2)]);
}

#[test]
fn the_same_reservation_again_changes_nothing() {
    given::<Stock>([received(5), reserved(ORDER, 3)]).when(reserve(ORDER, 3)).then_nothing();
}

#[test]
fn a_released_reservation_can_be_made_again() {
    let history = [received(5), reserved(ORDER, 5)];
    given::<Stock>(history.clone()).when(release(ORDER)).then([released(ORDER, 5)]);
    given::<Stock>(history.into_iter().chain([released(ORDER, 5)]))
        .when(reserve(OTHER_ORDER, 5))
        .then([reserved(OTHER_ORDER, 5)]);
}

#[test]
fn shipping_takes_the_reserved_units_off_the_shelf() {
    let history = [received(5), reserved(ORDER, 3)];
    given::<Stock>(history.clone()).when(ship(ORDER)).then([shipped(ORDER, 3)]);
    given::<Stock>(history.into_iter().chain([shipped(ORDER, 3)]))
        .when(reserve(OTHER_ORDER, 2))
        .then([reserved(OTHER_ORDER, 2)]);
}

#[test]
fn returned_units_can_be_reserved_again() {
    given::<Stock>([]).when(restock(2)).then([restocked(2)]);
    given::<Stock>([restocked(2)]).when(reserve(ORDER, 2)).then([reserved(ORDER, 2)]);
}

#[test]
fn every_rejection_is_met() {
    let insufficient =
        |on_hand, reserved, requested| Rejection::Insufficient { on_hand, reserved, requested };
    let details = serde_json::json!({"onHand": 5, "reserved": 3, "requested": 4});
    assert_eq!(insufficient(5, 3, 4).details(), Some(details));
    assert_eq!(
        Rejection::AlreadyReserved { quantity: 3 }.details(),
        Some(serde_json::json!({"quantity": 3}))
    );
    check_rejections::<Stock>(
        Rejection::NAMES,
        vec![
            (vec![], reserve(ORDER, 1), insufficient(0, 0, 1)),
            (vec![received(5), reserved(ORDER, 3)], reserve(OTHER_ORDER, 4), insufficient(5, 3, 4)),
            (vec![received(5)], adjust(-6), insufficient(5, 0, 6)),
            (vec![received(5), reserved(ORDER, 5), adjusted(-3)], ship(ORDER), insufficient(2, 5, 5)),
            (
                vec![received(5), reserved(ORDER, 5), adjusted(-3)],
                reserve(OTHER_ORDER, 1),
                insufficient(2, 5, 1),
            ),
            (
                vec![received(5), reserved(ORDER, 3)],
                reserve(ORDER, 2),
                Rejection::AlreadyReserved { quantity: 3 },
            ),
            (vec![], release(ORDER), Rejection::ReservationNotFound),
            (vec![], ship(ORDER), Rejection::ReservationNotFound),
            (
                vec![received(5), reserved(ORDER, 3), shipped(ORDER, 3)],
                ship(ORDER),
                Rejection::ReservationNotFound,
            ),
            (
                vec![received(5), reserved(ORDER, 3), released(ORDER, 3)],
                ship(ORDER),
                Rejection::ReservationNotFound,
            ),
            (vec![received(UNITS_MAX)], receive(1), Rejection::Overflow),
            (vec![received(UNITS_MAX)], adjust(1), Rejection::Overflow),
            (vec![received(UNITS_MAX)], restock(1), Rejection::Overflow),
        ],
    );
}

fn any_units() -> impl Strategy<Value = i64> {
    prop_oneof![9 => 1..20_i64, 1 => Just(UNITS_MAX)]
}

fn any_command() -> impl Strategy<Value = Command> {
    let order = (0..4_u128).prop_map(|n| OrderId(Uuid::from_u128(n)));
    prop_oneof![
        any_units().prop_map(receive),
        (any_units(), any::<bool>()).prop_map(|(units, up)| adjust(if up { units } else { -units })),
        (order.clone(), any_units()).prop_map(|(order, units)| reserve(order, units)),
        order.clone().prop_map(release),
        order.prop_map(ship),
        any_units().prop_map(restock),
    ]
}

fn any_event() -> impl Strategy<Value = Event> {
    let order = (0..4_u128).prop_map(|n| OrderId(Uuid::from_u128(n)));
    prop_oneof![
        any_units().prop_map(received),
        any_units().prop_map(|units| adjusted(-units)),
        (order.clone(), any_units()).prop_map(|(order, units)| reserved(order, units)),
        (order.clone(), any_units()).prop_map(|(order, units)| released(order, units)),
        (order, any_units()).prop_map(|(order, units)| shipped(order, units)),
    ]
}

fn sum_of_reservations(state: &State) -> i64 {
    state.reservations.values().map(|quantity| quantity.units()).sum()
}

proptest! {
    #[test]
    fn the_shelf_never_holds_less_than_nothing_or_more_than_can_be_counted(
        commands in prop::collection::vec(any_command(), 0..40),
    ) {
        play::<Stock>(commands, |before, events, after| {
            assert!((0..=UNITS_MAX).contains(&after.on_hand));
            assert_eq!(after.reserved, sum_of_reservations(after));
            let counted_down = matches!(events, [Event::Adjusted { .. }]);
            let promised_too_much = after.available() < 0;
            assert!(!promised_too_much || counted_down || after.available() >= before.available());
        });
    }

    #[test]
    fn no_command_panics_whatever_the_events_were(
        events in prop::collection::vec(any_event(), 0..20),
        command in any_command(),
    ) {
        let state = domain::fold::<Stock>(&events);
        let _ = <Stock as domain::Decider>::decide(&state, command);
    }
}
