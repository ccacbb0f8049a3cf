use domain::ids::{OrderId, ShipmentId};
use domain::shipment::{Command, Event, Rejection, Shipment, State, Status};
use domain::value::{GatewayReference, GatewayToken, Reason};
use domain::{Decider, fold};
use proptest::prelude::*;
use uuid::Uuid;

use crate::support::{check_rejections, given, play};

const SHIPMENT: ShipmentId = ShipmentId(Uuid::from_u128(1));
const ORDER: OrderId = OrderId(Uuid::from_u128(2));
const OTHER_ORDER: OrderId = OrderId(Uuid::from_u128(3));

fn token() -> Option<GatewayToken> {
    Some(GatewayToken::new("tok-ship").unwrap())
}

fn reference(text: &str) -> GatewayReference {
    GatewayReference::new(text).unwrap()
}

fn reason() -> Reason {
    Reason::new("lost").unwrap()
}

fn request(order_id: OrderId) -> Command {
    Command::Request { shipment_id: SHIPMENT, order_id, token: token() }
}

fn dispatch(text: &str) -> Command {
    Command::Dispatch { reference: reference(text) }
}

fn fail() -> Command {
    Command::Fail { reason: reason() }
}

fn requested() -> Event {
    Event::Requested { shipment_id: SHIPMENT, order_id: ORDER, token: token() }
}

fn dispatched() -> Event {
    Event::Dispatched { shipment_id: SHIPMENT, order_id: ORDER, reference: reference("RM-1") }
}

fn delivered() -> Event {
    Event::Delivered { shipment_id: SHIPMENT, order_id: ORDER }
}

fn failed() -> Event {
    Event::Failed { shipment_id: SHIPMENT, order_id: ORDER, reason: reason() }
}

#[test]
fn a_shipment_takes_one_step_after_the_other() {
    given::<Shipment>([]).when(request(ORDER)).then([requested()]);
    given::<Shipment>([requested()]).when(dispatch("RM-1")).then([dispatched()]);
    given::<Shipment>([requested(), dispatched()]).when(Command::Deliver).then([delivered()]);
}

#[test]
fn a_shipment_fails_until_it_is_delivered() {
    given::<Shipment>([requested()]).when(fail()).then([failed()]);
    given::<Shipment>([requested(), dispatched()]).when(fail()).then([failed()]);
}

#[test]
fn a_step_that_was_taken_changes_nothing() {
    let all = || [requested(), dispatched(), delivered()];
    given::<Shipment>(all()).when(request(ORDER)).then_nothing();
    given::<Shipment>([requested(), failed()]).when(request(ORDER)).then_nothing();
    given::<Shipment>([requested(), dispatched()]).when(dispatch("RM-1")).then_nothing();
    given::<Shipment>(all()).when(dispatch("RM-1")).then_nothing();
    given::<Shipment>(all()).when(Command::Deliver).then_nothing();
    given::<Shipment>([requested(), failed()]).when(fail()).then_nothing();
}

#[test]
fn every_rejection_is_met() {
    let all = || vec![requested(), dispatched(), delivered()];
    check_rejections::<Shipment>(
        Rejection::NAMES,
        vec![
            (vec![], dispatch("RM-1"), Rejection::NotFound),
            (vec![], Command::Deliver, Rejection::NotFound),
            (vec![], fail(), Rejection::NotFound),
            (vec![requested()], request(OTHER_ORDER), Rejection::AlreadyRequested),
            (vec![requested()], Command::Deliver, Rejection::NotDispatched),
            (vec![requested(), dispatched()], dispatch("RM-2"), Rejection::AlreadyDispatched),
            (all(), dispatch("RM-2"), Rejection::AlreadyDispatched),
            (all(), fail(), Rejection::AlreadyDelivered),
            (vec![requested(), failed()], dispatch("RM-1"), Rejection::Failed),
            (vec![requested(), failed()], Command::Deliver, Rejection::Failed),
        ],
    );
}

fn any_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        Just(request(ORDER)),
        Just(request(OTHER_ORDER)),
        "RM-[12]".prop_map(|text| dispatch(&text)),
        Just(Command::Deliver),
        Just(fail()),
    ]
}

proptest! {
    #[test]
    fn a_shipment_ends_once(commands in prop::collection::vec(any_command(), 0..30)) {
        play::<Shipment>(commands, |before, events, after| {
            let State::Requested(after) = after else { panic!("an accepted command leaves a shipment") };
            if let State::Requested(before) = before {
                assert_eq!(before.order_id, after.order_id);
                let ended = matches!(before.status, Status::Delivered | Status::Failed);
                assert!(!ended || events.is_empty());
                assert_eq!(events.is_empty(), before == after);
            }
            assert!(after.reference.is_some() || matches!(after.status, Status::Requested | Status::Failed));
        });
    }

    #[test]
    fn no_command_panics_whatever_the_events_were(
        steps in prop::collection::vec(0..4_usize, 0..8),
        command in any_command(),
    ) {
        let all = [requested(), dispatched(), delivered(), failed()];
        let events: Vec<_> = steps.into_iter().map(|step| all[step].clone()).collect();
        let _ = Shipment::decide(&fold::<Shipment>(&events), command);
    }
}
