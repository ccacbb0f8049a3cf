//! The sagas in the engine, over a real log and database, with the sandbox behind real HTTP.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use contract::{Currency, Money};
use domain::ids::{PaymentId, ReturnId};
use domain::lines::NewLine;
use domain::order::{CancelReason, Status};
use domain::payment;
use domain::returns::{self, Receive};
use domain::value::{Country, Sku};
use process_managers::sandbox::{Kind, routes};
use uuid::Uuid;

use crate::shop::{Shop, eventually, serve};
use crate::story::{pounds, product, reason, units};

const A: domain::ids::ProductId = product(1);
const B: domain::ids::ProductId = product(2);

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_delivered_or_undone_as_gateways_and_shelves_have_it() {
    let shop = Shop::open().await;
    shop.receive_stock(A, 100).await;
    shop.receive_stock(B, 1).await;
    let sagas = shop.start_sagas().await;
    let good = shop.place(&[(A, 2, 200), (A, 1, 200), (B, 1, 250)], None, None).await;
    assert_eq!(shop.ends(good).await, "DELIVERED");
    let short = shop.place(&[(A, 5, 100), (B, 1, 100)], None, None).await;
    let declined = shop.place(&[(A, 5, 100)], Some("decline"), None).await;
    let at_capture = shop.place(&[(A, 5, 100)], Some("decline-capture"), None).await;
    let refused = shop.place(&[(A, 5, 100)], None, Some("refuse")).await;
    let lost = shop.place(&[(A, 7, 100)], None, Some("lost")).await;
    let free = shop.place(&[(A, 1, 0)], Some("decline"), None).await;
    use Kind::{Authorize, Capture, Carry, Refund, Track};
    let undone: [(_, _, &[Kind]); 5] = [
        (short, CancelReason::OutOfStock, &[]),
        (declined, CancelReason::PaymentDeclined, &[]),
        (at_capture, CancelReason::PaymentDeclined, &[Authorize, Capture]),
        (refused, CancelReason::ShipmentFailed, &[Authorize, Capture, Carry, Refund]),
        (lost, CancelReason::ShipmentFailed, &[Authorize, Capture, Carry, Track, Refund]),
    ];
    for (order, reason, calls) in undone {
        assert_eq!(shop.ends(order).await, "CANCELLED", "{reason:?}");
        assert_eq!(shop.status(order).await, (Status::Cancelled, Some(reason)));
        let made = shop.calls(order);
        let made = if order == declined { &made[1..] } else { &made[..] };
        assert_eq!(made, calls, "{reason:?}");
    }
    assert_eq!(shop.ends(free).await, "DELIVERED");
    assert_eq!(shop.calls(free), [Carry, Track], "nothing is asked of the payment gateway for nothing");
    assert_eq!(shop.status(good).await, (Status::Delivered, None));
    assert_eq!(shop.calls(good), [Authorize, Capture, Carry, Track]);
    assert_eq!(shop.stock(A).await, (100 - 3 - 7 - 1, 0));
    assert_eq!(shop.stock(B).await, (0, 0));
    sagas.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fold_from_nothing_asks_for_nothing_that_the_log_has_answered() {
    let shop = Shop::open().await;
    shop.receive_stock(A, 10).await;
    let sagas = shop.start_sagas().await;
    let orders =
        [shop.place(&[(A, 1, 100)], None, None).await, shop.place(&[(A, 20, 100)], None, None).await];
    for order in orders {
        shop.ends(order).await;
    }
    sagas.stop().await;
    let head = shop.store.head().await.unwrap();
    let calls = shop.ledger.look(<[_]>::len);
    engine::reset(&shop.pool).await.unwrap();
    let sagas = shop.start_sagas().await;
    for order in orders {
        shop.ends(order).await;
    }
    sagas.stop().await;
    assert_eq!(shop.store.head().await.unwrap(), head);
    assert_eq!(shop.ledger.look(<[_]>::len), calls);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_away_is_waited_for_and_asked_once() {
    let (shop, listener) = Shop::without_sandbox().await;
    let address = listener.local_addr().unwrap();
    drop(listener);
    shop.receive_stock(A, 10).await;
    let sagas = shop.start_sagas().await;
    let order = shop.place(&[(A, 1, 100)], None, None).await;
    let called_off = shop.place(&[(A, 1, 100)], None, None).await;
    for order in [order, called_off] {
        let requested = async || {
            let id = PaymentId::of_order(order);
            shop.commands.payments.exists(id.0).await.unwrap().then_some(())
        };
        eventually("a payment that is asked for", requested).await;
    }
    // Declined by hand, the gateway is not asked any more.
    let decline = payment::Command::Decline { reason: reason("by hand") };
    shop.send(&shop.commands.payments, PaymentId::of_order(called_off).0, decline).await;
    assert_eq!(shop.ends(called_off).await, "CANCELLED");
    serve(routes(Arc::clone(&shop.ledger)), tokio::net::TcpListener::bind(address).await.unwrap()).await;
    assert_eq!(shop.ends(order).await, "DELIVERED");
    assert_eq!(shop.calls(order), [Kind::Authorize, Kind::Capture, Kind::Carry, Kind::Track]);
    assert_eq!(shop.calls(called_off), []);
    sagas.stop().await;
}

/// Somebody declines the payment in the moment in which the gateway authorizes it.
async fn decline_meanwhile(
    State(shop): State<Arc<Shop>>,
    request: Request,
    next: Next,
) -> axum::response::Response {
    let is_authorization = request.uri().path().ends_with("/authorizations");
    let response = next.run(request).await;
    if is_authorization {
        let order = shop.ledger.look(|entries| entries.last().unwrap().call.order.unwrap());
        let decline = payment::Command::Decline { reason: reason("by hand") };
        shop.send(&shop.commands.payments, PaymentId::of_order(order).0, decline).await;
    }
    response
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_the_gateway_holds_against_the_rules_is_let_go() {
    let (shop, listener) = Shop::without_sandbox().await;
    let shop = Arc::new(shop);
    let router =
        routes(Arc::clone(&shop.ledger)).layer(from_fn_with_state(Arc::clone(&shop), decline_meanwhile));
    serve(router, listener).await;
    shop.receive_stock(A, 10).await;
    let sagas = shop.start_sagas().await;
    let order = shop.place(&[(A, 1, 100)], None, None).await;
    assert_eq!(shop.ends(order).await, "CANCELLED");
    assert_eq!(shop.calls(order), [Kind::Authorize, Kind::Void]);
    sagas.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_nobody_answers_stands_as_stuck_until_somebody_helps() {
    let shop = Shop::open().await;
    shop.receive_stock(A, 10).await;
    let sagas = shop.start_sagas().await;
    // A return of more than the order was paid with.
    let order = shop.place(&[(A, 1, 100)], None, None).await;
    shop.ends(order).await;
    let goods = receive_return(&shop, Some(order), 1, 101).await;
    let stuck = async || shop.row("return_handling_v1", goods.0).await.and_then(|(_, stuck, _)| stuck);
    let why = eventually("a stuck return", stuck).await;
    assert!(why.contains("REFUND_TOO_LARGE"), "{why}");
    let listed = process_managers::tables();
    let (_, table, version) = listed[1];
    let found = engine::stuck(&shop.pool, table, version, 10).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].saga_id, &found[0].reason), (goods.0, &why));
    let by_hand = returns::Command::MarkRefunded { payment_id: None };
    shop.send(&shop.commands.returns, goods.0, by_hand).await;
    let over = async || shop.row("return_handling_v1", goods.0).await.filter(|(_, _, over)| *over);
    eventually("the end of the return", over).await;
    sagas.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn returned_goods_go_back_on_the_shelf_and_the_money_to_who_paid() {
    let shop = Shop::open().await;
    shop.receive_stock(A, 10).await;
    let sagas = shop.start_sagas().await;
    // The return may come before its order is paid.
    let order = shop.place(&[(A, 3, 100)], None, None).await;
    let named = receive_return(&shop, Some(order), 2, 100).await;
    let unnamed = receive_return(&shop, None, 4, 100).await;
    for goods in [named, unnamed] {
        let over = async || shop.row("return_handling_v1", goods.0).await.filter(|(_, _, over)| *over);
        assert_eq!(eventually("the end of the return", over).await.0, "DONE");
    }
    shop.ends(order).await;
    assert_eq!(shop.stock(A).await, (10 - 3 + 2 + 4, 0));
    let payment::State::Requested(paid) = shop.payment(order).await else { panic!("no payment") };
    assert_eq!(paid.refunds.get(&Some(named)), Some(&pounds(200)));
    let mut calls = shop.calls(order);
    calls.sort();
    assert_eq!(calls, [Kind::Authorize, Kind::Capture, Kind::Refund, Kind::Carry, Kind::Track]);
    sagas.stop().await;
}

async fn receive_return(
    shop: &Shop,
    order_id: Option<domain::ids::OrderId>,
    quantity: i64,
    price: i64,
) -> ReturnId {
    let return_id = ReturnId(Uuid::new_v4());
    let receive = Receive {
        return_id,
        number: None,
        order_id,
        customer: None,
        country: Country::new("France").unwrap(),
        currency: Currency::GBP,
        lines: vec![NewLine {
            product_id: A,
            sku: Sku::new("MUG").unwrap(),
            description: None,
            quantity: units(quantity),
            unit_price: domain::value::Price::new(Money::new(price, Currency::GBP)).unwrap(),
        }],
    };
    let command = returns::Command::Receive(Box::new(receive));
    shop.send(&shop.commands.returns, return_id.0, command).await;
    return_id
}
