//! A process that serves some contexts is like one that serves all, but for the addresses of the others.

use std::collections::BTreeSet;

use command_side::Context;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Process, Shop, fail, product, send};

/// The addresses of a document.
fn paths(document: &Value) -> BTreeSet<String> {
    document["paths"].as_object().unwrap().keys().cloned().collect()
}

/// The document that a process serves.
async fn document(process: &Process) -> Value {
    send(process.get("/openapi.json")).await.body
}

#[tokio::test(flavor = "multi_thread")]
async fn some_contexts_are_served_and_the_others_are_not_there() {
    let shop = Shop::open().await;
    let (all, some) = (shop.process().await, shop.process_of("orders,payments").await);
    all.list("85123A").await;
    let order =
        json!({ "country": "France", "currency": "GBP", "lines": [{ "sku": "85123A", "quantity": 2 }] });
    let placed = send(some.post("/v1/orders", order)).await;
    assert_eq!(placed.status, 201, "what it names is found in the log: {placed:?}");
    let order = placed.body["id"].clone();
    let amount = json!({ "amount": "5.10", "currency": "GBP" });
    let requested = send(some.post("/v1/payments", json!({ "orderId": order, "amount": amount }))).await;
    assert_eq!(requested.status, 201, "{requested:?}");

    let head = shop.store.head().await.unwrap();
    fail(some.post("/v1/products", product("new")), 404, "ROUTE_NOT_FOUND").await;
    for kind in ["products", "stock", "users", "shipments", "returns"] {
        fail(some.get(&format!("/v1/{kind}/{}", Uuid::new_v4())), 404, "ROUTE_NOT_FOUND").await;
        fail(some.post(&format!("/v1/{kind}"), json!({})), 404, "ROUTE_NOT_FOUND").await;
    }
    assert_eq!(shop.store.head().await.unwrap(), head, "it changed something");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_context_lists_its_own_routes_and_together_they_are_all() {
    let shop = Shop::open().await;
    let all = serde_json::to_value(command_side::openapi()).unwrap();
    let mut together = BTreeSet::new();
    for context in Context::ALL {
        let process = shop.process_of(context.name()).await;
        let own = document(&process).await;
        let prefix = format!("/v1/{}", context.name());
        let expected: BTreeSet<_> =
            paths(&all).into_iter().filter(|path| path.split('/').nth(2) == Some(context.name())).collect();
        assert!(!expected.is_empty() && paths(&own) == expected, "{prefix}: {:?}", paths(&own));
        let tags: Vec<_> = own["tags"].as_array().unwrap().iter().map(|tag| tag["name"].clone()).collect();
        assert_eq!(tags, [context.name()]);
        for path in &expected {
            assert_eq!(own["paths"][path], all["paths"][path], "{path}");
        }
        let named = own.to_string();
        let references = named.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next());
        for reference in references {
            assert!(own.pointer(reference).is_some(), "{prefix}: {reference} is not in the document");
        }
        together.extend(expected);
    }
    assert_eq!(together, paths(&all));
}
