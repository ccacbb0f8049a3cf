//! Whatever is sent, the answer is a clear code, and the service goes on.

use std::time::Duration;

use serde_json::json;

use crate::support::{Service, token};

async fn code_of(service: &Service, query: &str) -> (u16, String) {
    let answer = service.ask(query).await;
    (answer.status, answer.code().to_owned())
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn page_sizes_from_1_to_100_and_no_others() {
    let service = Service::start().await;
    for first in ["0", "101", "-1", "2147483647"] {
        for field in ["products", "customers"] {
            let query = format!("{{ {field}(first: {first}) {{ nodes {{ id }} }} }}");
            assert_eq!(code_of(&service, &query).await, refused(200, "PAGE_SIZE_OUT_OF_RANGE"), "{query}");
        }
    }
    for first in [1, 100] {
        let query = format!("{{ products(first: {first}) {{ nodes {{ id }} }} }}");
        service.ask(&query).await.data();
    }
}

#[tokio::test]
async fn cursors_of_other_orders_and_junk_are_refused() {
    let service = Service::start().await;
    service.products(3).await;
    let by_price = service.ask("{ products(sort: {by: PRICE}, first: 1) { edges { cursor } } }").await;
    let by_price = by_price.data()["products"]["edges"][0]["cursor"].as_str().unwrap().to_owned();
    let encode = |text: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
    };
    let id = "00000000-0000-0000-0000-000000000007";
    let wrong_type = encode(&format!("[\"sku:Asc\",5,\"{id}\"]"));
    for cursor in [by_price.as_str(), &wrong_type, "", "x", "!!!", "bnVsbA"] {
        let answer = service
            .ask_with(
                "query ($after: String) { products(after: $after) { nodes { id } } }",
                json!({"after": cursor}),
            )
            .await;
        assert_eq!(answer.code(), "INVALID_CURSOR", "{cursor:?}");
    }
    let never = encode(&format!("[\"listed:Asc\",{},\"{id}\"]", i64::MAX));
    let query = format!("{{ products(sort: {{by: LISTED_AT}}, after: \"{never}\") {{ nodes {{ id }} }} }}");
    assert_eq!(code_of(&service, &query).await, refused(200, "INVALID_CURSOR"));
    let with_nul = encode(&format!("[\"sku:Asc\",\"\\u0000\",\"{id}\"]"));
    let query = format!("{{ products(after: \"{with_nul}\") {{ nodes {{ id }} }} }}");
    assert_eq!(code_of(&service, &query).await, refused(200, "INVALID_INPUT"));
}

#[tokio::test]
async fn moments_and_days_that_no_calendar_of_the_database_holds_are_refused() {
    let service = Service::start().await;
    let moments = "{ orders(filter: {placedFrom: \"-009999-01-03T00:00:00Z\"}) { nodes { id } } }";
    assert_eq!(code_of(&service, moments).await, refused(200, "INVALID_INPUT"));
    let days = "{ salesByDay(from: \"-009999-01-01\", to: \"-009999-01-02\") { orders } }";
    assert_eq!(code_of(&service, days).await, refused(200, "INVALID_INPUT"));
}

#[tokio::test]
async fn ids_texts_and_lists_that_cannot_be_are_refused() {
    let service = Service::start().await;
    // The last is Parcel:00000000-…-000000000007, a kind that is not there.
    for id in ["", "x", "!!!", "UHJvZHVjdDo0", "UGFyY2VsOjAwMDAwMDAwLTAwMDAtMDAwMC0wMDAwLTAwMDAwMDAwMDAwNw"] {
        let query = format!("{{ node(id: \"{id}\") {{ id }} }}");
        assert_eq!(code_of(&service, &query).await, refused(200, "INVALID_INPUT"), "{id:?}");
    }
    let skus = vec!["A"; 101];
    let answer = service
        .ask_with(
            "query ($skus: [String!]) { products(filter: {skus: $skus}) { nodes { id } } }",
            json!({"skus": skus}),
        )
        .await;
    assert_eq!(answer.code(), "INVALID_INPUT", "{:#}", answer.body);
}

