//! Questions as of a position or a moment: answered from what rows were, or refused with the reason.

use serde_json::{Value, json};

use crate::support::{Service, token};

/// A moment of the log, so many seconds after its first event.
fn moment(seconds: u32) -> String {
    format!("2026-01-01T00:{:02}:{:02}Z", seconds / 60, seconds % 60)
}

/// A shop with three orders of a customer. Order 1 was placed at 10, reserved at 30 and paid at 50; order 2 was placed at
/// 20, and at 40 it went; order 3 came at 60 and was tried again at 90. Positions are seconds of the log too.
async fn with_history() -> Service {
    let service = Service::start().await;
    service
        .sql(
            "ALTER TABLE orders_v1 ADD COLUMN since_position bigint;
             CREATE TABLE orders_h1 (LIKE orders_v1);
             ALTER TABLE orders_h1 DROP COLUMN since_position, ADD COLUMN until_position bigint NOT NULL;
             CREATE TABLE sales_by_day_h1 (LIKE sales_by_day_v1);
             ALTER TABLE order_lines_v1 ADD COLUMN since_position bigint;
             CREATE TABLE order_lines_h1 (LIKE order_lines_v1);
             ALTER TABLE order_lines_h1 DROP COLUMN since_position, ADD COLUMN until_position bigint NOT NULL",
        )
        .await;
    let order = |table: &str, number: u32, status: &str, positions: &str| {
        format!(
            "INSERT INTO {table} VALUES (md5('o{number}')::uuid, 'N{number}', NULL, 'C1', 'Germany', 'GBP', '{status}',
                 NULL, timestamptz '2010-12-01 08:00Z' + {number} * interval '1 minute', '2010-12-01', 100, 1, 1, 0,
                 {positions});"
        )
    };
    let rows = [
        order("orders_v1", 1, "PAID", "50, NULL"),
        order("orders_h1", 1, "PLACED", "10, 30"),
        order("orders_h1", 1, "RESERVED", "30, 50"),
        order("orders_h1", 2, "PLACED", "20, 40"),
        order("orders_v1", 3, "PLACED", "90, 60"),
    ];
    service.sql(&rows.concat()).await;
    service
        .sql(
            "INSERT INTO sales_by_day_v1 VALUES ('2010-12-01', 2, 2, 2, 200, 0, 0, 60);
             INSERT INTO sales_by_day_h1 VALUES ('2010-12-01', 1, 1, 1, 100, 0, 0, 10),
                 ('2010-12-01', 1, 1, 1, 100, 0, 0, 20), ('2010-12-01', -1, -1, -1, -100, 0, 0, 40),
                 ('2010-12-01', 1, 1, 1, 100, 0, 0, 60)",
        )
        .await;
    let recorded = |positions: &[u32]| {
        let moments = positions.iter().map(|at| format!("'{}'", moment(*at))).collect::<Vec<_>>().join(", ");
        let (last, list) = (positions[positions.len() - 1], format!("{positions:?}"));
        format!(
            "INSERT INTO projection_moments VALUES ('shop', 1, '{}', {last}, ARRAY{list}, ARRAY[{moments}]::timestamptz[]);",
            moment(last)
        )
    };
    service.sql(&[recorded(&[10, 20]), recorded(&[30]), recorded(&[40, 50, 60])].concat()).await;
    service.worker("shop", "history_from = 0, history_to = position").await;
    service
}

