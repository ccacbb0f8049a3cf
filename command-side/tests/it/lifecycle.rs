use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Shop, product, product_id, send};

#[tokio::test(flavor = "multi_thread")]
async fn a_product_goes_through_its_life() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    let id = product_id("85123A");

    let listed = send(process.post("/v1/products", product("85123A"))).await;
    assert_eq!(listed.status, 201);
    assert_eq!(listed.body["id"], json!(id));
    assert_eq!(listed.body["revision"], 0);
    assert_eq!(listed.etag.as_deref(), Some("\"0\""));
    assert_eq!(listed.location, Some(format!("/v1/products/{id}")));
    assert_eq!(listed.position.as_deref(), listed.body["position"].as_str());
    let identity = shop.store.identity().await.unwrap();
    let tail = shop.events("product", id).await[0].position;
    assert_eq!(listed.position, Some(format!("{identity}-{tail}")));

    let steps = [
        ("details", json!({ "name": "HEART", "description": "hangs" })),
        (
            "price",
            json!({ "price": { "amount": "3.5", "currency": "GBP" }, "occurredAt": "2010-12-01T08:26:00Z" }),
        ),
        ("delist", json!({})),
        ("relist", json!({ "occurredAt": null })),
    ];
    for (n, (step, body)) in steps.into_iter().enumerate() {
        let answer = send(process.post(&format!("/v1/products/{id}/{step}"), body)).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["revision"]),
            (200, &json!(n + 1)),
            "{step}: {answer:?}"
        );
        assert_eq!(answer.location, Some(format!("/v1/products/{id}")));
    }
    let events = shop.events("product", id).await;
    let types: Vec<_> = events.iter().map(|event| event.event_type.as_str()).collect();
    let names = [
        "ProductListed",
        "ProductDetailsChanged",
        "ProductPriceChanged",
        "ProductDelisted",
        "ProductRelisted",
    ];
    assert_eq!(types, names);
    assert_eq!(events[2].metadata.occurred_at, "2010-12-01T08:26:00Z".parse().unwrap());
    assert!(events[1].metadata.occurred_at >= events[0].metadata.occurred_at);
    assert_eq!(events[2].metadata.causation_id, events[2].metadata.command_id);

    let found = send(process.get(&format!("/v1/products/{id}"))).await;
    let position = found.position.clone().unwrap();
    assert_eq!((found.status.as_u16(), found.etag.as_deref()), (200, Some("\"4\"")));
    assert_eq!(
        found.body,
        json!({ "id": id, "sku": "85123A", "name": "HEART", "description": "hangs", "status": "LISTED",
            "price": { "amount": "3.50", "currency": "GBP" }, "revision": 4, "position": position })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_goes_through_its_life() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    let id = process.list("22423").await;
    let (one, two) = (Uuid::new_v4(), Uuid::new_v4());
    shop.refused(process.get(&format!("/v1/stock/{id}")), 404, "STOCK_NOT_FOUND").await;
    let steps = [
        ("receive", json!({ "quantity": 10 }), 200),
        ("adjust", json!({ "quantity": -2, "reason": "breakage" }), 200),
        ("reserve", json!({ "orderId": one, "quantity": 5 }), 200),
        ("reserve", json!({ "orderId": two, "quantity": 4 }), 409),
        ("reserve", json!({ "orderId": two, "quantity": 3 }), 200),
        ("release", json!({ "orderId": two }), 200),
        ("ship", json!({ "orderId": one }), 200),
        ("ship", json!({ "orderId": one }), 409),
    ];
    for (step, body, status) in steps {
        let answer = send(process.post(&format!("/v1/stock/{id}/{step}"), body)).await;
        assert_eq!(answer.status, status, "{step}: {answer:?}");
        assert!(answer.position.is_some(), "rejections carry a position too: {answer:?}");
    }
    let found = send(process.get(&format!("/v1/stock/{id}"))).await;
    let field = |name: &str| found.body[name].as_i64().unwrap();
    assert_eq!((field("onHand"), field("reserved"), field("available"), field("revision")), (3, 0, 3, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_goes_through_its_life_and_the_log_never_holds_name_or_address() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    let body = json!({ "customerNumber": "17850", "country": "United Kingdom", "name": "Ada Lovelace",
        "email": "ada@example.org" });
    let request = process.post("/v1/users", body).header("idempotency-key", "a");
    let registered = send(request).await;
    assert_eq!(registered.status, 201, "{registered:?}");
    let id: Uuid = registered.body["id"].as_str().unwrap().parse().unwrap();
    let found = send(process.get(&format!("/v1/users/{id}"))).await;
    assert_eq!(
        (&found.body["name"], &found.body["email"]),
        (&json!("Ada Lovelace"), &json!("ada@example.org"))
    );
    assert_eq!((&found.body["customerNumber"], &found.body["status"]), (&json!("17850"), &json!("ACTIVE")));

    let profile = json!({ "country": "France", "email": "ada@example.fr" });
    let changed = send(process.post(&format!("/v1/users/{id}/profile"), profile)).await;
    assert_eq!(changed.body["revision"], 1, "{changed:?}");
    let bare = process.post_as(&format!("/v1/users/{id}/deactivate"), None, "");
    assert_eq!(send(bare).await.body["revision"], 2, "a command that needs no body may come without one");
    let found = send(shop.process().await.get(&format!("/v1/users/{id}"))).await;
    assert_eq!((&found.body["name"], &found.body["email"]), (&Value::Null, &json!("ada@example.fr")));
    assert_eq!((&found.body["country"], &found.body["status"]), (&json!("France"), &json!("DEACTIVATED")));

    for event in shop.events("user", id).await {
        let text = format!("{} {:?}", String::from_utf8_lossy(&event.data), event.metadata);
        assert!(!text.contains("Ada") && !text.contains("example"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_found() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    let nobody = Uuid::new_v4();
    shop.refused(process.get(&format!("/v1/products/{nobody}")), 404, "PRODUCT_NOT_FOUND").await;
    shop.refused(process.get(&format!("/v1/users/{nobody}")), 404, "USER_NOT_FOUND").await;
    shop.refused(process.post(&format!("/v1/products/{nobody}/delist"), json!({})), 404, "PRODUCT_NOT_FOUND")
        .await;
    shop.refused(process.post(&format!("/v1/users/{nobody}/deactivate"), json!({})), 404, "USER_NOT_FOUND")
        .await;
    shop.refused(process.get("/v1/nothing"), 404, "ROUTE_NOT_FOUND").await;
    shop.refused(process.get("/v1/products"), 405, "METHOD_NOT_ALLOWED").await;
    shop.refused(process.get("/v1/products/85123A"), 400, "BAD_REQUEST").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_nothing_writes_nothing_and_still_tells_where_it_looked() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    let id = process.list("85123A").await;
    let before = send(process.get(&format!("/v1/products/{id}"))).await;
    let again = send(process.post(&format!("/v1/products/{id}/relist"), json!({}))).await;
    assert_eq!((again.status.as_u16(), again.body["revision"].as_u64()), (200, Some(0)));
    assert_eq!(again.position, before.position);
    let rejected = send(process.post("/v1/products", product("85123A"))).await;
    assert_eq!(rejected.body["error"]["code"], "PRODUCT_ALREADY_LISTED");
    assert_eq!((rejected.status.as_u16(), rejected.position), (409, before.position));
    assert_eq!(shop.events("product", id).await.len(), 1);
}
