//! What `docs/node.md` tells somebody who connects for the first time, done.

use std::fs;
use std::process::Command;

use super::installed::{node, python, succeed};
use super::{KURRENTDB_CLIENT, KURRENTDBCLIENT, Server, folder};
use crate::support::eventstore_first;

/// Where the page has the node listen.
const ADDRESS: &str = "127.0.0.1:2113";

fn page() -> String {
    fs::read_to_string(folder().join("../../docs/node.md")).expect("the page")
}

/// The lines of the first block of code in the language, which are three.
fn block(language: &str) -> String {
    let page = page();
    let (_, rest) = page.split_once(&format!("```{language}\n")).expect("a block of the language");
    let (block, _) = rest.split_once("```").expect("its end");
    assert_eq!(block.lines().count(), 3, "{block}");
    block.to_owned()
}

async fn said(server: &Server) -> Vec<serde_json::Value> {
    let settings = format!("esdb://{}?tls=false", server.address).parse().expect("a connection string");
    let client = eventstore::Client::new(settings).expect("a client");
    let mut events = client.read_stream("hello-1", &Default::default()).await.expect("the stream");
    let mut said = Vec::new();
    while let Some(event) = events.next().await.expect("an event") {
        let event = event.get_original_event();
        assert_eq!(event.event_type, "Said");
        said.push(event.as_json().expect("JSON"));
    }
    said
}

/// Has the interpreter run the block, which has to end by itself.
async fn run(interpreter: &Command, options: &[&str], language: &str) {
    let server = Server::start(|_| {}).await;
    let mut command = Command::new("timeout");
    command.arg("60").arg(interpreter.get_program()).args(options);
    command.arg(block(language).replace(ADDRESS, &server.address));
    succeed(command.current_dir(interpreter.get_current_dir().unwrap_or(&folder())));
    assert_eq!(said(&server).await, [serde_json::json!({ "text": "hello" })]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_for_rust_append_an_event() -> Result<(), Box<dyn std::error::Error>> {
    eventstore_first().await;
    let server = Server::start(|_| {}).await;
    let source = include_str!("page.rs");
    for line in block("rust").lines() {
        let ours = line.replace(&format!("\"esdb://{ADDRESS}?tls=false\""), "url");
        assert!(source.lines().any(|own| own.trim() == ours), "not in this test: {ours}");
    }
    let url = &format!("esdb://{}?tls=false", server.address);
    let client = eventstore::Client::new(url.parse()?)?;
    let said = eventstore::EventData::json("Said", &serde_json::json!({ "text": "hello" }))?;
    client.append_to_stream("hello-1", &Default::default(), said).await?;
    assert_eq!(self::said(&server).await, [serde_json::json!({ "text": "hello" })]);
    server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "installs the client: ./hw test --long runs it"]
async fn the_lines_for_python_append_an_event() {
    run(&python(KURRENTDBCLIENT), &["-c"], "python").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "installs the client: ./hw test --long runs it"]
async fn the_lines_for_node_append_an_event() {
    run(&node(KURRENTDB_CLIENT), &["--input-type=module", "-e"], "js").await;
}
