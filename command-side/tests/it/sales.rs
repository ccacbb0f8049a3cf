//! What the tests of orders, payments, shipments and returns need besides.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Answer, Process, Shop, send};

pub fn gbp(amount: &str) -> Value {
    json!({ "amount": amount, "currency": "GBP" })
}

/// An order of a guest over two lines: one at the catalogue's price, one at its own.
pub fn order() -> Value {
    json!({ "country": "EIRE", "currency": "GBP", "lines": [
        { "sku": "85123A", "quantity": 6 },
        { "sku": "m", "quantity": 2, "unitPrice": gbp("0.10"), "description": "Manual" },
    ] })
}

pub fn changed(mut body: Value, change: impl FnOnce(&mut Value)) -> Value {
    change(&mut body);
    body
}

pub fn id_of(answer: &Answer) -> Uuid {
    answer.body["id"].as_str().unwrap_or_else(|| panic!("{answer:?}")).parse().unwrap()
}

/// Lists the products of [`order`] and gives an order of them.
pub async fn placed(process: &Process) -> Uuid {
    process.list("85123A").await;
    process.list("m").await;
    create(process, "/v1/orders", order()).await
}

/// Makes something and gives its id.
pub async fn create(process: &Process, path: &str, body: Value) -> Uuid {
    let answer = send(process.post(path, body)).await;
    assert_eq!(answer.status, 201, "{path}: {answer:?}");
    let id = id_of(&answer);
    assert_eq!(answer.location, Some(format!("{path}/{id}")));
    assert_eq!(answer.etag.as_deref(), Some("\"0\""));
    id
}

/// Registers a customer and gives the user's id.
pub async fn register(process: &Process, number: &str) -> Uuid {
    create(process, "/v1/users", json!({ "customerNumber": number, "country": "France" })).await
}

/// Steps of one aggregate, each with its body and what comes of it: a revision, or the code of an error, which leaves the
/// log as it was.
pub async fn walk(shop: &Shop, process: &Process, address: &str, steps: &[(&str, Value, Result<u64, &str>)]) {
    for (step, body, expected) in steps {
        let head = shop.store.head().await.unwrap();
        let answer = send(process.post(&format!("{address}/{step}"), body.clone())).await;
        let got = match answer.body["error"]["code"].as_str() {
            Some(code) => Err(code),
            None => Ok(answer.body["revision"].as_u64().unwrap_or_else(|| panic!("{step}: {answer:?}"))),
        };
        assert_eq!(got, *expected, "{step} {body}: {answer:?}");
        if got.is_ok() {
            assert_eq!((answer.status.as_u16(), answer.location.as_deref()), (200, Some(address)), "{step}");
        }
        if got.is_err() {
            assert_eq!(shop.store.head().await.unwrap(), head, "{step} changed something: {answer:?}");
        }
        assert!(answer.position.is_some(), "{step}: {answer:?}");
    }
}

/// Has something done that is not what the test is about.
pub async fn done(process: &Process, path: &str, body: Value) {
    let answer = send(process.post(path, body)).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
}