#[tokio::test]
async fn a_text_that_no_column_holds_is_refused_by_its_name_before_anything_is_read() {
    let service = Service::start().await;
    let fragment = r#"query { ...all } fragment all on Query { order(number: "1\u0000") { id } }"#;
    let listed = r#"{ __typename products(filter: {skus: ["A", "\u0000"]}) { nodes { id } } }"#;
    for (query, field) in [
        (r#"{ product(sku: "\u0000") { id } customers { totalCount } }"#, "sku"),
        (fragment, "number"),
        (listed, "filter"),
    ] {
        let answer = service.ask(query).await;
        assert_eq!((answer.status, answer.code()), (422, "INVALID_INPUT"), "{query}: {}", answer.body);
        let error = &answer.body["errors"][0];
        assert_eq!(error["extensions"]["details"]["field"], field, "{query}: {}", answer.body);
    }
    let by_variable = "query ($sku: String!) { product(sku: $sku) { id } }";
    let answer = service.ask_with(by_variable, json!({ "sku": "a\0b" })).await;
    assert_eq!((answer.status, answer.code()), (422, "INVALID_INPUT"), "{}", answer.body);
}

#[tokio::test]
async fn broken_documents_say_where_they_are_broken() {
    let service = Service::start().await;
    for query in [
        "",
        "{",
        "{ product }",
        "{ products(first: \"x\") { nodes { id } } }",
        "{ products { nodes { nothing } } }",
        "mutation { product(sku: \"A\") { id } }",
        "subscription { product(sku: \"A\") { id } }",
        "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }",
        "query a { projections { name } } query b { projections { name } }",
    ] {
        let answer = service.ask(query).await;
        assert_eq!((answer.status, answer.code()), (400, "INVALID_QUERY"), "{query}: {:#}", answer.body);
        assert_eq!(answer.body["data"], json!(null));
    }
    let unset = "query ($sku: String!) { product(sku: $sku) { id } }";
    assert_eq!(code_of(&service, unset).await, refused(200, "INVALID_INPUT"), "a variable without its value");
    let answer = service.ask("{ product(sku: \"A\") {\n  nothing } }").await;
    assert_eq!(answer.body["errors"][0]["locations"], json!([{"line": 2, "column": 3}]));
    let request = service
        .post()
        .body(json!({"query": "{ projections { name } }", "operationName": "none"}).to_string());
    assert_eq!(service.answer(request).await.code(), "INVALID_QUERY");
}

#[tokio::test]
async fn documents_beyond_a_limit_are_refused_before_anything_is_read() {
    // Without tables: what is read would answer UNAVAILABLE.
    let service = Service::start_without_tables().await;
    let nested = |depth: usize| format!("{}sku{}", "{ product ".repeat(depth), "}".repeat(depth));
    assert_eq!(code_of(&service, &nested(13)).await, refused(422, "QUERY_TOO_DEEP"));
    assert_eq!(
        code_of(&service, &nested(11)).await,
        refused(400, "INVALID_QUERY"),
        "no product has products"
    );
    assert_eq!(code_of(&service, &nested(40_000)).await, refused(422, "QUERY_TOO_DEEP"));
    let list = format!("{{ product(sku: {}1{}) {{ id }} }}", "[".repeat(200_000), "]".repeat(200_000));
    assert_eq!(code_of(&service, &list).await, refused(422, "QUERY_TOO_DEEP"));
    let through_fragments = "{ ...a } fragment a on Query { product { product { product { product { product { ...b } } } } } }
        fragment b on Query { product { product { product { product { product { product { product { sku } } } } } } } }";
    assert_eq!(code_of(&service, through_fragments).await, refused(422, "QUERY_TOO_DEEP"));

    let many = format!("{{ {} }}", "product(sku: \"A\") { sku } ".repeat(1_001));
    assert_eq!(code_of(&service, &many).await, refused(422, "QUERY_TOO_COMPLEX"));
    let mut multiplied = "{ ...f0 }".to_owned();
    for i in 0..60 {
        multiplied += &format!(" fragment f{i} on Query {{ ...f{} ...f{} }}", i + 1, i + 1);
    }
    multiplied += " fragment f60 on Query { projections { name } }";
    assert_eq!(code_of(&service, &multiplied).await, refused(422, "QUERY_TOO_COMPLEX"));
    let pages: String =
        (0..30).map(|i| format!("p{i}: products(first: 100) {{ nodes {{ id sku name }} }} ")).collect();
    assert_eq!(code_of(&service, &format!("{{ {pages} }}")).await, refused(422, "QUERY_TOO_COMPLEX"));
}

/// Fragments that each spread the next one `times` times; the last one is `last`.
fn chain(length: usize, times: usize, last: &str) -> String {
    let spreads = |i: usize| format!("...f{} ", i + 1).repeat(times);
    let links: String = (0..length).map(|i| format!("fragment f{i} on Query {{ {}}} ", spreads(i))).collect();
    format!("{links} fragment f{length} on Query {{ {last} }}")
}

#[tokio::test]
async fn fragments_that_lead_nowhere_cost_nothing() {
    let service = Service::start_without_tables().await;
    let ask = async |operations: &str, fragments: &str| {
        let answer = service.ask_with(&format!("{operations} {fragments}"), json!({})).await;
        (answer.status, answer.code().to_owned())
    };
    let (typename, missing) = ("__typename", "...missing");
    // Each would call itself for every link of a chain of ten thousand, or two to the power of thirty times.
    let long = chain(10_000, 1, typename);
    assert_eq!(ask("{ ...f0 }", &long).await, refused(422, "QUERY_TOO_COMPLEX"));
    assert_eq!(ask("{ __typename }", &long).await, refused(422, "QUERY_TOO_COMPLEX"));
    let deep = chain(40, 1, typename);
    assert_eq!(ask("{ ...f0 }", &deep).await, refused(422, "QUERY_TOO_DEEP"));
    assert_eq!(ask("{ __typename }", &deep).await, refused(422, "QUERY_TOO_DEEP"));
    let levels = format!("{{ {} __typename {} }}", "... { ".repeat(40), "} ".repeat(40));
    assert_eq!(ask(&levels, "").await, refused(422, "QUERY_TOO_DEEP"));
    for last in [missing, "...f0", typename] {
        let many = chain(30, 2, last);
        assert_eq!(ask("{ ...f0 }", &many).await, refused(422, "QUERY_TOO_COMPLEX"), "{last}");
        assert_eq!(
            ask("query a { __typename } query b { ...f0 }", &many).await,
            refused(422, "QUERY_TOO_COMPLEX"),
            "{last}, of an operation that is not carried out"
        );
    }
    let wide = format!("{{ {} }}", "...f ".repeat(4_001));
    assert_eq!(ask(&wide, "fragment f on Query { __typename }").await, refused(422, "QUERY_TOO_COMPLEX"));

    let small = chain(20, 1, typename);
    assert_eq!(
        service.ask(&format!("{{ ...f0 }} {small}")).await.body["data"],
        json!({"__typename": "Query"})
    );
}

#[tokio::test]
async fn bodies_that_are_no_request_are_refused() {
    let service = Service::start().await;
    let send = async |body: String| {
        let answer = service.answer(service.post().body(body)).await;
        (answer.status, answer.code().to_owned())
    };
    assert_eq!(send("{\"query\":".into()).await, refused(400, "MALFORMED_JSON"));
    assert_eq!(send("[]".into()).await, refused(400, "BAD_REQUEST"));
    assert_eq!(send("[\"{ __typename }\",null,null]".into()).await, refused(400, "BAD_REQUEST"));
    assert_eq!(send("{}".into()).await, refused(400, "BAD_REQUEST"));
    assert_eq!(send("{\"query\":7}".into()).await, refused(400, "BAD_REQUEST"));
    assert_eq!(
        send("{\"query\":\"{ __typename }\",\"variables\":[1]}".into()).await,
        refused(400, "BAD_REQUEST")
    );
    let large = json!({"query": "{ __typename }", "padding": "x".repeat(1024 * 1024)}).to_string();
    assert_eq!(send(large).await, refused(413, "BODY_TOO_LARGE"));

    let form = service.get("/graphql").query(&[("query", "{ __typename }"), ("variables", "[1]")]);
    let answer = service.answer(form).await;
    assert_eq!((answer.status, answer.code()), (400, "BAD_REQUEST"));
    let empty = service.answer(service.get("/graphql")).await;
    assert_eq!((empty.status, empty.code()), (400, "BAD_REQUEST"));
}

#[tokio::test]
async fn only_json_is_read() {
    let service = Service::start().await;
    let url = format!("{}/graphql", service.address);
    let send = async |media_type: &str| {
        let request = reqwest::Client::new().post(&url).header("content-type", media_type);
        let answer = service.answer(request.body("{\"query\":\"{ __typename }\"}")).await;
        (answer.status, answer.body)
    };
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        let (status, body) = send(media_type).await;
        assert_eq!(
            (status, &body["errors"][0]["extensions"]["code"]),
            (415, &json!("UNSUPPORTED_MEDIA_TYPE"))
        );
    }
    assert_eq!(send("application/json; charset=utf-8").await.1, json!({"data": {"__typename": "Query"}}));
}

