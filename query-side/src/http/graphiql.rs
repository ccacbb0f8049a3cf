//! `/graphiql`: the page to try queries on, with everything it needs built in, so it works with the network off.

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse};
use axum::routing::get;

/// The page; its scripts are named with their version in the address.
const PAGE: &str = include_str!("../../assets/graphiql/index.html");

/// Files that never change under their address.
const FOR_GOOD: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The files of the page: where they are found, what they are, what is in them.
const FILES: [(&str, &str, &[u8]); 4] = [
    ("/graphiql/react-18.3.1.js", SCRIPT, include_bytes!("../../assets/graphiql/react.production.min.js")),
    (
        "/graphiql/react-dom-18.3.1.js",
        SCRIPT,
        include_bytes!("../../assets/graphiql/react-dom.production.min.js"),
    ),
    ("/graphiql/graphiql-3.9.0.js", SCRIPT, include_bytes!("../../assets/graphiql/graphiql.min.js")),
    (
        "/graphiql/graphiql-3.9.0.css",
        "text/css; charset=utf-8",
        include_bytes!("../../assets/graphiql/graphiql.min.css"),
    ),
];

/// The page and its files.
pub(super) fn routes() -> Router {
    let page = Router::new().route("/graphiql", get(async || Html(PAGE)));
    FILES.into_iter().fold(page, |router, (path, media_type, bytes)| {
        let headers =
            [(header::CONTENT_TYPE, HeaderValue::from_static(media_type)), (header::CACHE_CONTROL, FOR_GOOD)];
        router.route(path, get(async move || (headers, bytes).into_response()))
    })
}
