use domain::ids::ReturnId;
use domain::value::DocumentNumber;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::sales::{changed, create, done, gbp, id_of, order, placed, register, walk};
use crate::support::{Shop, product_id, send};

fn goods() -> Value {
    json!({ "country": "EIRE", "currency": "GBP", "lines": [
        { "sku": "85123A", "quantity": 2, "unitPrice": gbp("2.10") },
        { "sku": "m", "quantity": 1, "unitPrice": gbp("0.05"), "description": "Manual" },
    ] })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_goes_through_its_life() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    let order = placed(&process).await;
    let user = register(&process, "17850").await;
    done(&process, &format!("/v1/users/{user}/deactivate"), json!({})).await;
    let payment = create(&process, "/v1/payments", json!({ "orderId": order, "amount": gbp("15.50") })).await;
    let body = changed(goods(), |body| {
        body["number"] = json!("C536379");
        body["orderId"] = json!(order);
        body["customerNumber"] = json!("17850");
        body["occurredAt"] = json!("2010-12-01T09:41:00Z");
    });
    let id = create(&process, "/v1/returns", body).await;
    assert_eq!(id, ReturnId::from_number(&DocumentNumber::new("C536379").unwrap()).0);
    let steps = [
        ("refund", json!({ "paymentId": Uuid::from_u128(1) }), Err("UNKNOWN_REFERENCE")),
        ("refund", json!({ "paymentId": payment }), Ok(1)),
        ("refund", json!({ "paymentId": payment }), Ok(1)),
        ("refund", json!({}), Err("ALREADY_REFUNDED")),
        ("restock", json!({}), Ok(2)),
        ("restock", json!({}), Ok(2)),
    ];
    walk(&shop, &process, &format!("/v1/returns/{id}"), &steps).await;
    let events = shop.events("return", id).await;
    assert_eq!(events[0].metadata.occurred_at, "2010-12-01T09:41:00Z".parse().unwrap());
    let found = send(shop.process().await.get(&format!("/v1/returns/{id}"))).await;
    assert_eq!(
        found.body,
        json!({ "id": id, "number": "C536379", "orderId": order, "customerId": user, "customerNumber": "17850",
            "country": "EIRE", "currency": "GBP", "total": gbp("4.25"),
            "lines": [
                { "productId": product_id("85123A"), "sku": "85123A", "description": "LANTERN", "quantity": 2,
                    "unitPrice": gbp("2.10") },
                { "productId": product_id("m"), "sku": "m", "description": "Manual", "quantity": 1,
                    "unitPrice": gbp("0.05") },
            ],
            "restocked": true, "refunded": true, "paymentId": payment,
            "revision": 2, "position": found.position.clone().unwrap() })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_names_what_is_there_or_nothing() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    placed(&process).await;
    let nobody = Uuid::new_v4();
    let cases = [
        (changed(goods(), |body| body["orderId"] = json!(nobody)), json!({ "orderId": nobody })),
        (
            changed(goods(), |body| body["customerNumber"] = json!("never registered")),
            json!({ "customerNumber": "never registered" }),
        ),
        (changed(goods(), |body| body["lines"][1]["sku"] = json!("M")), json!({ "sku": "M", "line": 1 })),
    ];
    for (body, details) in cases {
        let error = shop.refused(process.post("/v1/returns", body), 422, "UNKNOWN_REFERENCE").await;
        assert_eq!(error["details"], details);
    }

    // A product that is not sold any more may come back.
    done(&process, &format!("/v1/products/{}/delist", product_id("85123A")), json!({})).await;
    let id = create(&process, "/v1/returns", goods()).await;
    walk(&shop, &process, &format!("/v1/returns/{id}"), &[("refund", json!({}), Ok(1))]).await;
    let found = send(process.get(&format!("/v1/returns/{id}"))).await;
    for field in ["number", "orderId", "customerId", "customerNumber", "paymentId"] {
        assert_eq!(found.body[field], Value::Null, "{field}");
    }
    assert_eq!((&found.body["restocked"], &found.body["refunded"]), (&json!(false), &json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_that_does_not_add_up_is_refused() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    placed(&process).await;
    let one = json!({ "sku": "m", "quantity": 1, "unitPrice": gbp("1") });
    let euros = json!({ "amount": "1", "currency": "EUR" });
    let cases = [
        (changed(goods(), |it| it["currency"] = json!("EUR")), 409, "CURRENCY_MISMATCH"),
        (changed(goods(), |it| it["lines"][1]["unitPrice"] = euros), 409, "CURRENCY_MISMATCH"),
        (
            changed(goods(), |it| it["lines"][0]["unitPrice"] = gbp("92233720368547758.07")),
            422,
            "AMOUNT_OVERFLOW",
        ),
        (changed(goods(), |it| it["lines"][0]["quantity"] = json!(2_147_483_647)), 409, "QUANTITY_OVERFLOW"),
        (changed(goods(), |it| it["lines"] = json!([])), 422, "NO_LINES"),
        (changed(goods(), |it| it["lines"] = json!(vec![one; 5_001])), 422, "TOO_MANY_LINES"),
        (
            changed(goods(), |it| {
                it["lines"][0].as_object_mut().unwrap().remove("unitPrice");
            }),
            422,
            "INVALID_INPUT",
        ),
        (changed(goods(), |it| it["lines"][0]["quantity"] = json!(-2)), 422, "INVALID_INPUT"),
    ];
    for (body, status, code) in cases {
        shop.refused(process.post("/v1/returns", body), status, code).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_sent_again_gets_its_answer_from_a_cold_process() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    placed(&process).await;
    let numbered = changed(goods(), |body| body["number"] = json!("C536379"));
    for body in [goods(), numbered.clone()] {
        let first = send(process.post("/v1/returns", body.clone()).header("idempotency-key", "k")).await;
        assert_eq!(first.status, 201, "{first:?}");
        done(&process, &format!("/v1/returns/{}/restock", id_of(&first)), json!({})).await;
        let again = shop.process().await.post("/v1/returns", body).header("idempotency-key", "k");
        assert_eq!(send(again).await, first);
    }
    // Whatever it holds.
    let other = changed(numbered, |body| body["lines"] = order()["lines"].clone());
    let other =
        changed(other, |body| body["lines"][0] = json!({ "sku": "?", "quantity": 1, "unitPrice": gbp("1") }));
    shop.refused(shop.process().await.post("/v1/returns", other), 409, "RETURN_ALREADY_RECEIVED").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_that_nobody_received_is_not_found() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    let nobody = Uuid::new_v4();
    shop.refused(process.get(&format!("/v1/returns/{nobody}")), 404, "RETURN_NOT_FOUND").await;
    let steps = [
        ("restock", json!({}), Err("RETURN_NOT_FOUND")),
        ("refund", json!({ "paymentId": nobody }), Err("RETURN_NOT_FOUND")),
    ];
    walk(&shop, &process, &format!("/v1/returns/{nobody}"), &steps).await;
}