#[tokio::test]
async fn requests_beyond_what_is_answered_at_once_are_told_to_come_again() {
    let service = Service::start_with(|config| config.max_concurrent = 1).await;
    service.folded("catalogue", 100).await;
    let query = "{ product(sku: \"A\") { sku } }";
    let ahead = token(101);
    let waiting = service.ask_at(query, &ahead);
    let refused = async {
        loop {
            let answer = service.ask(query).await;
            if answer.status == 429 {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let refused =
        tokio::time::timeout(Duration::from_secs(10), async { tokio::join!(waiting, refused) }).await;
    let (waited, refused) = refused.expect("one of the two holds the only place for two seconds");
    assert_eq!(refused.code(), "TOO_MANY_REQUESTS");
    assert_eq!(refused.headers["retry-after"], "1");
    assert!(matches!(waited.code(), "READ_MODEL_BEHIND" | "TOO_MANY_REQUESTS"));
    service.ask(query).await.data();
}

#[tokio::test]
async fn a_database_that_is_away_is_not_described() {
    let service =
        Service::start_with(|config| config.database_url = "postgresql:///x?host=/nowhere/at/all".into())
            .await;
    let answer = service.ask("{ product(sku: \"A\") { sku } }").await;
    assert_eq!(answer.code(), "UNAVAILABLE");
    assert!(!answer.body.to_string().contains("nowhere"), "{}", answer.body);
}

#[test]
fn a_url_that_cannot_be_read_is_refused_at_once() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    assert!(query_side::router(&query_side::QueryConfig::new("nonsense")).is_err());
}
