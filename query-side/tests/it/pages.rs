//! Pages: every order, both ways, with rows that come and go between two pages.

use serde_json::{Value, json};

use crate::support::Service;

const PAGE: &str = "query ($sort: ProductSort, $first: Int, $after: String) {
    products(sort: $sort, first: $first, after: $after) {
        edges { cursor node { sku name price { amount } listedAt } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
}";

async fn page(service: &Service, sort: &Value, first: u32, after: &Value) -> Value {
    service.ask_with(PAGE, json!({"sort": sort, "first": first, "after": after})).await.data()["products"]
        .clone()
}

/// Every product, page by page.
async fn walk(service: &Service, sort: &Value, first: u32) -> Vec<Value> {
    let (mut found, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = page(service, sort, first, &after).await;
        let edges = page["edges"].as_array().unwrap();
        assert!(edges.len() <= first as usize);
        assert_eq!(page["pageInfo"]["hasPreviousPage"], json!(!after.is_null()));
        assert_eq!(
            page["pageInfo"]["endCursor"],
            edges.last().map_or(Value::Null, |edge| edge["cursor"].clone())
        );
        found.extend(edges.iter().map(|edge| edge["node"].clone()));
        if page["pageInfo"]["hasNextPage"] == false {
            return found;
        }
        assert_eq!(edges.len(), first as usize, "a page with a next one is full");
        after = page["pageInfo"]["endCursor"].clone();
    }
}

fn key(by: &str, node: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match by {
        "SKU" => text(&node["sku"]),
        "NAME" => text(&node["name"]),
        "PRICE" => format!("{:>10}", text(&node["price"]["amount"])),
        _ => text(&node["listedAt"]),
    }
}

#[tokio::test]
async fn every_order_gives_each_product_once_and_its_reverse_the_reverse() {
    let service = Service::start().await;
    service.products(45).await;
    for by in ["SKU", "NAME", "PRICE", "LISTED_AT"] {
        let up = walk(&service, &json!({"by": by}), 7).await;
        let keys: Vec<_> = up.iter().map(|node| key(by, node)).collect();
        assert!(keys.is_sorted(), "{by}: {keys:?}");
        let mut skus: Vec<_> = up.iter().map(|node| node["sku"].as_str().unwrap()).collect();
        skus.sort_unstable();
        skus.dedup();
        assert_eq!(skus.len(), 45, "{by}: each once");

        let mut down = walk(&service, &json!({"by": by, "direction": "DESC"}), 100).await;
        down.reverse();
        assert_eq!(up, down, "{by}");
    }
}

#[tokio::test]
async fn the_next_page_begins_behind_the_last_item_whatever_came_or_went() {
    let service = Service::start().await;
    service.products(10).await;
    let first = page(&service, &json!({"by": "SKU"}), 4, &Value::Null).await;
    service.sql("DELETE FROM products_v1 WHERE sku = 'SKU0004'").await;
    service.sql("UPDATE products_v1 SET sku = 'SKU0004a' WHERE sku = 'SKU0001'").await;
    let next = page(&service, &json!({"by": "SKU"}), 2, &first["pageInfo"]["endCursor"]).await;
    let skus: Vec<_> = next["edges"].as_array().unwrap().iter().map(|edge| &edge["node"]["sku"]).collect();
    assert_eq!(skus, ["SKU0004a", "SKU0005"]);
}

#[tokio::test]
async fn a_page_has_twenty_items_when_nothing_is_said() {
    let service = Service::start().await;
    service.products(21).await;
    let answer = service.ask("{ products { nodes { sku } pageInfo { hasNextPage } } }").await;
    assert_eq!(answer.data()["products"]["nodes"].as_array().unwrap().len(), 20);
    assert_eq!(answer.data()["products"]["pageInfo"]["hasNextPage"], true);
}
