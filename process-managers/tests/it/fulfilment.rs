//! An order that nobody but the saga moves on: the good way, and each way that ends badly.

use domain::order::{self, CancelReason};
use domain::{payment, shipment};
use process_managers::fulfilment::{Command, Fulfilment};

use crate::story::*;

type Order = Story<Fulfilment>;

const A: domain::ids::ProductId = product(1);
const B: domain::ids::ProductId = product(2);

/// Two products, one of them on two lines: 3 of A, 1 of B, for 8.50.
fn an_order() -> Order {
    let lines = vec![line(B, 1, 250), line(A, 2, 200), line(A, 1, 200)];
    Story::new(Fulfilment, ORDER.0).on(placed(lines))
}

pub fn requested() -> payment::Event {
    payment::Event::Requested {
        payment_id: payment_id(),
        order_id: ORDER,
        amount: pounds(850),
        token: Some(token("card")),
    }
}

pub fn authorized() -> payment::Event {
    payment::Event::Authorized { payment_id: payment_id(), order_id: ORDER, reference: reference("p") }
}

pub fn captured() -> payment::Event {
    payment::Event::Captured { payment_id: payment_id(), order_id: ORDER, amount: pounds(850) }
}

pub fn declined() -> payment::Event {
    payment::Event::Declined { payment_id: payment_id(), order_id: ORDER, reason: reason("no funds") }
}

pub fn refunded(minor: i64) -> payment::Event {
    payment::Event::Refunded {
        payment_id: payment_id(),
        order_id: ORDER,
        return_id: None,
        amount: pounds(minor),
    }
}

pub fn shipment_requested() -> shipment::Event {
    shipment::Event::Requested { shipment_id: shipment_id(), order_id: ORDER, token: Some(token("door")) }
}

pub fn dispatched() -> shipment::Event {
    shipment::Event::Dispatched { shipment_id: shipment_id(), order_id: ORDER, reference: reference("s") }
}

pub fn arrived() -> shipment::Event {
    shipment::Event::Delivered { shipment_id: shipment_id(), order_id: ORDER }
}

pub fn failed() -> shipment::Event {
    shipment::Event::Failed { shipment_id: shipment_id(), order_id: ORDER, reason: reason("lost") }
}

pub fn all_reserved() -> Order {
    an_order().on(reserved(A, 3)).on(reserved(B, 1))
}

pub fn paid() -> Order {
    all_reserved()
        .on(order::Event::Reserved { order_id: ORDER })
        .on(requested())
        .on(authorized())
        .on(captured())
}

pub fn on_its_way() -> Order {
    paid()
        .on(order::Event::Paid { order_id: ORDER, payment_id: payment_id() })
        .on(shipment_requested())
        .on(dispatched())
        .on(order::Event::Shipped { order_id: ORDER, shipment_id: shipment_id() })
        .on(shipped(A, 3))
        .on(shipped(B, 1))
}

const fn cancel(reason: CancelReason) -> Command {
    Command::CancelOrder { reason }
}

fn refund(minor: i64) -> Command {
    Command::RefundPayment { reference: reference("p"), amount: pounds(minor) }
}

#[test]
fn an_order_goes_from_placed_to_delivered() {
    let request = Command::RequestPayment { amount: pounds(850), token: Some(token("card")) };
    let authorize = Command::AuthorizePayment { amount: pounds(850), token: Some(token("card")) };
    let capture = Command::CapturePayment { reference: reference("p"), amount: pounds(850) };
    an_order()
        .asks([
            Command::ReserveStock { product_id: A, quantity: units(3) },
            Command::ReserveStock { product_id: B, quantity: units(1) },
        ])
        .stands_at("RESERVING")
        .on(reserved(B, 1))
        .asks_nothing()
        .on(reserved(A, 3))
        .asks([request, Command::MarkReserved])
        .stands_at("PAYING")
        .on(order::Event::Reserved { order_id: ORDER })
        .asks_nothing()
        .on(requested())
        .asks([authorize])
        .on(authorized())
        .asks([capture])
        .on(captured())
        .asks([Command::RequestShipment { token: Some(token("door")) }, Command::MarkPaid])
        .on(order::Event::Paid { order_id: ORDER, payment_id: payment_id() })
        .stands_at("SHIPPING")
        .on(shipment_requested())
        .asks([Command::DispatchShipment { token: Some(token("door")) }])
        .on(dispatched())
        .asks([
            Command::ShipStock { product_id: A },
            Command::ShipStock { product_id: B },
            Command::MarkShipped,
        ])
        .on(shipped(A, 3))
        .on(order::Event::Shipped { order_id: ORDER, shipment_id: shipment_id() })
        .asks([Command::TrackDelivery { reference: reference("s") }])
        .stands_at("DELIVERING")
        .on(arrived())
        .asks([Command::MarkDelivered])
        .on(order::Event::Delivered { order_id: ORDER })
        .goes_on()
        .on(shipped(B, 1))
        .asks_nothing()
        .stands_at("DELIVERED")
        .ends();
}

