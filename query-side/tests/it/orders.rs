//! Orders with what belongs to them: one, by id, filtered.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::Service;

/// Order 1 in full (two lines of one product at two prices, one of a product that is not there), a guest's order 2, and
/// order 3 of a customer who is not there and without anything.
const THREE_ORDERS: &str = r#"
    INSERT INTO customers_v1 VALUES ('c0000000-0000-0000-0000-000000000001', '17850', 'France', 'Ada', NULL, 'ACTIVE',
        '2010-11-01T08:00:00Z', 0, 1);
    INSERT INTO products_v1 VALUES ('a0000000-0000-0000-0000-000000000001', '85123A', 'Heart', NULL, 300, 'GBP', 'LISTED',
        5, 0, '2010-11-01T08:00:00Z', 0, NULL, 1);
    INSERT INTO orders_v1 VALUES
        ('00000000-0000-0000-0000-000000000001', '536365', 'c0000000-0000-0000-0000-000000000001', '17850', 'Belgium',
         'GBP', 'DELIVERED', NULL, '2010-12-01T08:26:00Z', '2010-12-01', 2085, 9, 3, 9007199254740993, 7),
        ('00000000-0000-0000-0000-000000000002', NULL, NULL, NULL, 'EIRE', 'JPY', 'CANCELLED', 'OUT_OF_STOCK',
         '2010-12-01T08:28:00Z', '2010-12-01', 1234, 2, 1, 1, 8),
        ('00000000-0000-0000-0000-000000000003', '536367', gen_random_uuid(), '13047', 'EIRE', 'GBP', 'PLACED', NULL,
         '2010-12-01T08:34:00Z', '2010-12-01', 5, 1, 1, 0, 9);
    INSERT INTO order_lines_v1 VALUES
        ('00000000-0000-0000-0000-000000000001', '[
            {"productId": "a0000000-0000-0000-0000-000000000001", "sku": "85123A", "description": "HEART", "quantity": 6,
             "unitPriceMinor": 255},
            {"productId": "a0000000-0000-0000-0000-000000000009", "sku": "71053", "description": null, "quantity": 1,
             "unitPriceMinor": 5},
            {"productId": "a0000000-0000-0000-0000-000000000001", "sku": "85123A", "description": "HEART", "quantity": 2,
             "unitPriceMinor": 275}]', '2010-12-01', false, 7),
        ('00000000-0000-0000-0000-000000000002', '[
            {"productId": "a0000000-0000-0000-0000-000000000009", "sku": "71053", "description": null, "quantity": 2,
             "unitPriceMinor": 617}]', '2010-12-01', true, 8);
    INSERT INTO payments_v1 VALUES
        ('b0000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000001', 2085, 'GBP', 'CAPTURED', 'pay-7',
         NULL, 550, '2010-12-01T08:27:00Z', 2, 7),
        ('b0000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000001', 2085, 'GBP', 'DECLINED', NULL,
         'no cover', 0, '2010-12-01T08:26:01Z', 1, 7);
    INSERT INTO shipments_v1 VALUES
        ('d0000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000001', 'FAILED', 'ship-1', 'lost',
         '2010-12-01T08:30:00Z', '2010-12-01T08:31:00Z', NULL, 2, 7),
        ('d0000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000001', 'DELIVERED', 'ship-2', NULL,
         '2010-12-02T08:30:00Z', '2010-12-02T08:31:00Z', '2010-12-03T09:00:00Z', 2, 7);
    INSERT INTO returns_v1 VALUES
        ('e0000000-0000-0000-0000-000000000001', 'C536379', '00000000-0000-0000-0000-000000000001', NULL, '17850',
         'Belgium', 'GBP', true, false, '2010-12-05T09:41:00Z', '2010-12-05', 550, 2, 1, 1, 9),
        ('e0000000-0000-0000-0000-000000000002', NULL, NULL, NULL, NULL, 'EIRE', 'GBP', false, false,
         '2010-12-05T09:41:00Z', '2010-12-05', 5, 1, 1, 0, 9);
    INSERT INTO return_lines_v1 VALUES
        ('e0000000-0000-0000-0000-000000000001', '[
            {"productId": "a0000000-0000-0000-0000-000000000001", "sku": "85123A", "description": null, "quantity": 2,
             "unitPriceMinor": 275}]', 9);