const ORDERS: &str = "query($asOf: AsOf) { orders(asOf: $asOf) { totalCount nodes { number status } }
    salesSummary(from: \"2010-12-01\", to: \"2010-12-31\", asOf: $asOf) { orders gross { amount } } }";

async fn orders_as_of(service: &Service, as_of: Value) -> (Vec<String>, Value) {
    let answer = service.ask_with(ORDERS, json!({ "asOf": as_of })).await;
    let data = answer.data();
    let nodes = data["orders"]["nodes"].as_array().unwrap();
    assert_eq!(data["orders"]["totalCount"], nodes.len());
    let word = |node: &Value| format!("{} {}", node["number"], node["status"]).replace('"', "");
    (nodes.iter().map(word).collect(), data["salesSummary"]["orders"].clone())
}

#[tokio::test]
async fn rows_and_sums_are_as_they_were_at_a_position_and_at_a_moment() {
    let service = with_history().await;
    let then: [(u32, &[&str], u32); 7] = [
        (5, &[], 0),
        (10, &["N1 PLACED"], 1),
        (29, &["N2 PLACED", "N1 PLACED"], 2),
        (30, &["N2 PLACED", "N1 RESERVED"], 2),
        (45, &["N1 RESERVED"], 1),
        (55, &["N1 PAID"], 1),
        // What was tried again stands where it happened.
        (60, &["N3 PLACED", "N1 PAID"], 2),
    ];
    for (at, orders, sales) in then {
        let found = orders_as_of(&service, json!({ "position": token(at.into()) })).await;
        assert_eq!(
            found,
            (orders.iter().map(|it| (*it).to_owned()).collect(), json!(sales)),
            "position {at}"
        );
        assert_eq!(orders_as_of(&service, json!({ "time": moment(at) })).await, found, "moment {at}");
    }
    let now = orders_as_of(&service, Value::Null).await;
    assert_eq!(orders_as_of(&service, json!({ "position": token(100) })).await, now);
    assert_eq!(orders_as_of(&service, json!({ "time": "2026-02-01T00:00:00Z" })).await, now);
    let answer = service.ask_with(ORDERS, json!({ "asOf": { "position": token(30) } })).await;
    assert_eq!(answer.position(), token(30), "as of where it was read");
    let answer = service.ask_with(ORDERS, json!({ "asOf": { "time": moment(35) } })).await;
    assert_eq!(answer.position(), token(39));
    let one = "{ order(number: \"N2\", asOf: { position: \"0000cafe-20\" }) { status lines { sku } } }";
    assert_eq!(service.ask(one).await.data(), &json!({ "order": { "status": "PLACED", "lines": [] } }));
}

#[tokio::test]
async fn a_cursor_goes_on_in_the_past_that_it_is_of() {
    let service = with_history().await;
    let page = "query($asOf: AsOf, $after: String) { orders(asOf: $asOf, first: 1, after: $after) {
        nodes { number } pageInfo { hasNextPage endCursor } } }";
    let then = json!({ "position": token(25) });
    let first = service.ask_with(page, json!({ "asOf": then })).await.data()["orders"].clone();
    assert_eq!(
        (&first["nodes"][0]["number"], &first["pageInfo"]["hasNextPage"]),
        (&json!("N2"), &json!(true))
    );
    let cursor = &first["pageInfo"]["endCursor"];
    let second = service.ask_with(page, json!({ "asOf": then, "after": cursor })).await;
    assert_eq!(second.data()["orders"]["nodes"], json!([{ "number": "N1" }]));
    for other in [Value::Null, json!({ "position": token(26) }), json!({ "time": moment(50) })] {
        let answer = service.ask_with(page, json!({ "asOf": other, "after": cursor })).await;
        assert_eq!(answer.code(), "INVALID_CURSOR", "{other}");
    }
    let now = service.ask_with(page, json!({})).await.data()["orders"]["pageInfo"]["endCursor"].clone();
    let answer = service.ask_with(page, json!({ "asOf": then, "after": now })).await;
    assert_eq!(answer.code(), "INVALID_CURSOR");
}

#[tokio::test]
async fn what_is_not_kept_or_has_not_been_is_refused_with_where_it_begins_or_ends() {
    let service = with_history().await;
    let asked = async |as_of: Value| service.ask_with(ORDERS, json!({ "asOf": as_of })).await;
    let ahead = asked(json!({ "position": token(101) })).await;
    assert_eq!((ahead.status, ahead.code()), (200, "AS_OF_NOT_YET"));
    assert_eq!(ahead.details()["position"], token(100));
    let tomorrow = asked(json!({ "time": "2999-01-01T00:00:00Z" })).await;
    assert_eq!(tomorrow.code(), "AS_OF_NOT_YET");
    let other_log = asked(json!({ "position": "00000001-5" })).await;
    assert_eq!(other_log.code(), "OTHER_LOG");

    service.worker("shop", &format!("history_from = 20, history_since = '{}'", moment(22))).await;
    let old = asked(json!({ "position": token(19) })).await;
    assert_eq!(old.code(), "AS_OF_TOO_OLD");
    let oldest = json!({ "projection": "shop", "oldestPosition": token(20), "oldestTime": moment(22) });
    assert_eq!(old.details(), &oldest);
    assert_eq!(asked(json!({ "time": moment(21) })).await.code(), "AS_OF_TOO_OLD");
    assert_eq!(orders_as_of(&service, json!({ "time": moment(22) })).await.0, ["N2 PLACED", "N1 PLACED"]);

    // Somebody folds on who keeps nothing: what lies between is missing.
    service.worker("shop", "history_to = position - 1").await;
    let answer = asked(json!({ "position": token(50) })).await;
    assert_eq!(answer.code(), "AS_OF_TOO_OLD");
    assert!(answer.body["errors"][0]["message"].as_str().unwrap().contains("projection shop"), "{answer:?}");
}

