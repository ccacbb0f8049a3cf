//! What holds for every command, whatever it is: bad input gets a clear error and changes nothing.

use std::collections::BTreeSet;

use command_side::BODY_BYTES_MAX;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::sales::{changed, create, gbp, order, placed, register};
use crate::support::{Process, Shop, product};

/// Ids of one aggregate of each kind, and bodies that their commands take.
struct Everything {
    shop: Shop,
    process: Process,
    /// Address as in the OpenAPI document, address of the aggregate there is, body.
    commands: Vec<(&'static str, String, Value)>,
}

impl Everything {
    async fn new() -> Self {
        let shop = Shop::open().await;
        let process = shop.process().await;
        let product_id = process.stocked("22423", 10).await;
        let user = register(&process, "17850").await;
        let order_id = placed(&process).await;
        let amount = || gbp("1.00");
        let payment =
            create(&process, "/v1/payments", json!({ "orderId": order_id, "amount": amount() })).await;
        let shipment = create(&process, "/v1/shipments", json!({ "orderId": order_id })).await;
        let line = json!({ "sku": "m", "quantity": 1, "unitPrice": amount() });
        let goods = json!({ "country": "EIRE", "currency": "GBP", "lines": [line] });
        let goods_id = create(&process, "/v1/returns", goods.clone()).await;
        let reserved = json!({ "orderId": order_id });
        let bodies = [
            ("/v1/products", product_id, product("new")),
            ("/v1/products/{id}/details", product_id, json!({ "name": "HEART" })),
            ("/v1/products/{id}/price", product_id, json!({ "price": amount() })),
            ("/v1/products/{id}/delist", product_id, json!({})),
            ("/v1/products/{id}/relist", product_id, json!({})),
            ("/v1/stock/{productId}/receive", product_id, json!({ "quantity": 1 })),
            ("/v1/stock/{productId}/adjust", product_id, json!({ "quantity": 1, "reason": "found" })),
            ("/v1/stock/{productId}/reserve", product_id, json!({ "orderId": order_id, "quantity": 1 })),
            ("/v1/stock/{productId}/release", product_id, reserved.clone()),
            ("/v1/stock/{productId}/ship", product_id, reserved),
            ("/v1/users", user, json!({ "customerNumber": "new", "country": "France" })),
            ("/v1/users/{id}/profile", user, json!({ "country": "Spain" })),
            ("/v1/users/{id}/deactivate", user, json!({})),
            ("/v1/orders", order_id, order()),
            ("/v1/orders/{id}/mark-reserved", order_id, json!({})),
            ("/v1/orders/{id}/mark-paid", order_id, json!({ "paymentId": payment })),
            ("/v1/orders/{id}/mark-shipped", order_id, json!({ "shipmentId": shipment })),
            ("/v1/orders/{id}/mark-delivered", order_id, json!({})),
            ("/v1/orders/{id}/cancel", order_id, json!({ "reason": "REQUESTED" })),
            ("/v1/payments", payment, json!({ "orderId": order_id, "amount": amount() })),
            ("/v1/payments/{id}/authorize", payment, json!({ "reference": "auth-1" })),
            ("/v1/payments/{id}/capture", payment, json!({})),
            ("/v1/payments/{id}/decline", payment, json!({ "reason": "no money" })),
            ("/v1/payments/{id}/refund", payment, json!({ "amount": amount() })),
            ("/v1/shipments", shipment, json!({ "orderId": order_id })),
            ("/v1/shipments/{id}/dispatch", shipment, json!({ "reference": "parcel-1" })),
            ("/v1/shipments/{id}/deliver", shipment, json!({})),
            ("/v1/shipments/{id}/fail", shipment, json!({ "reason": "lost" })),
            ("/v1/returns", goods_id, goods),
            ("/v1/returns/{id}/restock", goods_id, json!({})),
            ("/v1/returns/{id}/refund", goods_id, json!({})),
        ];
        let at = |path: &str, id: Uuid| filled(path, &id.to_string());
        let commands = bodies.into_iter().map(|(path, id, body)| (path, at(path, id), body)).collect();
        Self { shop, process, commands }
    }

    /// Sends every command in some wrong way.
    async fn all_refused(
        &self,
        status: u16,
        code: &str,
        request: impl Fn(&Process, &str, &Value) -> RequestBuilder,
    ) {
        for (_, address, body) in &self.commands {
            self.shop.refused(request(&self.process, address, body), status, code).await;
        }
    }
}

/// The address of an aggregate.
fn filled(path: &str, id: &str) -> String {
    path.replace("{id}", id).replace("{productId}", id)
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_to_any_command_gets_a_clear_error_and_changes_nothing() {
    let everything = Everything::new().await;
    let document = serde_json::to_value(command_side::openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let posts: BTreeSet<_> =
        paths.iter().filter(|(_, item)| item.get("post").is_some()).map(|(path, _)| path.as_str()).collect();
    assert_eq!(posts, everything.commands.iter().map(|(path, ..)| *path).collect(), "every command is here");

    let all = &everything;
    all.all_refused(400, "MALFORMED_JSON", |to, at, _| to.post_text(at, "{\"occurredAt\":")).await;
    all.all_refused(422, "INVALID_INPUT", |to, at, _| to.post(at, json!([]))).await;
    all.all_refused(422, "INVALID_INPUT", |to, at, body| {
        to.post(at, changed(body.clone(), |body| body["colour"] = json!("red")))
    })
    .await;
    all.all_refused(422, "INVALID_INPUT", |to, at, body| {
        to.post(at, changed(body.clone(), |body| body["occurredAt"] = json!("yesterday")))
    })
    .await;
    for too_early in ["0000-12-31T23:59:59.999Z", "-005000-01-01T00:00:00Z"] {
        all.all_refused(422, "INVALID_INPUT", |to, at, body| {
            to.post(at, changed(body.clone(), |body| body["occurredAt"] = json!(too_early)))
        })
        .await;
    }
    all.all_refused(422, "INVALID_INPUT", |to, at, body| {
        to.post(at, json!(body.as_object().unwrap().values().collect::<Vec<_>>()))
    })
    .await;
    all.all_refused(422, "INVALID_INPUT", |to, at, body| {
        let twice = body.to_string().replacen('{', "{\"occurredAt\":null,\"occurredAt\":null,", 1);
        to.post_text(at, twice.replace(",}", "}"))
    })
    .await;
    all.all_refused(413, "BODY_TOO_LARGE", |to, at, _| to.post_text(at, " ".repeat(BODY_BYTES_MAX + 1)))
        .await;
    all.all_refused(415, "UNSUPPORTED_MEDIA_TYPE", |to, at, body| {
        to.post_as(at, Some("text/plain"), changed(body.clone(), |body| body["x"] = json!(1)).to_string())
    })
    .await;
    all.all_refused(400, "BAD_REQUEST", |to, at, body| {
        to.post(at, body.clone()).header("idempotency-key", "two words")
    })
    .await;
    all.all_refused(412, "PRECONDITION_FAILED", |to, at, body| {
        to.post(at, body.clone()).header("if-match", "\"99\"")
    })
    .await;
    for (path, _, body) in everything.commands.iter().filter(|(path, ..)| path.contains('{')) {
        let nameless = everything.process.post(&filled(path, "17850"), body.clone());
        everything.shop.refused(nameless, 400, "BAD_REQUEST").await;
    }
}