"#;

const PAYMENT: &str =
    "id orderId amount { amount currency } status reference declineReason refunded { amount }
                       requestedAt revision";
const SHIPMENT: &str =
    "id orderId status reference failureReason requestedAt dispatchedAt deliveredAt revision";
const RETURN: &str =
    "id number orderId customerNumber country receivedAt returned { amount currency } units restocked
                      refunded revision lines { sku quantity total { amount } product { name } }";

fn all_fields() -> String {
    format!(
        "id number status cancelReason country placedAt gross {{ amount currency }} units customerNumber revision
         customer {{ customerNumber name country }}
         lines {{ sku description quantity unitPrice {{ amount currency }} total {{ amount }} product {{ sku name }} }}
         payments {{ {PAYMENT} }} shipments {{ {SHIPMENT} }} returns {{ {RETURN} }}"
    )
}

async fn with_orders() -> Service {
    let service = Service::start().await;
    service.sql(THREE_ORDERS).await;
    service
}

fn node_id(kind: &str, uuid: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{kind}:{uuid}"))
}

fn uuid(first: char, last: u32) -> String {
    format!("{first}0000000-0000-0000-0000-{last:012}")
}

fn first_order() -> Value {
    let id = node_id("Order", &uuid('0', 1));
    let heart = json!({"sku": "85123A", "name": "Heart"});
    json!({
        "id": id, "number": "536365", "status": "DELIVERED", "cancelReason": null, "country": "Belgium",
        "placedAt": "2010-12-01T08:26:00Z", "gross": {"amount": "20.85", "currency": "GBP"}, "units": 9,
        "customerNumber": "17850", "revision": 9_007_199_254_740_993_i64,
        "customer": {"customerNumber": "17850", "name": "Ada", "country": "France"},
        "lines": [
            {"sku": "85123A", "description": "HEART", "quantity": 6, "unitPrice": {"amount": "2.55", "currency": "GBP"},
             "total": {"amount": "15.30"}, "product": heart},
            {"sku": "71053", "description": null, "quantity": 1, "unitPrice": {"amount": "0.05", "currency": "GBP"},
             "total": {"amount": "0.05"}, "product": null},
            {"sku": "85123A", "description": "HEART", "quantity": 2, "unitPrice": {"amount": "2.75", "currency": "GBP"},
             "total": {"amount": "5.50"}, "product": heart},
        ],
        "payments": [
            {"id": node_id("Payment", &uuid('b', 1)), "orderId": id, "amount": {"amount": "20.85", "currency": "GBP"},
             "status": "DECLINED", "reference": null, "declineReason": "no cover", "refunded": {"amount": "0.00"},
             "requestedAt": "2010-12-01T08:26:01Z", "revision": 1},
            {"id": node_id("Payment", &uuid('b', 2)), "orderId": id, "amount": {"amount": "20.85", "currency": "GBP"},
             "status": "CAPTURED", "reference": "pay-7", "declineReason": null, "refunded": {"amount": "5.50"},
             "requestedAt": "2010-12-01T08:27:00Z", "revision": 2},
        ],
        "shipments": [
            {"id": node_id("Shipment", &uuid('d', 1)), "orderId": id, "status": "FAILED", "reference": "ship-1",
             "failureReason": "lost", "requestedAt": "2010-12-01T08:30:00Z", "dispatchedAt": "2010-12-01T08:31:00Z",
             "deliveredAt": null, "revision": 2},
            {"id": node_id("Shipment", &uuid('d', 2)), "orderId": id, "status": "DELIVERED", "reference": "ship-2",
             "failureReason": null, "requestedAt": "2010-12-02T08:30:00Z", "dispatchedAt": "2010-12-02T08:31:00Z",
             "deliveredAt": "2010-12-03T09:00:00Z", "revision": 2},
        ],
        "returns": [
            {"id": node_id("Return", &uuid('e', 1)), "number": "C536379", "orderId": id, "customerNumber": "17850",
             "country": "Belgium", "receivedAt": "2010-12-05T09:41:00Z",
             "returned": {"amount": "5.50", "currency": "GBP"}, "units": 2, "restocked": true, "refunded": false,
             "revision": 1,
             "lines": [{"sku": "85123A", "quantity": 2, "total": {"amount": "5.50"}, "product": {"name": "Heart"}}]},
        ],
    })
}