#[tokio::test]
async fn a_position_that_is_on_its_way_is_waited_for() {
    let service = with_history().await;
    let (answer, ()) =
        tokio::join!(service.ask_with(ORDERS, json!({ "asOf": { "position": token(110) } })), async {
            service.folded("shop", 110).await;
            service.worker("shop", "history_to = position").await;
            service.notify("shop", 110).await;
        });
    assert_eq!(answer.data()["orders"]["totalCount"], 2);
}

#[tokio::test]
async fn an_operation_is_asked_as_of_one_moment_and_fields_without_a_past_by_themselves() {
    let service = with_history().await;
    let then = "asOf: { position: \"0000cafe-20\" }";
    for (beside, field) in [
        ("searchProducts(text: \"mug\") { nodes { sku } }", "searchProducts"),
        ("projections { name }", "projections"),
        ("customers { totalCount }", "customers"),
        ("customers(asOf: { position: \"0000cafe-21\" }) { totalCount }", "customers"),
    ] {
        let answer = service.ask(&format!("{{ orders({then}) {{ totalCount }} {beside} }}")).await;
        assert_eq!((answer.status, answer.code()), (422, "AS_OF_MIXED"), "{beside}");
        assert_eq!(answer.details()["field"], field, "{answer:?}");
    }
    for (query, code) in [
        (
            "{ searchProducts(text: \"mug\", asOf: { position: \"0000cafe-20\" }) { nodes { sku } } }",
            "INVALID_QUERY",
        ),
        (
            "{ orders(asOf: { position: \"0000cafe-20\", time: \"2026-01-01T00:00:00Z\" }) { totalCount } }",
            "INVALID_QUERY",
        ),
        ("{ orders(asOf: {}) { totalCount } }", "INVALID_QUERY"),
        ("{ orders(asOf: { position: \"17\" }) { totalCount } }", "INVALID_INPUT"),
        ("{ orders(asOf: { time: \"yesterday\" }) { totalCount } }", "INVALID_INPUT"),
    ] {
        assert_eq!(service.ask(query).await.code(), code, "{query}");
    }
}

#[tokio::test]
async fn a_row_whose_events_wait_says_since_when_and_the_answer_that_something_is_parked() {
    let service = with_history().await;
    let asked = "query($asOf: AsOf) { orders(asOf: $asOf) { nodes { number parkedSince } } }";
    let parked = async |as_of: Value| {
        let answer = service.ask_with(asked, json!({ "asOf": as_of })).await;
        let nodes = answer.data()["orders"]["nodes"].as_array().unwrap();
        let of = |node: &Value| (node["number"].clone(), node["parkedSince"].clone());
        (nodes.iter().map(of).collect::<Vec<_>>(), answer.body["extensions"]["parked"].clone())
    };
    let (rows, whole) = parked(Value::Null).await;
    assert!(rows.iter().all(|(_, since)| since.is_null()) && whole.is_null(), "{rows:?} {whole}");

    let place = |view: &str, key: &str, at: u32| {
        format!(
            "INSERT INTO projection_parked VALUES ('shop', 1, '{view}', {key}, '{}', {at}, 's', 0, 'OrderPaid', 'no', 0, false);",
            moment(at)
        )
    };
    service
        .sql(
            &[
                place("orders", "'[\"' || md5('o1')::uuid || '\"]'", 70),
                place("order_lines", "'[\"' || md5('o1')::uuid || '\"]'", 65),
                place("", "'order-' || md5('o3')::uuid", 75),
            ]
            .concat(),
        )
        .await;
    service.worker("shop", "parked = 3").await;
    let (rows, whole) = parked(Value::Null).await;
    assert_eq!(rows, [(json!("N3"), json!(moment(75))), (json!("N1"), json!(moment(65)))]);
    assert_eq!(whole, json!({ "shop": 3 }));
    // As of a position before the events nothing waited.
    let (rows, _) = parked(json!({ "position": token(70) })).await;
    assert_eq!(rows, [(json!("N3"), Value::Null), (json!("N1"), json!(moment(65)))]);
    let answer = service.ask("{ products { totalCount } }").await;
    assert!(answer.body["extensions"]["parked"].is_null(), "{answer:?}");
}
