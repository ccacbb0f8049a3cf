//! One answer, one moment, one version of each table.

use serde_json::json;

use crate::support::Service;

#[tokio::test]
async fn all_of_an_answer_is_read_at_one_moment() {
    let service = Service::start().await;
    service.products(2).await;
    service
        .sql("INSERT INTO customers_v1 VALUES (gen_random_uuid(), '1', 'UK', '0', NULL, 'ACTIVE', now(), 0, 1);
              UPDATE products_v1 SET on_hand = 0, reserved = 0")
        .await;
    let query = "{ a: product(sku: \"SKU0001\") { onHand } b: products { nodes { onHand } }
                   c: customer(number: \"1\") { name } d: product(sku: \"SKU0002\") { onHand } }";
    let write = async {
        for value in 1..200 {
            service
                .sql(&format!(
                    "BEGIN; UPDATE products_v1 SET on_hand = {value}; UPDATE customers_v1 SET name = '{value}'; COMMIT"
                ))
                .await;
        }
    };
    let read = async {
        let mut moments = std::collections::BTreeSet::new();
        for _ in 0..100 {
            let answer = service.ask(query).await;
            let data = answer.data();
            let value = &data["a"]["onHand"];
            assert_eq!(&data["d"]["onHand"], value);
            assert_eq!(data["b"]["nodes"], json!([{"onHand": value}, {"onHand": value}]));
            assert_eq!(data["c"]["name"], json!(value.to_string()));
            moments.insert(value.as_i64());
        }
        moments.len()
    };
    let ((), moments) = tokio::join!(write, read);
    assert!(moments > 1, "nothing was written between the answers, so nothing was shown");
}

#[tokio::test]
async fn an_order_what_belongs_to_it_and_the_sales_are_of_one_moment() {
    let service = Service::start().await;
    service.orders(3).await;
    service
        .sql("UPDATE orders_v1 SET units = 0; UPDATE payments_v1 SET revision = 0; UPDATE shipments_v1 SET revision = 0;
              UPDATE customers_v1 SET revision = 0; INSERT INTO sales_by_day_v1 VALUES ('2010-12-01', 0, 0, 0, 0, 0, 0, 1)")
        .await;
    let query =
        "{ orders { nodes { units payments { revision } shipments { revision } customer { revision } } }
                   salesSummary(from: \"2010-12-01\", to: \"2010-12-01\") { orders } }";
    let write = async {
        for value in 1..100 {
            service
                .sql(&format!(
                    "BEGIN; UPDATE orders_v1 SET units = {value}; UPDATE payments_v1 SET revision = {value};
                     UPDATE shipments_v1 SET revision = {value}; UPDATE customers_v1 SET revision = {value};
                     UPDATE sales_by_day_v1 SET orders = {value}; COMMIT"
                ))
                .await;
        }
    };
    let read = async {
        let mut moments = std::collections::BTreeSet::new();
        for _ in 0..50 {
            let answer = service.ask(query).await;
            let value = &answer.data()["salesSummary"]["orders"];
            let order = json!({"units": value, "payments": [{"revision": value}], "shipments": [{"revision": value}],
                               "customer": {"revision": value}});
            assert_eq!(answer.data()["orders"]["nodes"], json!([order, order, order]));
            moments.insert(value.as_i64());
        }
        moments.len()
    };
    let ((), moments) = tokio::join!(write, read);
    assert!(moments > 1, "nothing was written between the answers, so nothing was shown");
}

#[tokio::test]
async fn the_version_before_is_read_while_the_active_one_is_not_known_here() {
    let service = Service::start().await;
    service.products(1).await;
    service
        .sql(
            "INSERT INTO projection_version (name, version, fold, state, log_identity, position, fence,
                 head_position, heartbeat_at)
             SELECT name, 2, 9, state, log_identity, 300, fence, head_position, heartbeat_at
             FROM projection_version WHERE name = 'catalogue';
             UPDATE projection SET active_version = 2 WHERE name = 'catalogue'",
        )
        .await;
    let answer = service.ask("{ products { nodes { sku } } }").await;
    assert_eq!(answer.data()["products"]["nodes"], json!([{"sku": "SKU0001"}]));
    assert_eq!(answer.position(), crate::support::token(100), "of the version that was read");

    service.sql("DELETE FROM projection_version WHERE name = 'catalogue' AND version = 1").await;
    assert_eq!(service.ask("{ products { nodes { sku } } }").await.code(), "UNAVAILABLE");
    assert!(service.ask("{ customers { nodes { id } } }").await.data()["customers"].is_object());
}

#[tokio::test]
async fn a_version_that_is_not_for_readers_yet_is_not_read_and_its_build_is_shown() {
    let service = Service::start().await;
    service.products(1).await;
    // Nothing stands in its tables; it is newer and known, and so would be the next best to an active one that is not.
    service
        .sql(
            "INSERT INTO projection_version (name, version, fold, stage, state, log_identity, position, fence,
                 head_position, heartbeat_at)
             SELECT name, 2, fold, 'BUILDING', state, log_identity, 0, fence, head_position, heartbeat_at
             FROM projection_version WHERE name = 'catalogue';
             INSERT INTO projection_build (name, version, phase, started_at, events, row_count, position, target)
             VALUES ('catalogue', 2, 'FOLDING', '2026-01-02T03:04:05Z', 70, 12, 40, 100);
             CREATE TABLE products_v2 (LIKE products_v1 INCLUDING ALL)",
        )
        .await;
    let skus = json!([{"sku": "SKU0001"}]);
    let ask =
        async || service.ask("{ products { nodes { sku } } }").await.data()["products"]["nodes"].clone();
    assert_eq!(ask().await, skus);
    let answer = service
        .ask("{ projections { name version fold stage active build { phase startedAt finishedAt events rows position targetPosition } } }")
        .await;
    let of = |version: i32| {
        let all = answer.data()["projections"].as_array().unwrap();
        all.iter().find(|p| p["name"] == "catalogue" && p["version"] == version).unwrap().clone()
    };
    assert_eq!(
        (&of(1)["stage"], &of(1)["active"], &of(1)["build"]),
        (&json!("READY"), &json!(true), &json!(null))
    );
    let token = crate::support::token;
    assert_eq!((&of(2)["stage"], &of(2)["fold"]), (&json!("BUILDING"), &json!(1)));
    assert_eq!(
        of(2)["build"],
        json!({"phase": "FOLDING", "startedAt": "2026-01-02T03:04:05Z", "finishedAt": null, "events": 70,
               "rows": 12, "position": token(40), "targetPosition": token(100)})
    );

    service.sql("UPDATE projection_version SET fold = 9 WHERE name = 'catalogue' AND version = 1").await;
    assert_eq!(service.ask("{ products { nodes { sku } } }").await.code(), "UNAVAILABLE");
    service.sql("UPDATE projection_version SET stage = 'READY' WHERE version = 2").await;
    assert_eq!(ask().await, json!([]));
}

#[tokio::test]
async fn before_the_first_fold_the_answer_is_that_it_is_not_there_yet() {
    for service in [Service::start_with(|_| {}).await, Service::start_without_tables().await] {
        let answer = service.ask("{ product(sku: \"A\") { sku } }").await;
        assert_eq!((answer.status, answer.code()), (200, "UNAVAILABLE"));
        assert_eq!(answer.body["data"], json!({"product": null}));
        let answer =
            service.ask("{ __typename product(sku: \"A\") { sku } customer(number: \"1\") { id } }").await;
        assert_eq!(answer.body["data"], json!({"__typename": "Query", "product": null, "customer": null}));
    }
}