#[tokio::test]
async fn an_order_answers_every_field_and_is_found_by_number_and_by_either_id() {
    let service = with_orders().await;
    let fields = all_fields();
    let expected = first_order();
    let by_number = service.ask(&format!("{{ order(number: \"536365\") {{ {fields} }} }}")).await;
    assert_eq!(by_number.data()["order"], expected);

    let query = format!("query ($id: ID) {{ order(id: $id) {{ {fields} }} }}");
    for id in [expected["id"].as_str().unwrap(), &uuid('0', 1)] {
        assert_eq!(service.ask_with(&query, json!({"id": id})).await.data()["order"], expected, "{id}");
    }
    let node = format!("query ($id: ID!) {{ node(id: $id) {{ __typename ... on Order {{ {fields} }} }} }}");
    let mut answer = service.ask_with(&node, json!({"id": expected["id"]})).await.data()["node"].clone();
    assert_eq!(answer.as_object_mut().unwrap().remove("__typename"), Some(json!("Order")));
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn orders_of_guests_and_of_customers_who_are_not_there_have_no_customer() {
    let service = with_orders().await;
    let fields = "number status cancelReason customerNumber customer { name } gross { amount currency } units
                  lines { unitPrice { amount } total { amount currency } } payments { id } shipments { id } returns { id }";
    let query =
        format!("query ($id: ID) {{ order(id: $id) {{ {fields} }} none: order(number: \"1\") {{ id }} }}");
    let guest = service.ask_with(&query, json!({"id": uuid('0', 2)})).await;
    assert_eq!(
        guest.data(),
        &json!({"none": null, "order": {
            "number": null, "status": "CANCELLED", "cancelReason": "OUT_OF_STOCK", "customerNumber": null,
            "customer": null, "gross": {"amount": "1234", "currency": "JPY"}, "units": 2, "payments": [],
            "shipments": [], "returns": [],
            "lines": [{"unitPrice": {"amount": "617"}, "total": {"amount": "1234", "currency": "JPY"}}],
        }})
    );
    let third = service.ask_with(&query, json!({"id": uuid('0', 3)})).await;
    let third = &third.data()["order"];
    assert_eq!((&third["customerNumber"], &third["customer"]), (&json!("13047"), &json!(null)));
}

#[tokio::test]
async fn payments_shipments_and_returns_are_found_by_their_ids() {
    let service = with_orders().await;
    let query = format!(
        "query ($id: ID!) {{ node(id: $id) {{
            ... on Payment {{ {PAYMENT} }} ... on Shipment {{ {SHIPMENT} }} ... on Return {{ {RETURN} }} }} }}"
    );
    let node = async |id: &Value| {
        service.ask_with(&query.replace("...", "__typename ..."), json!({"id": id})).await.data()["node"]
            .clone()
    };
    let order = first_order();
    for (kind, item) in [
        ("Payment", &order["payments"][1]),
        ("Shipment", &order["shipments"][1]),
        ("Return", &order["returns"][0]),
    ] {
        let mut expected = item.clone();
        expected["__typename"] = json!(kind);
        assert_eq!(node(&item["id"]).await, expected);
        assert_eq!(node(&json!(node_id(kind, &uuid('f', 1)))).await, json!(null), "{kind}");
    }
    let nameless = node(&json!(node_id("Return", &uuid('e', 2)))).await;
    assert_eq!((&nameless["orderId"], &nameless["lines"]), (&json!(null), &json!([])));
}