#[test]
fn what_comes_before_the_order_begins_nothing() {
    let story = Story::new(Fulfilment, ORDER.0).on(reserved(A, 3)).asks_nothing();
    assert!(story.state().is_none());
}

#[test]
fn out_of_stock_waits_for_the_other_answers_then_cancels() {
    an_order()
        .on(refused(ORDER.0, "RESERVE_STOCK", A.0, Some("INSUFFICIENT_STOCK")))
        .asks_nothing()
        .stands_at("CANCELLING")
        .on(reserved(B, 1))
        .asks([Command::ReleaseStock { product_id: B }, cancel(CancelReason::OutOfStock)])
        .on(cancelled(CancelReason::OutOfStock))
        .goes_on()
        .on(released(B, 1))
        .asks_nothing()
        .stands_at("CANCELLED")
        .ends();
}

#[test]
fn an_order_of_which_nothing_is_there_is_only_cancelled() {
    an_order()
        .on(refused(ORDER.0, "RESERVE_STOCK", A.0, Some("INSUFFICIENT_STOCK")))
        .on(refused(ORDER.0, "RESERVE_STOCK", B.0, Some("INSUFFICIENT_STOCK")))
        .asks([cancel(CancelReason::OutOfStock)])
        .on(cancelled(CancelReason::OutOfStock))
        .ends();
}

#[test]
fn a_payment_declined_at_authorization_releases_and_cancels() {
    all_reserved()
        .on(requested())
        .on(declined())
        .asks([
            Command::ReleaseStock { product_id: A },
            Command::ReleaseStock { product_id: B },
            cancel(CancelReason::PaymentDeclined),
        ])
        .on(released(A, 3))
        .on(released(B, 1))
        .on(cancelled(CancelReason::PaymentDeclined))
        .asks_nothing()
        .ends();
}

#[test]
fn a_payment_declined_at_capture_releases_and_cancels() {
    all_reserved().on(requested()).on(authorized()).on(declined()).asks([
        Command::ReleaseStock { product_id: A },
        Command::ReleaseStock { product_id: B },
        cancel(CancelReason::PaymentDeclined),
    ]);
}

#[test]
fn a_carrier_that_refuses_makes_the_money_go_back_and_the_goods_stay() {
    paid()
        .on(order::Event::Paid { order_id: ORDER, payment_id: payment_id() })
        .on(shipment_requested())
        .on(failed())
        .asks([
            Command::ReleaseStock { product_id: A },
            Command::ReleaseStock { product_id: B },
            refund(850),
            cancel(CancelReason::ShipmentFailed),
        ])
        .on(released(A, 3))
        .on(released(B, 1))
        .on(cancelled(CancelReason::ShipmentFailed))
        .goes_on()
        .on(refunded(850))
        .ends();
}

#[test]
fn goods_lost_on_the_way_are_gone_and_the_money_goes_back() {
    on_its_way()
        .on(failed())
        .asks([refund(850), cancel(CancelReason::ShipmentFailed)])
        .on(refunded(850))
        .on(cancelled(CancelReason::ShipmentFailed))
        .asks_nothing()
        .ends();
}

#[test]
fn an_order_of_nothing_to_pay_runs_like_any_other() {
    let free = payment::Event::Requested {
        payment_id: payment_id(),
        order_id: ORDER,
        amount: pounds(0),
        token: None,
    };
    Story::new(Fulfilment, ORDER.0)
        .on(placed(vec![line(A, 1, 0)]))
        .on(reserved(A, 1))
        .on(free)
        .asks([Command::AuthorizePayment { amount: pounds(0), token: Some(token("card")) }])
        .on(authorized())
        .on(captured())
        .asks([Command::RequestShipment { token: Some(token("door")) }])
        .on(cancelled(CancelReason::Requested))
        .asks([Command::ReleaseStock { product_id: A }])
        .on(released(A, 1))
        .on(shipment_requested())
        .asks([Command::FailShipment])
        .on(failed())
        .asks_nothing()
        .ends();
}

#[test]
fn a_refusal_that_nothing_answers_stands_until_something_goes_on_there() {
    let stuck = paid()
        .on(order::Event::Paid { order_id: ORDER, payment_id: payment_id() })
        .on(shipment_requested())
        .on(dispatched())
        .on(refused(ORDER.0, "SHIP_STOCK", A.0, Some("INSUFFICIENT_STOCK")))
        .asks_nothing()
        .stands_with("INSUFFICIENT_STOCK")
        .on(shipped(B, 1))
        .stands_with("SHIP_STOCK")
        .on(order::Event::Shipped { order_id: ORDER, shipment_id: shipment_id() })
        .on(arrived())
        .on(order::Event::Delivered { order_id: ORDER })
        .stands_with("SHIP_STOCK");
    stuck.on(shipped(A, 3)).ends();
}
