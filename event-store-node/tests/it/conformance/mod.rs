//! One list of cases, `conformance/cases.json`, through the official clients as released. What a client cannot express
//! is named with the reason in `conformance/excluded.json`, and is neither run nor called passed. With
//! `HEADWATER_ESDB_URL` in the environment the cases run against the server that it names.

mod installed;
mod page;
pub mod rust;
mod shipped;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use event_store_node::{Node, NodeConfig};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

const SERVER: &str = "HEADWATER_ESDB_URL";
/// The clients that are installed, and their versions.
const ESDBCLIENT: (&str, &str) = ("esdbclient", "1.1.7");
const KURRENTDBCLIENT: (&str, &str) = ("kurrentdbclient", "1.3.5");
const DB_CLIENT: (&str, &str) = ("@eventstore/db-client", "6.2.1");
const KURRENTDB_CLIENT: (&str, &str) = ("@kurrent/kurrentdb-client", "1.3.1");
/// In the list of what is left out: the cases that depend on how a server is set up.
const ELSEWHERE: &str = "a server elsewhere";

/// One case, as it stands in the list.
#[derive(Debug, Clone, Deserialize, serde::Serialize)]
struct Case {
    name: String,
    steps: Vec<Value>,
}

/// What a runner tells of a case.
#[derive(Debug, Deserialize)]
struct Outcome {
    case: String,
    wrong: Option<String>,
}

/// Client to case to the reason why it cannot be run.
type Excluded = BTreeMap<String, BTreeMap<String, String>>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance")
}

fn cases() -> Vec<Case> {
    let text = fs::read_to_string(folder().join("cases.json")).expect("the list of cases");
    serde_json::from_str(&text).expect("cases")
}

fn excluded() -> Excluded {
    let text = fs::read_to_string(folder().join("excluded.json")).expect("the list of what is left out");
    serde_json::from_str(&text).expect("reasons")
}

/// A node of our own, or the address of the server that was named.
struct Server {
    address: String,
    own: Option<(Node, TempDir)>,
}

impl Server {
    async fn find() -> Self {
        if let Ok(url) = std::env::var(SERVER) {
            let address = url.strip_prefix("esdb://").and_then(|rest| rest.strip_suffix("?tls=false"));
            let address = address.expect("HEADWATER_ESDB_URL is like esdb://host:2113?tls=false").to_owned();
            return Self { address, own: None };
        }
        Self::start(|_| {}).await
    }

    async fn start(adjust: impl FnOnce(&mut NodeConfig)) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let mut config = NodeConfig::new(dir.path(), "127.0.0.1:0".parse().expect("an address"));
        adjust(&mut config);
        let node = Node::start(config).await.expect("a node");
        Self { address: node.address().to_string(), own: Some((node, dir)) }
    }

    /// The cases that a client can run here.
    fn cases_for(&self, client: &str) -> Vec<Case> {
        let excluded = excluded();
        let mut without = excluded[client].clone();
        if self.own.is_none() {
            without.extend(excluded[ELSEWHERE].clone());
        }
        for (case, reason) in &without {
            println!("{client}: left out: {case}: {reason}");
        }
        cases().into_iter().filter(|case| !without.contains_key(&case.name)).collect()
    }

    async fn stop(self) {
        if let Some((node, _dir)) = self.own {
            node.shutdown().await;
        }
    }
}

/// Fails unless every case was run, and went as it stands there.
fn judge(client: &str, given: &[Case], outcomes: &[Outcome]) {
    let names: Vec<_> = given.iter().map(|case| &case.name).collect();
    let run: Vec<_> = outcomes.iter().map(|outcome| &outcome.case).collect();
    let wrong: Vec<_> = outcomes.iter().filter(|outcome| outcome.wrong.is_some()).collect();
    assert!(wrong.is_empty(), "{client}: {wrong:#?}");
    assert_eq!(run, names, "{client} has not run every case");
    println!("{client}: {} cases passed", run.len());
}

#[test]
fn what_is_left_out_is_in_the_list_and_says_why() {
    let names: Vec<_> = cases().into_iter().map(|case| case.name).collect();
    for (at, name) in names.iter().enumerate() {
        assert!(!names[..at].contains(name), "{name} stands there twice");
    }
    for (client, without) in excluded() {
        assert!(without.len() < 10, "{client} leaves out too much");
        for (case, reason) in without {
            assert!(names.contains(&case) && reason.len() > 10, "{client}: {case}: {reason}");
        }
    }
    assert!(names.len() >= 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cases_pass_through_the_rust_client_eventstore() {
    let server = Server::find().await;
    rust::through_eventstore(&server).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cases_pass_through_the_rust_client_kurrentdb() {
    let server = Server::find().await;
    rust::through_kurrentdb(&server).await;
    server.stop().await;
}

/// As on a server elsewhere, where everybody writes, and the standard projections too.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "what each client is tested with, again: ./hw test --long runs it"]
async fn the_cases_pass_on_a_server_that_others_write_to() {
    let server = Server::start(|config| config.start_standard_projections = true).await;
    tokio::join!(rust::through_eventstore(&server), rust::through_eventstore(&server));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "installs the client: ./hw test --long runs it"]
async fn the_cases_pass_through_the_python_client_esdbclient() {
    installed::through_python(ESDBCLIENT).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "installs the client: ./hw test --long runs it"]
async fn the_cases_pass_through_the_python_client_kurrentdbclient() {
    installed::through_python(KURRENTDBCLIENT).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "installs the client: ./hw test --long runs it"]
async fn the_cases_pass_through_the_node_client_of_eventstore() {
    installed::through_node(DB_CLIENT).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "installs the client: ./hw test --long runs it"]
async fn the_cases_pass_through_the_node_client_of_kurrent() {
    installed::through_node(KURRENTDB_CLIENT).await;
}
