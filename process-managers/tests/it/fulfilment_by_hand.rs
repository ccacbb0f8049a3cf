//! Orders that people call off or move on over REST while the saga is at work.

use domain::ids::{PaymentId, ShipmentId};
use domain::order::{self, CancelReason};
use process_managers::fulfilment::{Command, Fulfilment};
use uuid::Uuid;

use crate::fulfilment::*;
use crate::story::*;

const A: domain::ids::ProductId = product(1);
const B: domain::ids::ProductId = product(2);
const BY_HAND: Uuid = Uuid::from_u128(0xBEEF);

fn called_off() -> order::Event {
    cancelled(CancelReason::Requested)
}

fn release_all() -> [Command; 2] {
    [Command::ReleaseStock { product_id: A }, Command::ReleaseStock { product_id: B }]
}

#[test]
fn a_reservation_that_arrives_after_the_cancel_is_released() {
    Story::new(Fulfilment, ORDER.0)
        .on(placed(vec![line(A, 1, 100)]))
        .on(called_off())
        .asks_nothing()
        .goes_on()
        .on(reserved(A, 1))
        .asks([Command::ReleaseStock { product_id: A }])
        .on(released(A, 1))
        .ends();
}

#[test]
fn a_payment_only_asked_for_is_closed_without_the_gateway() {
    all_reserved()
        .on(called_off())
        .asks(release_all())
        .on(requested())
        .asks([Command::DeclinePayment])
        .on(declined())
        .asks_nothing()
        .on(released(A, 3))
        .on(released(B, 1))
        .ends();
}

#[test]
fn money_held_after_the_cancel_is_let_go_and_money_taken_goes_back() {
    let void = Command::VoidPayment { reference: reference("p"), amount: pounds(850) };
    let refund = Command::RefundPayment { reference: reference("p"), amount: pounds(850) };
    all_reserved().on(requested()).on(called_off()).asks(release_all()).on(authorized()).asks([void]);
    all_reserved()
        .on(requested())
        .on(authorized())
        .on(called_off())
        .asks(release_all())
        .on(captured())
        .asks([refund.clone()])
        .on(refunded(850))
        .on(released(A, 3))
        .on(released(B, 1))
        .ends();
    let [a, b] = release_all();
    paid().on(called_off()).asks([a, b, refund]);
}

#[test]
fn what_went_back_for_a_return_does_not_go_back_twice() {
    let for_a_return = domain::payment::Event::Refunded {
        payment_id: payment_id(),
        order_id: ORDER,
        return_id: Some(domain::ids::ReturnId(BY_HAND)),
        amount: pounds(350),
    };
    on_its_way().on(for_a_return).on(failed()).asks([
        Command::RefundPayment { reference: reference("p"), amount: pounds(500) },
        Command::CancelOrder { reason: CancelReason::ShipmentFailed },
    ]);
}

#[test]
fn while_the_carrier_is_asked_nobody_releases_what_may_be_gone() {
    let refund = Command::RefundPayment { reference: reference("p"), amount: pounds(850) };
    let asked = || paid().on(shipment_requested()).on(called_off()).asks([refund.clone()]);
    let [a, b] = release_all();
    asked().on(failed()).asks([a, b]);
    asked()
        .on(dispatched())
        .asks([
            Command::ShipStock { product_id: A },
            Command::ShipStock { product_id: B },
            Command::TrackDelivery { reference: reference("s") },
        ])
        .on(shipped(A, 3))
        .on(shipped(B, 1))
        .on(refunded(850))
        .goes_on()
        .on(arrived())
        .asks_nothing()
        .stands_at("CANCELLED")
        .ends();
}

#[test]
fn an_order_marked_by_hand_goes_on_and_commands_with_nothing_to_change_only_go_out() {
    Story::new(Fulfilment, ORDER.0)
        .on(placed(vec![line(A, 1, 850)]))
        .on(order::Event::Reserved { order_id: ORDER })
        .asks_nothing()
        .on(reserved(A, 1))
        .asks([Command::RequestPayment { amount: pounds(850), token: Some(token("card")) }])
        .on(requested())
        .on(authorized())
        .on(captured())
        .on(order::Event::Paid { order_id: ORDER, payment_id: payment_id() })
        .asks_nothing()
        .on(refused(ORDER.0, "MARK_PAID", ORDER.0, None))
        .asks_nothing()
        .goes_on();
}

#[test]
fn an_order_paid_in_another_way_lets_go_of_its_own_payment_and_is_sent() {
    let otherwise = || order::Event::Paid { order_id: ORDER, payment_id: PaymentId(BY_HAND) };
    let ship = Command::RequestShipment { token: Some(token("door")) };
    all_reserved()
        .on(requested())
        .on(otherwise())
        .asks([ship.clone()])
        .on(authorized())
        .asks([Command::VoidPayment { reference: reference("p"), amount: pounds(850) }])
        .on(declined())
        .asks_nothing()
        .goes_on();
    paid()
        .on(otherwise())
        .asks([Command::RefundPayment { reference: reference("p"), amount: pounds(850) }])
        .on(refused(ORDER.0, "MARK_PAID", ORDER.0, Some("ORDER_ALREADY_PAID")))
        .asks_nothing()
        .goes_on();
}

#[test]
fn an_order_sent_in_another_way_counts_its_goods_as_gone() {
    paid()
        .on(order::Event::Paid { order_id: ORDER, payment_id: payment_id() })
        .on(order::Event::Shipped { order_id: ORDER, shipment_id: ShipmentId(BY_HAND) })
        .asks([Command::ShipStock { product_id: A }, Command::ShipStock { product_id: B }])
        .on(shipment_requested())
        .asks([Command::FailShipment])
        .on(failed())
        .asks_nothing()
        .on(shipped(A, 3))
        .on(shipped(B, 1))
        .on(order::Event::Delivered { order_id: ORDER })
        .ends();
}

#[test]
fn goods_released_by_hand_are_reserved_again() {
    all_reserved()
        .on(released(B, 1))
        .asks([Command::ReserveStock { product_id: B, quantity: units(1) }])
        .on(refused(ORDER.0, "RESERVE_STOCK", B.0, Some("INSUFFICIENT_STOCK")))
        .asks([
            Command::ReleaseStock { product_id: A },
            Command::CancelOrder { reason: CancelReason::OutOfStock },
        ])
        .on(refused(ORDER.0, "RELEASE_STOCK", A.0, Some("RESERVATION_NOT_FOUND")))
        .goes_on();
}

#[test]
fn what_people_did_first_is_no_trouble() {
    for (command, code) in [
        ("MARK_RESERVED", "ORDER_CANCELLED"),
        ("CANCEL_ORDER", "ORDER_CANCELLED"),
        ("AUTHORIZE_PAYMENT", "PAYMENT_DECLINED"),
        ("CAPTURE_PAYMENT", "PAYMENT_DECLINED"),
        ("DISPATCH_SHIPMENT", "SHIPMENT_FAILED"),
        ("TRACK_DELIVERY", "SHIPMENT_ALREADY_DELIVERED"),
    ] {
        paid().on(refused(ORDER.0, command, ORDER.0, Some(code))).asks_nothing().goes_on();
    }
    paid()
        .on(refused(ORDER.0, "CANCEL_ORDER", ORDER.0, Some("ORDER_ALREADY_SHIPPED")))
        .stands_with("ORDER_ALREADY_SHIPPED");
    paid()
        .on(refused(ORDER.0, "CAPTURE_PAYMENT", payment_id().0, Some("GATEWAY_REFUSED")))
        .stands_with("GATEWAY_REFUSED");
}
