use command_side::executor::{CommandId, CommandRequest, How, Origin};
use command_side::{CommandDeps, Commands};
use contract::{Currency, Money};
use domain::ids::{OrderId, PaymentId};
use domain::payment::Command;
use domain::value::Price;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::sales::{create, gbp, id_of, placed, walk};
use crate::support::{Shop, send};

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_goes_through_its_life() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    let order = placed(&process).await;
    let goods = json!({ "orderId": order, "country": "EIRE", "currency": "GBP", "lines": [
        { "sku": "m", "quantity": 1, "unitPrice": gbp("0.10") }
    ] });
    let goods = create(&process, "/v1/returns", goods).await;
    let id =
        create(&process, "/v1/payments", json!({ "orderId": order, "amount": gbp("15.5"), "token": "t" }))
            .await;
    let refund = |amount: &str| json!({ "amount": gbp(amount) });
    let refund_for = |amount: &str, goods: Uuid| json!({ "amount": gbp(amount), "returnId": goods });
    let steps = [
        ("capture", json!({}), Err("PAYMENT_NOT_AUTHORIZED")),
        ("refund", refund("1"), Err("PAYMENT_NOT_CAPTURED")),
        ("authorize", json!({ "reference": "auth-1" }), Ok(1)),
        ("authorize", json!({ "reference": "auth-1" }), Ok(1)),
        ("authorize", json!({ "reference": "auth-2" }), Err("PAYMENT_ALREADY_AUTHORIZED")),
        ("capture", json!({}), Ok(2)),
        ("capture", json!({}), Ok(2)),
        ("decline", json!({ "reason": "no money" }), Err("PAYMENT_ALREADY_CAPTURED")),
        ("refund", refund_for("0.10", Uuid::from_u128(1)), Err("UNKNOWN_REFERENCE")),
        ("refund", refund_for("0.10", goods), Ok(3)),
        ("refund", refund_for("0.10", goods), Ok(3)),
        ("refund", refund_for("0.20", goods), Err("ALREADY_REFUNDED")),
        ("refund", refund("15.41"), Err("REFUND_TOO_LARGE")),
        ("refund", json!({ "amount": { "amount": "1", "currency": "EUR" } }), Err("CURRENCY_MISMATCH")),
        ("refund", json!({}), Err("INVALID_INPUT")),
        ("refund", refund("15.40"), Ok(4)),
    ];
    // An answer to bad input saw no event, so it carries no position.
    let (bad, good): (Vec<_>, Vec<_>) = steps.into_iter().partition(|step| step.2 == Err("INVALID_INPUT"));
    walk(&shop, &process, &format!("/v1/payments/{id}"), &good).await;
    for (step, body, _) in bad {
        shop.refused(process.post(&format!("/v1/payments/{id}/{step}"), body), 422, "INVALID_INPUT").await;
    }
    let found = send(shop.process().await.get(&format!("/v1/payments/{id}"))).await;
    assert_eq!(
        found.body,
        json!({ "id": id, "orderId": order, "amount": gbp("15.50"), "refunded": gbp("15.50"), "status": "CAPTURED",
            "reference": "auth-1", "revision": 4, "position": found.position.clone().unwrap() })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_is_declined_stays_declined() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    let order = placed(&process).await;
    let id = create(&process, "/v1/payments", json!({ "orderId": order, "amount": gbp("15.50") })).await;
    let steps = [
        ("decline", json!({ "reason": "no money" }), Ok(1)),
        ("decline", json!({ "reason": "still none" }), Ok(1)),
        ("authorize", json!({ "reference": "auth-1" }), Err("PAYMENT_DECLINED")),
        ("capture", json!({}), Err("PAYMENT_DECLINED")),
        ("refund", json!({ "amount": gbp("1") }), Err("PAYMENT_DECLINED")),
    ];
    walk(&shop, &process, &format!("/v1/payments/{id}"), &steps).await;
    let found = send(process.get(&format!("/v1/payments/{id}"))).await;
    assert_eq!((&found.body["status"], &found.body["refunded"]), (&json!("DECLINED"), &gbp("0.00")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_of_an_order_that_is_there_and_in_the_currency_of_the_shop() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    let nobody = Uuid::new_v4();
    let error = shop.refused(
        process.post("/v1/payments", json!({ "orderId": nobody, "amount": gbp("1") })),
        422,
        "UNKNOWN_REFERENCE",
    );
    assert_eq!(error.await["details"], json!({ "orderId": nobody }));
    let euros = json!({ "orderId": nobody, "amount": { "amount": "1", "currency": "EUR" } });
    shop.refused(process.post("/v1/payments", euros), 409, "CURRENCY_MISMATCH").await;
    shop.refused(process.get(&format!("/v1/payments/{nobody}")), 404, "PAYMENT_NOT_FOUND").await;
    let steps = [
        ("authorize", json!({ "reference": "auth-1" }), Err("PAYMENT_NOT_FOUND")),
        ("capture", json!({}), Err("PAYMENT_NOT_FOUND")),
        ("decline", json!({ "reason": "no money" }), Err("PAYMENT_NOT_FOUND")),
        ("refund", json!({ "amount": gbp("1"), "returnId": nobody }), Err("PAYMENT_NOT_FOUND")),
    ];
    walk(&shop, &process, &format!("/v1/payments/{nobody}"), &steps).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_asked_for_again_under_its_key_is_the_same_payment() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    let order = placed(&process).await;
    let body = || json!({ "orderId": order, "amount": gbp("15.50") });
    let keyed = process.post("/v1/payments", body()).header("idempotency-key", "k");
    let first = send(keyed).await;
    assert_eq!(first.status, 201);
    let again = shop.process().await.post("/v1/payments", body()).header("idempotency-key", "k");
    assert_eq!(send(again).await, first);
    let other = json!({ "orderId": order, "amount": gbp("15.51") });
    let reused = shop.process().await.post("/v1/payments", other).header("idempotency-key", "k");
    shop.refused(reused, 422, "IDEMPOTENCY_KEY_REUSED").await;
    assert_ne!(
        id_of(&send(process.post("/v1/payments", body())).await),
        id_of(&first),
        "no key, another payment"
    );
    let shipment = process.post("/v1/shipments", json!({ "orderId": order })).header("idempotency-key", "k");
    assert_ne!(id_of(&send(shipment).await), id_of(&first), "a key counts for its route");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_in_the_process_asks_for_a_payment_under_an_id_of_its_own() {
    let shop = Shop::open().await;
    let order = placed(&shop.process().await).await;
    let (payment, command_id, cause) = (Uuid::new_v4(), CommandId(Uuid::new_v4()), Uuid::new_v4());
    let request = CommandRequest {
        aggregate: payment,
        command: Command::Request {
            payment_id: PaymentId(payment),
            order_id: OrderId(order),
            amount: Price::new(Money::new(1_550, Currency::GBP)).unwrap(),
            token: None,
        },
        command_id,
        origin: Origin { correlation_id: order, causation_id: cause, actor: None },
        occurred_at: Timestamp::now(),
        fingerprinted: None,
        if_match: None,
    };
    for how in [How::Written, How::Repeated] {
        let commands = Commands::new(CommandDeps::new(shop.store.clone(), shop.vault.clone()));
        assert_eq!(commands.payments.execute(request.clone()).await.unwrap().how, how);
    }
    let events = shop.events("payment", payment).await;
    assert_eq!((events.len(), events[0].metadata.command_id), (1, command_id.0));
    assert_eq!(events[0].metadata.causation_id, cause);
}
