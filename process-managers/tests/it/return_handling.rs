//! Returns: the goods and the money, each on its own way.

use contract::{Currency, Money};
use domain::ids::{OrderId, ReturnId};
use domain::value::Country;
use domain::{payment, returns, stock};
use process_managers::return_handling::{Command, ReturnHandling};
use uuid::Uuid;

use crate::story::*;

const RETURN: ReturnId = ReturnId(Uuid::from_u128(0x4E7));
const A: domain::ids::ProductId = product(1);
const B: domain::ids::ProductId = product(2);

fn received(order_id: Option<OrderId>, unit_price_minor: i64) -> Story<ReturnHandling> {
    let lines =
        vec![line(B, 1, unit_price_minor), line(A, 2, unit_price_minor), line(A, 1, unit_price_minor)];
    Story::new(ReturnHandling, RETURN.0).on(returns::Event::Received {
        return_id: RETURN,
        number: None,
        order_id,
        customer: None,
        country: Country::new("France").unwrap(),
        currency: Currency::GBP,
        lines,
        total: Money::new(4 * unit_price_minor, Currency::GBP),
    })
}

fn restocked(product_id: domain::ids::ProductId, quantity: i64) -> stock::Event {
    stock::Event::Restocked { product_id, return_id: RETURN, quantity: units(quantity) }
}

fn paid_back() -> payment::Event {
    payment::Event::Refunded {
        payment_id: payment_id(),
        order_id: ORDER,
        return_id: Some(RETURN),
        amount: pounds(400),
    }
}

fn refunded(payment_id: Option<domain::ids::PaymentId>) -> returns::Event {
    let amount = Money::new(400, Currency::GBP);
    returns::Event::Refunded { return_id: RETURN, order_id: None, payment_id, amount }
}

const MARKED: returns::Event = returns::Event::Restocked { return_id: RETURN, order_id: None };

fn restock() -> [Command; 2] {
    [
        Command::RestockStock { product_id: A, quantity: units(3) },
        Command::RestockStock { product_id: B, quantity: units(1) },
    ]
}

#[test]
fn a_return_of_nobody_knows_which_order_is_restocked_and_marked() {
    let [a, b] = restock();
    received(None, 100)
        .asks([a, b, Command::MarkRefunded { payment_id: None }])
        .stands_at("RESTOCKING")
        .on(refunded(None))
        .on(restocked(B, 1))
        .asks_nothing()
        .on(restocked(A, 3))
        .asks([Command::MarkRestocked])
        .goes_on()
        .on(MARKED)
        .asks_nothing()
        .stands_at("DONE")
        .ends();
}

#[test]
fn a_return_that_names_its_order_is_refunded_from_its_payment() {
    let [a, b] = restock();
    received(Some(ORDER), 100)
        .asks([a, b, Command::RefundPayment { order_id: ORDER, amount: pounds(400) }])
        .on(restocked(A, 3))
        .on(restocked(B, 1))
        .on(MARKED)
        .stands_at("REFUNDING")
        .on(paid_back())
        .asks([Command::MarkRefunded { payment_id: Some(payment_id()) }])
        .on(refunded(Some(payment_id())))
        .asks_nothing()
        .ends();
}

#[test]
fn goods_that_cost_nothing_bring_no_money_back() {
    let [a, b] = restock();
    received(Some(ORDER), 0).asks([a, b, Command::MarkRefunded { payment_id: None }]);
}

#[test]
fn a_refund_that_is_refused_stands_until_somebody_refunds_by_hand() {
    received(Some(ORDER), 100)
        .on(restocked(A, 3))
        .on(restocked(B, 1))
        .on(refused(RETURN.0, "REFUND_PAYMENT", payment_id().0, Some("PAYMENT_NOT_FOUND")))
        .asks_nothing()
        .stands_with("PAYMENT_NOT_FOUND")
        .on(MARKED)
        .stands_with("REFUND_PAYMENT")
        .on(refunded(None))
        .asks_nothing()
        .ends();
}

#[test]
fn a_return_marked_by_hand_is_restocked_all_the_same() {
    received(None, 100)
        .on(MARKED)
        .on(refunded(None))
        .on(refused(RETURN.0, "MARK_REFUNDED", RETURN.0, None))
        .asks_nothing()
        .goes_on()
        .on(restocked(A, 3))
        .on(restocked(B, 1))
        .asks_nothing()
        .ends();
}
