//! Bad input gets a clear error and changes nothing.

use command_side::BODY_BYTES_MAX;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Process, Shop, product, product_id};

/// A shop with one listed product that has units on the shelf.
struct Setting {
    shop: Shop,
    process: Process,
    product: Uuid,
}

impl Setting {
    async fn new() -> Self {
        let shop = Shop::open().await;
        let process = shop.process().await;
        let product = process.stocked("85123A", 10).await;
        Self { shop, process, product }
    }

    fn list(&self, body: Value) -> RequestBuilder {
        self.process.post("/v1/products", body)
    }

    fn stock(&self, action: &str, body: Value) -> RequestBuilder {
        self.process.post(&format!("/v1/stock/{}/{action}", self.product), body)
    }

    /// The error that a request gets, after a look that the log is as it was.
    async fn refused(&self, request: RequestBuilder, status: u16, code: &str) -> Value {
        self.shop.refused(request, status, code).await
    }
}

fn changed(change: impl FnOnce(&mut Value)) -> Value {
    let mut body = product("new");
    change(&mut body);
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_json_is_refused_with_its_place() {
    let setting = Setting::new().await;
    for text in ["{", "", "{\"sku\":\"a\",}", "nonsense", "\u{feff}{}", "{\"sku\": \"\\ud800\"}"] {
        let request = setting.process.post_text("/v1/products", text);
        let error = setting.refused(request, 400, "MALFORMED_JSON").await;
        assert!(error["details"]["line"].is_u64(), "{text:?}: {error}");
    }
    let bytes = setting.process.post_text("/v1/products", vec![b'{', b'"', 0xff, b'"', b'}']);
    setting.refused(bytes, 400, "MALFORMED_JSON").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_types_are_refused_with_their_field() {
    let setting = Setting::new().await;
    let cases = [
        ("sku", changed(|body| body["sku"] = json!(85123))),
        ("sku", changed(|body| body["sku"] = json!(" "))),
        ("name", changed(|body| body["name"] = json!(["LANTERN"]))),
        ("price", changed(|body| body["price"] = json!("2.55"))),
        ("price", changed(|body| body["price"]["amount"] = json!("1.005"))),
        ("price", changed(|body| body["price"]["amount"] = json!("-1"))),
        ("price", changed(|body| body["price"] = json!(["2.55", "GBP"]))),
        ("price.amount", changed(|body| body["price"]["amount"] = json!(2.55))),
        ("price.currency", changed(|body| body["price"]["currency"] = json!("pounds"))),
        ("occurredAt", changed(|body| body["occurredAt"] = json!("yesterday"))),
    ];
    for (field, body) in cases {
        let error = setting.refused(setting.list(body.clone()), 422, "INVALID_INPUT").await;
        assert_eq!(error["details"]["field"], field, "{body}: {error}");
    }
    let moment = changed(|body| body["occurredAt"] = json!("9999-12-31T23:59:59Z"));
    let error = setting.refused(setting.list(moment), 422, "INVALID_INPUT").await;
    assert_eq!(
        error["message"],
        "occurredAt: \"9999-12-31T23:59:59Z\" is no moment of the years 1 to 9999, such as 2010-12-01T08:26:00Z"
    );
    for body in [
        json!([]),
        json!("text"),
        json!(null),
        json!({ "name": "no sku" }),
        json!(["new", null, null, { "amount": "1", "currency": "GBP" }, null]),
    ] {
        setting.refused(setting.list(body), 422, "INVALID_INPUT").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_field_is_refused() {
    let setting = Setting::new().await;
    let error = setting
        .refused(setting.list(changed(|body| body["colour"] = json!("red"))), 422, "INVALID_INPUT")
        .await;
    assert!(error["message"].as_str().unwrap().contains("colour"), "{error}");
    let inside = changed(|body| body["price"]["vat"] = json!("0.2"));
    setting.refused(setting.list(inside), 422, "INVALID_INPUT").await;
    let plain =
        setting.process.post(&format!("/v1/products/{}/delist", setting.product), json!({ "why": "old" }));
    setting.refused(plain, 422, "INVALID_INPUT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_refused() {
    let setting = Setting::new().await;
    let body = |bytes: usize| changed(|body| body["description"] = json!("x".repeat(bytes)));
    setting.refused(setting.list(body(BODY_BYTES_MAX)), 413, "BODY_TOO_LARGE").await;
    setting.refused(setting.list(body(BODY_BYTES_MAX - 1_024)), 422, "INVALID_INPUT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_json_is_refused() {
    let setting = Setting::new().await;
    for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
        let request = setting.process.post_as("/v1/products", content_type, product("new").to_string());
        setting.refused(request, 415, "UNSUPPORTED_MEDIA_TYPE").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_product_is_refused() {
    let setting = Setting::new().await;
    let nobody = product_id("never listed");
    for (action, body) in [
        ("receive", json!({ "quantity": 1 })),
        ("adjust", json!({ "quantity": 1, "reason": "found" })),
        ("reserve", json!({ "orderId": Uuid::from_u128(1), "quantity": 1 })),
        ("ship", json!({ "orderId": Uuid::from_u128(1) })),
    ] {
        let request = setting.process.post(&format!("/v1/stock/{nobody}/{action}"), body);
        let error = setting.refused(request, 422, "UNKNOWN_REFERENCE").await;
        assert_eq!(error["details"]["productId"], json!(nobody));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quantity_that_is_zero_or_negative_is_refused() {
    let setting = Setting::new().await;
    for quantity in [json!(0), json!(-1), json!(1.5), json!("1"), json!(2_147_483_648_i64), json!(1e300)] {
        let error = setting
            .refused(setting.stock("receive", json!({ "quantity": quantity })), 422, "INVALID_INPUT")
            .await;
        assert_eq!(error["details"]["field"], "quantity", "{quantity}: {error}");
    }
    let adjust = setting.stock("adjust", json!({ "quantity": 0, "reason": "count" }));
    setting.refused(adjust, 422, "INVALID_INPUT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_amount_that_overflows_is_refused() {
    let setting = Setting::new().await;
    for amount in ["92233720368547758.08", "99999999999999999999999999", "1e30"] {
        let body = changed(|body| body["price"]["amount"] = json!(amount));
        let error = setting.refused(setting.list(body), 422, "INVALID_INPUT").await;
        assert_eq!(error["details"]["field"], "price", "{amount}: {error}");
    }
    let receive = setting.stock("receive", json!({ "quantity": 2_147_483_647 }));
    setting.refused(receive, 409, "QUANTITY_OVERFLOW").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_if_match_is_refused_with_the_revision_there_is() {
    let setting = Setting::new().await;
    for stale in ["\"1\"", "\"7\"", "W/\"0\"", "\"x\""] {
        let request = setting.stock("receive", json!({ "quantity": 1 })).header("if-match", stale);
        let error = setting.refused(request, 412, "PRECONDITION_FAILED").await;
        assert_eq!(error["details"]["revision"], 0, "{stale}: {error}");
    }
    let create = setting.list(product("new")).header("if-match", "*");
    setting.refused(create, 412, "PRECONDITION_FAILED").await;
    let broken = setting.stock("receive", json!({ "quantity": 1 })).header("if-match", "");
    setting.refused(broken, 400, "BAD_REQUEST").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_reused_with_another_body_is_refused() {
    let setting = Setting::new().await;
    let receive = |setting: &Setting, body| setting.stock("receive", body).header("idempotency-key", "k");
    assert_eq!(crate::support::send(receive(&setting, json!({ "quantity": 1 }))).await.status, 200);
    for other in [json!({ "quantity": 2 }), json!({ "quantity": 1, "occurredAt": "2010-12-01T08:26:00Z" })] {
        setting.refused(receive(&setting, other), 422, "IDEMPOTENCY_KEY_REUSED").await;
    }
    for key in ["", "two words", &"k".repeat(201)] {
        let request = setting.stock("receive", json!({ "quantity": 1 })).header("idempotency-key", key);
        setting.refused(request, 400, "BAD_REQUEST").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_currency_is_refused_by_name() {
    let setting = Setting::new().await;
    let euros = json!({ "amount": "2.55", "currency": "EUR" });
    let error = setting
        .refused(setting.list(changed(|body| body["price"] = euros.clone())), 409, "CURRENCY_MISMATCH")
        .await;
    assert_eq!(error["details"]["currency"], "GBP");
    let price =
        setting.process.post(&format!("/v1/products/{}/price", setting.product), json!({ "price": euros }));
    let error = setting.refused(price, 409, "CURRENCY_MISMATCH").await;
    assert_eq!(error["details"]["currency"], "GBP");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_stands_twice_is_refused_with_its_place() {
    let setting = Setting::new().await;
    let post = |text: &'static str| setting.process.post_text("/v1/products", text);
    let twice = post("{\"sku\":\"a\",\n\"price\":{\"amount\":\"1\",\"currency\":\"GBP\"},\"sku\":\"b\"}");
    let error = setting.refused(twice, 422, "INVALID_INPUT").await;
    assert!(error["message"].as_str().unwrap().contains("\"sku\" stands twice"), "{error}");
    assert_eq!(error["details"]["line"], 2);
    let inside = post("{\"sku\":\"a\",\"price\":{\"amount\":\"1\",\"amount\":\"2\",\"currency\":\"GBP\"}}");
    setting.refused(inside, 422, "INVALID_INPUT").await;
}
