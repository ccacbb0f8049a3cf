//! Customers.

use serde_json::json;

use crate::support::Service;

#[tokio::test]
async fn a_customer_answers_with_nulls_for_what_is_erased_and_is_found_by_number_and_id() {
    let service = Service::start().await;
    service
        .sql(
            "INSERT INTO customers_v1 VALUES
             (gen_random_uuid(), '17850', 'United Kingdom', NULL, NULL, 'ACTIVE', '2010-12-01T08:26:00Z', 0, 5),
             (gen_random_uuid(), '12583', 'France', 'Ada', 'ada@example.org', 'DEACTIVATED', '2010-12-01T08:45:00Z', 2, 9),
             (gen_random_uuid(), NULL, 'Spain', NULL, NULL, 'ACTIVE', '2010-12-01T08:50:00Z', 2, 9)",
        )
        .await;
    let fields = "id customerNumber country name email status registeredAt revision";
    let answer = service.ask(&format!("{{ customer(number: \"12583\") {{ {fields} }} }}")).await;
    let ada = answer.data()["customer"].clone();
    let id = ada["id"].as_str().unwrap();
    assert_eq!(
        ada,
        json!({"id": id, "customerNumber": "12583", "country": "France", "name": "Ada", "email": "ada@example.org",
               "status": "DEACTIVATED", "registeredAt": "2010-12-01T08:45:00Z", "revision": 2})
    );
    let by_id = format!("{{ node(id: \"{id}\") {{ __typename ... on Customer {{ name }} }} }}");
    assert_eq!(service.ask(&by_id).await.data()["node"], json!({"__typename": "Customer", "name": "Ada"}));

    let page = service.ask("{ customers(first: 2) { totalCount nodes { customerNumber name } pageInfo { hasNextPage endCursor } } }").await;
    let page = &page.data()["customers"];
    assert_eq!(page["totalCount"], 3);
    assert_eq!(
        page["nodes"],
        json!([{"customerNumber": "17850", "name": null}, {"customerNumber": "12583", "name": "Ada"}])
    );
    assert_eq!(page["pageInfo"]["hasNextPage"], true);
    let rest = service
        .ask_with(
            "query ($after: String) { customers(after: $after) { nodes { country } pageInfo { hasNextPage hasPreviousPage } } }",
            json!({"after": page["pageInfo"]["endCursor"]}),
        )
        .await;
    assert_eq!(
        rest.data()["customers"],
        json!({"nodes": [{"country": "Spain"}], "pageInfo": {"hasNextPage": false, "hasPreviousPage": true}})
    );
}
