use domain::ids::{OrderId, UserId};
use domain::value::{CustomerNumber, DocumentNumber};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::sales::{changed, create, done, gbp, id_of, order, placed, register, walk};
use crate::support::{Process, Shop, product_id, send};

fn order_id(number: &str) -> Uuid {
    OrderId::from_number(&DocumentNumber::new(number).unwrap()).0
}

async fn list_both(process: &Process) {
    process.list("85123A").await;
    process.list("m").await;
}

async fn get(process: &Process, order: Uuid) -> Value {
    let found = send(process.get(&format!("/v1/orders/{order}"))).await;
    assert_eq!(found.status, 200, "{found:?}");
    found.body
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_of_a_customer_is_placed_under_the_id_of_its_number() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    list_both(&process).await;
    register(&process, "17850").await;
    let body = changed(order(), |body| {
        body["number"] = json!("536365");
        body["customerNumber"] = json!("17850");
        body["occurredAt"] = json!("2010-12-01T08:26:00Z");
        body["paymentToken"] = json!("tok_ok");
    });
    let placed = send(process.post("/v1/orders", body)).await;
    let id = order_id("536365");
    assert_eq!((placed.status.as_u16(), id_of(&placed)), (201, id), "{placed:?}");
    assert_eq!(placed.location, Some(format!("/v1/orders/{id}")));

    let events = shop.events("order", id).await;
    assert_eq!((events.len(), events[0].event_type.as_str()), (1, "OrderPlaced"));
    assert_eq!(events[0].metadata.occurred_at, "2010-12-01T08:26:00Z".parse().unwrap());
    let data: Value = serde_json::from_slice(&events[0].data).unwrap();
    assert_eq!(data["paymentToken"], "tok_ok");

    let found = send(shop.process().await.get(&format!("/v1/orders/{id}"))).await;
    assert_eq!(found.etag.as_deref(), Some("\"0\""));
    let customer = UserId::from_number(&CustomerNumber::new("17850").unwrap());
    assert_eq!(
        found.body,
        json!({ "id": id, "number": "536365", "customerId": customer, "customerNumber": "17850", "guest": null,
            "country": "EIRE", "currency": "GBP", "status": "PLACED", "total": gbp("15.50"),
            "lines": [
                { "productId": product_id("85123A"), "sku": "85123A", "description": "LANTERN", "quantity": 6,
                    "unitPrice": gbp("2.55") },
                { "productId": product_id("m"), "sku": "m", "description": "Manual", "quantity": 2,
                    "unitPrice": gbp("0.10") },
            ],
            "paymentId": null, "shipmentId": null, "cancelReason": null, "cancelNote": null,
            "revision": 0, "position": placed.position.unwrap() })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_never_holds_name_or_address_of_a_guest() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    list_both(&process).await;
    let body = changed(order(), |body| {
        body["guest"] = json!({ "name": "Ada Lovelace", "email": "ada@example.org" })
    });
    let id = create(&process, "/v1/orders", body).await;
    let found = get(&shop.process().await, id).await;
    assert_eq!(found["guest"], json!({ "name": "Ada Lovelace", "email": "ada@example.org" }));
    assert_eq!((&found["customerId"], &found["number"]), (&Value::Null, &Value::Null));
    for event in shop.events("order", id).await {
        let text = format!("{} {:?}", String::from_utf8_lossy(&event.data), event.metadata);
        assert!(!text.contains("Ada") && !text.contains("example"), "{text}");
    }
    shop.vault.destroy(OrderId(id).into()).await.unwrap();
    assert_eq!(get(&shop.process().await, id).await["guest"], json!({ "name": null, "email": null }));

    let both = changed(order(), |body| {
        body["guest"] = json!({});
        body["customerNumber"] = json!("17850");
    });
    assert_eq!(
        shop.refused(process.post("/v1/orders", both), 422, "INVALID_INPUT").await["details"]["field"],
        "guest"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_guest_was_erased_nothing_tells_what_the_order_was_asked_with() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    list_both(&process).await;
    let place = |name: &str| {
        let body = changed(order(), |body| body["guest"] = json!({ "name": name }));
        process.post("/v1/orders", body).header("idempotency-key", "k")
    };
    let first = send(place("Ada Lovelace")).await;
    assert_eq!(first.status, 201, "{first:?}");
    shop.refused(place("Grace Hopper"), 422, "IDEMPOTENCY_KEY_REUSED").await;
    shop.vault.destroy(OrderId(id_of(&first)).into()).await.unwrap();
    assert_eq!(send(place("Grace Hopper")).await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_takes_the_price_of_the_moment_whichever_process_changed_it() {
    let shop = Shop::open().await;
    let (one, two) = (shop.process().await, shop.process().await);
    let product = one.list("85123A").await;
    let line = |line: Value| json!({ "country": "EIRE", "currency": "GBP", "lines": [line] });
    let plain = || line(json!({ "sku": "85123A", "quantity": 1 }));
    let of = async |id: Uuid| {
        let line = get(&one, id).await["lines"][0].clone();
        (line["unitPrice"]["amount"].as_str().unwrap().to_owned(), line["description"].clone())
    };
    let before = create(&one, "/v1/orders", plain()).await;
    assert_eq!(of(before).await, ("2.55".to_owned(), json!("LANTERN")));

    done(&two, &format!("/v1/products/{product}/price"), json!({ "price": gbp("3.5") })).await;
    done(&two, &format!("/v1/products/{product}/details"), json!({ "description": "of metal" })).await;
    let after = create(&one, "/v1/orders", plain()).await;
    assert_eq!(of(after).await, ("3.50".to_owned(), json!("of metal")));
    assert_eq!(of(before).await.0, "2.55");

    done(&two, &format!("/v1/products/{product}/delist"), json!({})).await;
    let refused = shop.refused(one.post("/v1/orders", plain()), 409, "PRODUCT_DELISTED").await;
    assert_eq!(refused["details"], json!({ "sku": "85123A", "line": 0 }));
    let own = line(json!({ "sku": "85123A", "quantity": 1, "unitPrice": gbp("0") }));
    let own = create(&one, "/v1/orders", own).await;
    assert_eq!(of(own).await, ("0.00".to_owned(), json!("of metal")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_sent_again_gets_its_answer_whatever_became_of_what_it_names() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    list_both(&process).await;
    let user = register(&process, "17850").await;
    let bodies = [
        changed(order(), |body| body["customerNumber"] = json!("17850")),
        changed(order(), |body| {
            body["customerNumber"] = json!("17850");
            body["number"] = json!("536365");
        }),
    ];
    let place = |process: &Process, body: &Value| {
        process.post("/v1/orders", body.clone()).header("idempotency-key", "k")
    };
    let mut first = Vec::new();
    for body in &bodies {
        let answer = send(place(&process, body)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        first.push(answer);
    }
    assert_ne!(id_of(&first[0]), id_of(&first[1]));

    let elsewhere = shop.process().await;
    for path in
        [format!("/v1/users/{user}/deactivate"), format!("/v1/products/{}/delist", product_id("85123A"))]
    {
        assert_eq!(send(elsewhere.post(&path, json!({}))).await.status, 200);
    }
    done(&elsewhere, &format!("/v1/orders/{}/mark-reserved", id_of(&first[0])), json!({})).await;
    for (body, first) in bodies.iter().zip(&first) {
        assert_eq!(send(place(&process, body)).await, *first, "warm");
        assert_eq!(send(place(&shop.process().await, body)).await, *first, "cold");
        let other = changed(body.clone(), |body| body["lines"][0]["quantity"] = json!(7));
        shop.refused(place(&shop.process().await, &other), 422, "IDEMPOTENCY_KEY_REUSED").await;
    }
    // Without the key it is another order of the same number.
    let again = shop.process().await.post("/v1/orders", bodies[1].clone());
    shop.refused(again, 409, "ORDER_ALREADY_PLACED").await;
    shop.refused(process.post("/v1/orders", bodies[0].clone()), 422, "UNKNOWN_REFERENCE").await;
    assert_eq!(shop.events("order", order_id("536365")).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_process_remembers_that_there_is_none_gets_the_answer_of_another_process() {
    let shop = Shop::open().await;
    let (one, two) = (shop.process().await, shop.process().await);
    list_both(&one).await;
    let body = changed(order(), |body| body["number"] = json!("536365"));
    let place = |process: &Process| process.post("/v1/orders", body.clone()).header("idempotency-key", "k");
    shop.refused(two.get(&format!("/v1/orders/{}", order_id("536365"))), 404, "ORDER_NOT_FOUND").await;
    let first = send(place(&one)).await;
    assert_eq!(first.status, 201);
    // Its own look at the catalogue would refuse it.
    done(&one, &format!("/v1/products/{}/delist", product_id("85123A")), json!({})).await;
    assert_eq!(send(place(&two)).await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_order_names_has_to_be_there() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    list_both(&process).await;
    let closed = register(&process, "17850").await;
    done(&process, &format!("/v1/users/{closed}/deactivate"), json!({})).await;
    for number in ["17850", "never registered"] {
        let body = changed(order(), |body| body["customerNumber"] = json!(number));
        let error = shop.refused(process.post("/v1/orders", body), 422, "UNKNOWN_REFERENCE").await;
        assert_eq!(error["details"], json!({ "customerNumber": number }));
    }
    for line in [
        json!({ "sku": "M", "quantity": 1 }),
        json!({ "sku": "M", "quantity": 1, "unitPrice": gbp("1"), "description": "Manual" }),
    ] {
        let body = changed(order(), |body| {
            let lines = body["lines"].as_array_mut().unwrap();
            lines.extend([line, json!({ "sku": "also unknown", "quantity": 1 })]);
        });
        let error = shop.refused(process.post("/v1/orders", body), 422, "UNKNOWN_REFERENCE").await;
        assert_eq!(error["details"], json!({ "sku": "M", "line": 2 }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_does_not_add_up_is_refused() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    list_both(&process).await;
    let euros = json!({ "amount": "1", "currency": "EUR" });
    let most = gbp("92233720368547758.07");
    let one = json!({ "sku": "m", "quantity": 1 });
    let lines = |n: usize| vec![one.clone(); n];
    let cases = [
        (changed(order(), |it| it["currency"] = json!("EUR")), 409, "CURRENCY_MISMATCH"),
        (changed(order(), |it| it["lines"][1]["unitPrice"] = euros), 409, "CURRENCY_MISMATCH"),
        (changed(order(), |it| it["lines"][1]["unitPrice"] = most.clone()), 422, "AMOUNT_OVERFLOW"),
        (
            changed(order(), |it| {
                it["lines"][1]["unitPrice"] = most;
                it["lines"][1]["quantity"] = json!(1);
            }),
            422,
            "AMOUNT_OVERFLOW",
        ),
        (changed(order(), |it| it["lines"][0]["quantity"] = json!(2_147_483_647)), 409, "QUANTITY_OVERFLOW"),
        (changed(order(), |it| it["lines"] = json!([])), 422, "NO_LINES"),
        (changed(order(), |it| it["lines"] = json!(lines(5_001))), 422, "TOO_MANY_LINES"),
    ];
    for (body, status, code) in cases {
        let error = shop.refused(process.post("/v1/orders", body), status, code).await;
        if code == "CURRENCY_MISMATCH" {
            assert_eq!(error["details"], json!({ "currency": "GBP" }));
        }
    }
    let wrong = [
        ("lines[1].quantity", changed(order(), |it| it["lines"][1]["quantity"] = json!(0))),
        ("lines[1].quantity", changed(order(), |it| it["lines"][1]["quantity"] = json!(-1))),
        ("lines[1].unitPrice", changed(order(), |it| it["lines"][1]["unitPrice"] = gbp("-0.01"))),
        ("lines[0].sku", changed(order(), |it| it["lines"][0]["sku"] = json!(""))),
        ("currency", changed(order(), |it| it["currency"] = json!("pounds"))),
    ];
    for (field, body) in wrong {
        let error = shop.refused(process.post("/v1/orders", body), 422, "INVALID_INPUT").await;
        assert_eq!(error["details"]["field"], field, "{error}");
    }
    let most = changed(order(), |it| it["lines"] = json!(lines(5_000)));
    let id = create(&process, "/v1/orders", most).await;
    assert_eq!(get(&process, id).await["total"], gbp("12750.00"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_goes_through_its_life() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    let id = placed(&process).await;
    let address = format!("/v1/orders/{id}");
    let payment = create(&process, "/v1/payments", json!({ "orderId": id, "amount": gbp("15.50") })).await;
    let shipment = create(&process, "/v1/shipments", json!({ "orderId": id })).await;
    let paid = || json!({ "paymentId": payment });
    let shipped = || json!({ "shipmentId": shipment });
    let nobody = Uuid::from_u128(1);
    let failed = json!({ "reason": "SHIPMENT_FAILED", "note": "lost at sea" });
    let steps = [
        ("mark-paid", paid(), Err("ORDER_NOT_RESERVED")),
        ("mark-shipped", shipped(), Err("ORDER_NOT_PAID")),
        ("mark-delivered", json!({}), Err("ORDER_NOT_SHIPPED")),
        ("mark-reserved", json!({}), Ok(1)),
        ("mark-reserved", json!({}), Ok(1)),
        ("mark-paid", json!({ "paymentId": nobody }), Err("UNKNOWN_REFERENCE")),
        ("mark-paid", paid(), Ok(2)),
        ("mark-paid", paid(), Ok(2)),
        ("mark-paid", json!({ "paymentId": nobody }), Err("ORDER_ALREADY_PAID")),
        ("mark-shipped", json!({ "shipmentId": nobody }), Err("UNKNOWN_REFERENCE")),
        ("mark-shipped", shipped(), Ok(3)),
        ("mark-shipped", json!({ "shipmentId": nobody }), Err("ORDER_ALREADY_SHIPPED")),
        ("cancel", json!({ "reason": "REQUESTED" }), Err("ORDER_ALREADY_SHIPPED")),
        ("mark-delivered", json!({ "occurredAt": "2010-12-02T10:00:00Z" }), Ok(4)),
        ("mark-delivered", json!({}), Ok(4)),
        ("cancel", failed, Err("ORDER_ALREADY_DELIVERED")),
    ];
    walk(&shop, &process, &address, &steps).await;
    let found = get(&shop.process().await, id).await;
    assert_eq!((&found["status"], &found["revision"]), (&json!("DELIVERED"), &json!(4)));
    assert_eq!((&found["paymentId"], &found["shipmentId"]), (&json!(payment), &json!(shipment)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_or_shipment_of_another_order_is_none_of_this_one() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    let (one, two) = (placed(&process).await, create(&process, "/v1/orders", order()).await);
    let payment = create(&process, "/v1/payments", json!({ "orderId": two, "amount": gbp("1") })).await;
    let shipment = create(&process, "/v1/shipments", json!({ "orderId": two })).await;
    let own = create(&process, "/v1/payments", json!({ "orderId": one, "amount": gbp("1") })).await;
    let steps = [
        ("mark-reserved", json!({}), Ok(1)),
        ("mark-paid", json!({ "paymentId": payment }), Err("UNKNOWN_REFERENCE")),
        ("mark-paid", json!({ "paymentId": own }), Ok(2)),
        ("mark-shipped", json!({ "shipmentId": shipment }), Err("UNKNOWN_REFERENCE")),
    ];
    walk(&shop, &process, &format!("/v1/orders/{one}"), &steps).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_called_off_with_a_reason() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    let id = placed(&process).await;
    let address = format!("/v1/orders/{id}");
    for body in [json!({}), json!({ "reason": "BECAUSE" }), json!({ "reason": "REQUESTED", "note": " " })] {
        shop.refused(process.post(&format!("{address}/cancel"), body), 422, "INVALID_INPUT").await;
    }
    let steps = [
        ("cancel", json!({ "reason": "OUT_OF_STOCK", "note": "no lanterns left" }), Ok(1)),
        ("cancel", json!({ "reason": "OUT_OF_STOCK" }), Ok(1)),
        ("cancel", json!({ "reason": "REQUESTED" }), Err("ORDER_CANCELLED")),
        ("mark-reserved", json!({}), Err("ORDER_CANCELLED")),
    ];
    walk(&shop, &process, &address, &steps).await;
    let found = get(&shop.process().await, id).await;
    assert_eq!((&found["status"], &found["cancelReason"]), (&json!("CANCELLED"), &json!("OUT_OF_STOCK")));
    assert_eq!(found["cancelNote"], "no lanterns left");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_nobody_placed_is_not_found() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    let nobody = Uuid::new_v4();
    shop.refused(process.get(&format!("/v1/orders/{nobody}")), 404, "ORDER_NOT_FOUND").await;
    let steps = [
        ("mark-reserved", json!({}), Err("ORDER_NOT_FOUND")),
        ("mark-paid", json!({ "paymentId": nobody }), Err("ORDER_NOT_FOUND")),
        ("mark-shipped", json!({ "shipmentId": nobody }), Err("ORDER_NOT_FOUND")),
        ("mark-delivered", json!({}), Err("ORDER_NOT_FOUND")),
        ("cancel", json!({ "reason": "REQUESTED" }), Err("ORDER_NOT_FOUND")),
    ];
    walk(&shop, &process, &format!("/v1/orders/{nobody}"), &steps).await;
}
