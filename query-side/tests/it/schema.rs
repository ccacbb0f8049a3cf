//! The schema as clients have it, and the page to try it on.

use std::path::Path;

use serde_json::json;

use crate::support::Service;

/// Set it to write the file anew.
const UPDATE: &str = "UPDATE_SCHEMA";

#[test]
fn the_committed_schema_is_the_one_that_is_served() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.graphql");
    let served = query_side::sdl();
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &served).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == served,
        "query-side/schema.graphql is not what is served; {UPDATE}=1 writes it anew"
    );
}

/// What GraphiQL asks when it opens (`getIntrospectionQuery` of graphql-js), which is deeper than any query may be.
const INTROSPECTION: &str = "query IntrospectionQuery { __schema { queryType { name } types { ...FullType }
    directives { name locations args { ...InputValue } } } }
fragment FullType on __Type { kind name description
    fields(includeDeprecated: true) { name args { ...InputValue } type { ...TypeRef } }
    inputFields { ...InputValue } interfaces { ...TypeRef } enumValues(includeDeprecated: true) { name }
    possibleTypes { ...TypeRef } }
fragment InputValue on __InputValue { name type { ...TypeRef } defaultValue }
fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
    ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } } }";

#[tokio::test]
async fn graphiql_learns_the_schema_without_a_read_model() {
    let service = Service::start_without_tables().await;
    let answer = service.ask(INTROSPECTION).await;
    let types = answer.data()["__schema"]["types"].as_array().unwrap();
    assert!(types.iter().any(|t| t["name"] == "Product"));
    assert_eq!(answer.data()["__schema"]["queryType"], json!({"name": "Query"}));
}

#[tokio::test]
async fn the_page_has_all_it_needs_here() {
    let service = Service::start_without_tables().await;
    let page = service.get("/graphiql").send().await.unwrap();
    assert!(page.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    let page = page.text().await.unwrap();
    assert!(
        !page.contains("http:") && !page.contains("https:") && !page.contains("\"//"),
        "nothing from elsewhere"
    );
    let needed: Vec<&str> = ["src=\"", "href=\""]
        .iter()
        .flat_map(|attribute| page.split(attribute).skip(1))
        .map(|rest| rest.split('"').next().unwrap())
        .filter(|address| !address.starts_with("data:"))
        .collect();
    assert_eq!(needed.len(), 4, "{needed:?}");
    for address in needed {
        let file = service.get(address).send().await.unwrap();
        assert_eq!(file.status(), 200, "{address}");
        let expected = if address.ends_with(".css") { "text/css" } else { "text/javascript" };
        assert!(file.headers()["content-type"].to_str().unwrap().starts_with(expected), "{address}");
        assert!(file.headers()["cache-control"].to_str().unwrap().contains("immutable"), "{address}");
        let text = file.text().await.unwrap();
        assert!(!text.contains("url(http") && !text.contains("@import"), "{address} loads from elsewhere");
    }
}
