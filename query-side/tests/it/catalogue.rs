//! Products: one, by id, filtered.

use serde_json::json;

use crate::support::Service;

const ALL_FIELDS: &str = "id sku name description price { amount currency } status onHand reserved available \
                          listedAt revision stockRevision";

async fn with_teapot() -> Service {
    let service = Service::start().await;
    service
        .sql(
            "INSERT INTO products_v1 VALUES ('00000000-0000-0000-0000-000000000007', '22423', 'Cakestand', NULL,
             1275, 'GBP', 'LISTED', 5, 7, '2010-12-01T08:26:00Z', 3, 9007199254740993, 99)",
        )
        .await;
    service
}

#[tokio::test]
async fn a_product_answers_every_field_and_is_found_again_by_its_id() {
    let service = with_teapot().await;
    let answer = service.ask(&format!("{{ product(sku: \"22423\") {{ {ALL_FIELDS} }} }}")).await;
    let product = &answer.data()["product"];
    let id = product["id"].as_str().unwrap();
    let expected = json!({
        "id": id, "sku": "22423", "name": "Cakestand", "description": null,
        "price": {"amount": "12.75", "currency": "GBP"}, "status": "LISTED", "onHand": 5, "reserved": 7,
        "available": -2, "listedAt": "2010-12-01T08:26:00Z", "revision": 3, "stockRevision": 9_007_199_254_740_993_i64,
    });
    assert_eq!(product, &expected);

    let node = format!("query ($id: ID!) {{ node(id: $id) {{ id ... on Product {{ {ALL_FIELDS} }} }} }}");
    let answer = service.ask_with(&node, json!({"id": id})).await;
    assert_eq!(answer.data()["node"], expected);
}

#[tokio::test]
async fn what_is_not_there_is_null_and_no_error() {
    let service = with_teapot().await;
    let answer = service.ask("{ product(sku: \"no such\") { id } }").await;
    assert_eq!(answer.data(), &json!({"product": null}));
    let id = "UHJvZHVjdDowMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDg"; // Product:00000000-…-000000000008
    let answer = service.ask(&format!("{{ node(id: \"{id}\") {{ id }} }}")).await;
    assert_eq!(answer.data(), &json!({"node": null}));
}

#[tokio::test]
async fn filters_meet_and_the_total_counts_what_they_leave() {
    let service = Service::start().await;
    service.products(30).await;
    let query = "query ($filter: ProductFilter) {
        products(filter: $filter, first: 2) { totalCount nodes { sku status available } }
    }";
    let total =
        async |filter| service.ask_with(query, json!({"filter": filter})).await.data()["products"].clone();
    assert_eq!(total(json!({})).await["totalCount"], 30);
    assert_eq!(total(json!({"status": "DELISTED"})).await["totalCount"], 6);
    let in_stock = total(json!({"inStock": true})).await;
    // i % 3 > i % 2 holds for 3 of every 6.
    assert_eq!(in_stock["totalCount"], 15, "{in_stock}");
    let both = total(json!({"inStock": true, "status": "DELISTED"})).await;
    assert_eq!(
        both,
        json!({"totalCount": 3, "nodes": [
            {"sku": "SKU0005", "status": "DELISTED", "available": 1},
            {"sku": "SKU0010", "status": "DELISTED", "available": 1},
        ]})
    );
    let named = total(json!({"skus": ["SKU0003", "SKU0001", "none"]})).await;
    assert_eq!(named["nodes"][0]["sku"], "SKU0001");
    assert_eq!(named["totalCount"], 2);
    assert_eq!(total(json!({"skus": []})).await["totalCount"], 0);
}

#[tokio::test]
async fn a_get_answers_like_a_post() {
    let service = with_teapot().await;
    let request = service.get("/graphql").query(&[
        (
            "query",
            "query other { projections { name } } query one($sku: String!) { product(sku: $sku) { name } }",
        ),
        ("operationName", "one"),
        ("variables", "{\"sku\":\"22423\"}"),
    ]);
    let answer = service.answer(request).await;
    assert_eq!(answer.data(), &json!({"product": {"name": "Cakestand"}}));
    assert_eq!(answer.headers["content-type"], "application/json");
}
