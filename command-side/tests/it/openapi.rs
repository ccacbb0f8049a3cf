use serde_json::Value;

use crate::support::{Shop, send};

/// The committed document. Set `UPDATE_OPENAPI=1` to write it anew.
const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

#[test]
fn the_committed_document_is_what_the_routes_say() {
    let now = format!("{}\n", command_side::openapi().to_pretty_json().unwrap());
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(COMMITTED, &now).unwrap();
    }
    let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
    assert!(committed == now, "openapi.json is not up to date: run this test with UPDATE_OPENAPI=1");
}

#[test]
fn every_command_says_how_it_fails_and_how_it_is_sent_again() {
    let document = serde_json::to_value(command_side::openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let commands: Vec<_> = paths.iter().filter_map(|(path, item)| Some((path, item.get("post")?))).collect();
    assert!(commands.len() >= 13, "{commands:?}");
    let named = |item: &Value| document.pointer(&item["$ref"].as_str()?[1..]).cloned();
    for (path, post) in commands {
        let headers: Vec<_> = post["parameters"].as_array().unwrap().iter().filter_map(named).collect();
        let has =
            |name: &str| headers.iter().any(|header| header["name"] == name && header["in"] == "header");
        assert!(has("idempotency-key") && has("if-match"), "{path}: {headers:?}");
        for (status, code) in
            [("400", "MALFORMED_JSON"), ("412", "PRECONDITION_FAILED"), ("503", "OUTCOME_UNKNOWN")]
        {
            let error = named(&post["responses"][status]).unwrap();
            assert!(error["description"].as_str().unwrap().contains(code), "{path} {status}: {error}");
            let schema = &error["content"]["application/json"]["schema"];
            assert!(named(schema).unwrap()["properties"]["error"].is_object(), "{path} {status}: {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn document_and_pages_are_served_without_any_other_host() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    let served = send(process.get("/openapi.json")).await.body;
    assert_eq!(served, serde_json::to_value(command_side::openapi()).unwrap());
    let page = send(process.get("/docs/")).await;
    let Value::String(html) = page.body else { panic!("a page") };
    assert!(page.status.is_success() && html.contains("swagger-ui"), "{html}");
    assert!(!html.contains("http://") && !html.contains("https://"), "{html}");
    for file in ["swagger-ui-bundle.js", "swagger-ui.css", "swagger-initializer.js"] {
        assert!(send(process.get(&format!("/docs/{file}"))).await.status.is_success(), "{file}");
    }
}