#[tokio::test]
async fn an_order_is_asked_for_by_exactly_one_of_id_and_number() {
    let service = with_orders().await;
    let payment = node_id("Payment", &uuid('b', 1));
    for arguments in [
        String::new(),
        "(id: null, number: null)".into(),
        format!("(id: \"{}\", number: \"536365\")", uuid('0', 1)),
        "(id: \"\")".into(),
        "(id: \"536365\")".into(),
        format!("(id: \"{payment}\")"),
    ] {
        let answer = service.ask(&format!("{{ order{arguments} {{ id }} }}")).await;
        assert_eq!((answer.status, answer.code()), (200, "INVALID_INPUT"), "{arguments}");
        assert_eq!(answer.details(), &json!({"argument": "id"}));
        assert_eq!(answer.body["data"], json!({"order": null}));
    }
}

#[tokio::test]
async fn filters_meet_and_both_ends_of_a_span_belong_to_it() {
    let service = Service::start().await;
    service.orders(60).await;
    let query = "query ($filter: OrderFilter) {
        orders(filter: $filter, first: 100) { totalCount nodes { customerNumber status placedAt } }
    }";
    let orders =
        async |filter| service.ask_with(query, json!({"filter": filter})).await.data()["orders"].clone();
    let every = |page: &Value, key: &str, value: &str| {
        let nodes = page["nodes"].as_array().unwrap();
        assert_eq!(page["totalCount"], nodes.len());
        nodes.iter().all(|node| node[key] == value)
    };
    assert_eq!(orders(json!({})).await["totalCount"], 60);
    let of_one = orders(json!({"customerNumber": "C3"})).await;
    assert_eq!(of_one["totalCount"], 6);
    assert!(every(&of_one, "customerNumber", "C3"));
    let delivered = orders(json!({"status": "DELIVERED"})).await;
    assert_eq!(delivered["totalCount"], 15);
    assert!(every(&delivered, "status", "DELIVERED"));
    let both = orders(json!({"customerNumber": "C4", "status": "DELIVERED"})).await;
    assert_eq!(both["totalCount"], 3);
    assert_eq!(orders(json!({"customerNumber": "none"})).await, json!({"totalCount": 0, "nodes": []}));

    // Three orders a minute: those of the minutes 5 to 7.
    let span = json!({"placedFrom": "2010-12-01T08:05:00Z", "placedTo": "2010-12-01T09:07:00+01:00"});
    let span = orders(span).await;
    assert_eq!(span["totalCount"], 9);
    assert_eq!(span["nodes"][0]["placedAt"], "2010-12-01T08:07:00Z");
    assert_eq!(span["nodes"][8]["placedAt"], "2010-12-01T08:05:00Z");
    let everything = json!({"placedFrom": "2010-12-01T08:05:00Z", "placedTo": "2010-12-01T08:05:00Z",
                     "customerNumber": "C5", "status": "CANCELLED"});
    assert_eq!(orders(everything).await["totalCount"], 1);
}

#[tokio::test]
async fn filters_that_cannot_be_are_refused() {
    let service = Service::start().await;
    let query = "query ($filter: OrderFilter) { orders(filter: $filter) { nodes { id } } }";
    for filter in [
        json!({"placedFrom": "yesterday"}),
        json!({"placedTo": 7}),
        json!({"placedFrom": "2010-12-01T08:00:01Z", "placedTo": "2010-12-01T08:00:00Z"}),
    ] {
        let answer = service.ask_with(query, json!({"filter": filter})).await;
        assert_eq!((answer.status, answer.code()), (200, "INVALID_INPUT"), "{filter}: {:#}", answer.body);
    }
    // What no column can hold is found before anything is carried out, and so is what the schema has no name for.
    let answer = service.ask_with(query, json!({"filter": {"customerNumber": "\0"}})).await;
    assert_eq!((answer.status, answer.code()), (422, "INVALID_INPUT"), "{:#}", answer.body);
    for filter in [json!({"status": "LOST"}), json!({"country": "EIRE"})] {
        let answer = service.ask_with(query, json!({"filter": filter})).await;
        assert_eq!((answer.status, answer.code()), (400, "INVALID_QUERY"), "{filter}");
    }
    let literal = service.ask("{ orders(filter: {status: LOST}) { nodes { id } } }").await;
    assert_eq!((literal.status, literal.code()), (400, "INVALID_QUERY"));
}

