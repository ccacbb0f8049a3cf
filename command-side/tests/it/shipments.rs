use serde_json::json;
use uuid::Uuid;

use crate::sales::{create, placed, walk};
use crate::support::{Shop, send};

#[tokio::test(flavor = "multi_thread")]
async fn a_shipment_goes_through_its_life() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    let order = placed(&process).await;
    let id = create(&process, "/v1/shipments", json!({ "orderId": order, "token": "t" })).await;
    let steps = [
        ("deliver", json!({}), Err("SHIPMENT_NOT_DISPATCHED")),
        ("dispatch", json!({ "reference": "parcel-1" }), Ok(1)),
        ("dispatch", json!({ "reference": "parcel-1" }), Ok(1)),
        ("dispatch", json!({ "reference": "parcel-2" }), Err("SHIPMENT_ALREADY_DISPATCHED")),
        ("deliver", json!({}), Ok(2)),
        ("deliver", json!({}), Ok(2)),
        ("fail", json!({ "reason": "lost" }), Err("SHIPMENT_ALREADY_DELIVERED")),
    ];
    walk(&shop, &process, &format!("/v1/shipments/{id}"), &steps).await;
    let found = send(shop.process().await.get(&format!("/v1/shipments/{id}"))).await;
    assert_eq!(
        found.body,
        json!({ "id": id, "orderId": order, "status": "DELIVERED", "reference": "parcel-1", "revision": 2,
            "position": found.position.clone().unwrap() })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shipment_that_failed_goes_nowhere() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    let order = placed(&process).await;
    let id = create(&process, "/v1/shipments", json!({ "orderId": order })).await;
    let steps = [
        ("fail", json!({ "reason": "no such address" }), Ok(1)),
        ("fail", json!({ "reason": "no such street" }), Ok(1)),
        ("dispatch", json!({ "reference": "parcel-1" }), Err("SHIPMENT_FAILED")),
        ("deliver", json!({}), Err("SHIPMENT_FAILED")),
    ];
    walk(&shop, &process, &format!("/v1/shipments/{id}"), &steps).await;
    let found = send(process.get(&format!("/v1/shipments/{id}"))).await;
    assert_eq!((&found.body["status"], &found.body["reference"]), (&json!("FAILED"), &json!(null)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shipment_is_of_an_order_that_is_there() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    let nobody = Uuid::new_v4();
    let error = shop
        .refused(process.post("/v1/shipments", json!({ "orderId": nobody })), 422, "UNKNOWN_REFERENCE")
        .await;
    assert_eq!(error["details"], json!({ "orderId": nobody }));
    shop.refused(process.get(&format!("/v1/shipments/{nobody}")), 404, "SHIPMENT_NOT_FOUND").await;
    let steps = [
        ("dispatch", json!({ "reference": "parcel-1" }), Err("SHIPMENT_NOT_FOUND")),
        ("deliver", json!({}), Err("SHIPMENT_NOT_FOUND")),
        ("fail", json!({ "reason": "lost" }), Err("SHIPMENT_NOT_FOUND")),
    ];
    walk(&shop, &process, &format!("/v1/shipments/{nobody}"), &steps).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shipment_asked_for_again_under_its_key_is_the_same_shipment() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    let order = placed(&process).await;
    let body = json!({ "orderId": order });
    let first = send(process.post("/v1/shipments", body.clone()).header("idempotency-key", "k")).await;
    assert_eq!(first.status, 201);
    let again = shop.process().await.post("/v1/shipments", body).header("idempotency-key", "k");
    assert_eq!(send(again).await, first);
}
