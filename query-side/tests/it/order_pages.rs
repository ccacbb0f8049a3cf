//! Pages of orders: newest first, to the end, with orders that come and go between two pages.

use serde_json::{Value, json};

use crate::support::Service;

const PAGE: &str = "query ($filter: OrderFilter, $first: Int, $after: String) {
    orders(filter: $filter, first: $first, after: $after) {
        edges { cursor node { id number placedAt status } }
        pageInfo { hasNextPage hasPreviousPage endCursor }
    }
}";

async fn page(service: &Service, filter: &Value, first: u32, after: &Value) -> Value {
    let variables = json!({"filter": filter, "first": first, "after": after});
    service.ask_with(PAGE, variables).await.data()["orders"].clone()
}

async fn walk(service: &Service, filter: &Value, first: u32) -> Vec<Value> {
    let (mut found, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = page(service, filter, first, &after).await;
        let edges = page["edges"].as_array().unwrap();
        assert_eq!(page["pageInfo"]["hasPreviousPage"], json!(!after.is_null()));
        found.extend(edges.iter().map(|edge| edge["node"].clone()));
        if page["pageInfo"]["hasNextPage"] == false {
            return found;
        }
        assert_eq!(edges.len(), first as usize, "a page with a next one is full");
        after = page["pageInfo"]["endCursor"].clone();
    }
}

#[tokio::test]
async fn every_page_is_newest_first_and_all_together_hold_each_order_once() {
    let service = Service::start().await;
    service.orders(50).await;
    for (filter, count) in [
        (json!({}), 50),
        (json!({"status": "PAID"}), 0),
        (json!({"status": "CANCELLED"}), 25),
        (json!({"customerNumber": "C7"}), 5),
        (json!({"placedFrom": "2010-12-01T08:03:00Z", "placedTo": "2010-12-01T08:10:00Z"}), 24),
    ] {
        let all = walk(&service, &filter, 7).await;
        assert_eq!(all.len(), count, "{filter}");
        let mut ids: Vec<_> = all.iter().map(|order| order["id"].as_str().unwrap()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "{filter}: each once");
        let moments: Vec<_> = all.iter().map(|order| order["placedAt"].as_str().unwrap()).collect();
        assert!(moments.iter().rev().is_sorted(), "{filter}: {moments:?}");
        assert_eq!(walk(&service, &filter, 100).await, all, "{filter}: in pages of any size");
    }
}

#[tokio::test]
async fn the_next_page_begins_behind_the_last_order_whatever_came_or_went() {
    let service = Service::start().await;
    service.orders(12).await;
    let filter = json!({});
    let before = walk(&service, &filter, 100).await;
    let first = page(&service, &filter, 5, &Value::Null).await;
    let last = first["edges"][4]["node"]["number"].as_str().unwrap();
    service
        .sql(&format!(
            "DELETE FROM orders_v1 WHERE number = '{last}';
             INSERT INTO orders_v1 SELECT gen_random_uuid(), 'new', NULL, NULL, 'EIRE', 'GBP', 'PLACED', NULL,
                 '2010-12-24T08:00:00Z', '2010-12-24', 1, 1, 0, 0, 1"
        ))
        .await;
    let next = page(&service, &filter, 100, &first["pageInfo"]["endCursor"]).await;
    let next: Vec<_> = next["edges"].as_array().unwrap().iter().map(|edge| edge["node"].clone()).collect();
    assert_eq!(next, before[5..]);
    assert_eq!(walk(&service, &filter, 100).await[0]["number"], "new");
}

#[tokio::test]
async fn sizes_and_cursors_are_checked_as_on_every_page() {
    let service = Service::start().await;
    service.orders(21).await;
    service.products(2).await;
    for first in ["0", "101", "-1"] {
        let answer = service.ask(&format!("{{ orders(first: {first}) {{ nodes {{ id }} }} }}")).await;
        assert_eq!(answer.code(), "PAGE_SIZE_OUT_OF_RANGE", "{first}");
    }
    let twenty = service.ask("{ orders { nodes { id } } }").await;
    assert_eq!(twenty.data()["orders"]["nodes"].as_array().unwrap().len(), 20);
    let other = service.ask("{ products(first: 1) { edges { cursor } } }").await;
    let other = &other.data()["products"]["edges"][0]["cursor"];
    for after in [other.clone(), json!("x"), json!("")] {
        let query = "query ($after: String) { orders(after: $after) { nodes { id } } }";
        assert_eq!(
            service.ask_with(query, json!({"after": after})).await.code(),
            "INVALID_CURSOR",
            "{after}"
        );
    }
}