#[tokio::test]
async fn a_line_whose_total_cannot_be_counted_says_so() {
    let service = with_orders().await;
    service
        .sql("UPDATE order_lines_v1 SET lines = jsonb_set(lines, '{0,quantity}', '9223372036854775807')")
        .await;
    let answer = service.ask("{ order(number: \"536365\") { lines { sku quantity } } }").await;
    assert_eq!(answer.data()["order"]["lines"][0]["quantity"], i64::MAX);
    let answer = service.ask("{ order(number: \"536365\") { lines { total { amount } } } }").await;
    assert_eq!(answer.code(), "AMOUNT_OVERFLOW");
}

#[tokio::test]
async fn an_answer_holds_a_bounded_number_of_lines_and_payments() {
    let service = with_orders().await;
    // So many lines are counted before they are read.
    service.sql("UPDATE orders_v1 SET line_count = 25000 WHERE number IS NOT NULL").await;
    let lines = service.ask("{ orders { nodes { lines { sku } } } }").await;
    assert_eq!(lines.code(), "QUERY_TOO_COMPLEX");
    assert_eq!(lines.details(), &json!({"limit": 50_000}));
    let fewer = service.ask("{ orders(first: 1) { nodes { lines { sku } } } }").await;
    assert_eq!(fewer.data()["orders"]["nodes"].as_array().unwrap().len(), 1);
    let again =
        "a: orders(first: 1) { nodes { lines { sku } } } b: orders(first: 1) { nodes { lines { sku } } }";
    let twice =
        service.ask(&format!("{{ {again} c: order(number: \"536367\") {{ lines {{ sku }} }} }}")).await;
    assert_eq!(twice.code(), "QUERY_TOO_COMPLEX", "all of an answer counts together");

    service
        .sql(&format!(
            "INSERT INTO payments_v1 SELECT gen_random_uuid(), '{}', 1, 'GBP', 'DECLINED', NULL, NULL, 0, now(), 0, 1
             FROM generate_series(1, 50001)",
            uuid('0', 3)
        ))
        .await;
    let payments = service.ask("{ order(number: \"536367\") { number payments { id } } }").await;
    assert_eq!(payments.code(), "QUERY_TOO_COMPLEX");
    service.ask("{ order(number: \"536365\") { payments { id } } }").await.data();
}

#[tokio::test]
async fn fields_come_in_the_order_in_which_they_are_asked_for() {
    let service = with_orders().await;
    // Fields that need a statement of their own stand before fields of the row at hand.
    let query = r#"{ all: orders(first: 1) { nodes { lines { product { name } sku } ...who gross { currency amount } number }
                      totalCount }
                    product(sku: "85123A") { name sku } }
                    fragment who on Order { customer { name customerNumber } status }"#;
    let response = service.post().body(json!({ "query": query }).to_string()).send().await.unwrap();
    let text = response.text().await.unwrap();
    let data = text.split(",\"extensions\"").next().unwrap();
    assert_eq!(
        data,
        r#"{"data":{"all":{"nodes":[{"lines":[],"customer":null,"status":"PLACED","gross":{"currency":"GBP","amount":"0.05"},"number":"536367"}],"totalCount":3},"product":{"name":"Heart","sku":"85123A"}}"#
    );
}
