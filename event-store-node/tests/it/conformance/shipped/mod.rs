//! The tests that the clients' packages ship. Only the two crates ship any. Theirs are built as released but for one
//! dependency: what they take for a container (`conformance/testcontainers.rs`) is a node of ours in a process of its own.
//! Some of them stop at their first call that this node refuses, so the functions that they call are run one by one as
//! well. Those that cannot pass stand with the reason in `conformance/shipped_excluded.json`; they are run, too, and must
//! fail. Those whose outcome is chance stand there as well, and are not run.

mod build;
mod none;

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use event_store_node::{Node, NodeConfig};
use eventstore::{EventData, ExpectedRevision};
use futures::{StreamExt as _, stream};
use serde::Deserialize;

use self::build::Program;
use super::folder;
use crate::support::{client, expect};

/// The crates, and how many of their tests pass, which docs/node.md tells as well.
const CRATES: [(&str, usize); 2] = [("eventstore", 51), ("kurrentdb", 66)];
/// Where the functions that are run one by one find their node.
const SERVER: &str = "HEADWATER_SHIPPED_SERVER";
/// How many tests that start a node of their own run at once.
const OWN_NODES_AT_ONCE: usize = 6;
/// No test of theirs takes this long unless it hangs; they themselves wait for a minute at most.
const LIMIT: Duration = Duration::from_secs(120);

/// Tests that are left out for one reason.
#[derive(Debug, Deserialize)]
struct LeftOut {
    why: String,
    tests: Vec<String>,
    /// Whether they may pass or fail on any server.
    #[serde(default)]
    is_chance: bool,
}

fn left_out() -> Vec<LeftOut> {
    let text =
        fs::read_to_string(folder().join("shipped_excluded.json")).expect("the list of what is left out");
    serde_json::from_str(&text).expect("reasons")
}

/// The tests that are left out: those that must fail, and those that are not run.
fn expected() -> (BTreeSet<String>, BTreeSet<String>) {
    let (chance, failing): (Vec<_>, Vec<_>) = left_out().into_iter().partition(|group| group.is_chance);
    let names = |groups: Vec<LeftOut>| groups.into_iter().flat_map(|group| group.tests).collect();
    (names(failing), names(chance))
}

/// A node with a log that takes a scavenge some time: a test of theirs stops one right after its start.
async fn node_with_history(dir: &Path) -> Node {
    let mut config = NodeConfig::new(dir, "127.0.0.1:0".parse().expect("an address"));
    config.segment_bytes = 128 * 1024;
    config.max_append_bytes = 32 * 1024;
    let node = Node::start(config).await.expect("a node");
    let (client, any) = (client(&node), expect(ExpectedRevision::Any));
    for _ in 0..200 {
        let event = EventData::binary("Written", vec![7; 30_000].into());
        client.append_to_stream("before-1", &any, event).await.expect("written");
    }
    client.delete_stream("before-1", &Default::default()).await.expect("deleted");
    node
}

/// The names of a program's tests.
fn tests(program: &Program) -> Vec<String> {
    let output = Command::new(&program.path).args(["--list", "--format", "terse"]).output().expect("a list");
    let list = String::from_utf8(output.stdout).expect("text");
    list.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

/// Runs one test in a process of its own, since theirs set up logging once a process; when it fails, what it said.
async fn run(program: &Program, test: &str, server: &str, volumes: &Path) -> Result<(), String> {
    let node = std::env::current_exe().expect("this program");
    let serve = "conformance::shipped::a_node_in_the_place_of_a_container";
    let node = format!("{}\n--exact\n{serve}\n--ignored\n--nocapture", node.display());
    let mut command = tokio::process::Command::new(&program.path);
    command.args(["--exact", test]).current_dir(&program.place).kill_on_drop(true);
    command.env(SERVER, server);
    command.env("HEADWATER_CONTAINER_COMMAND", node).env("HEADWATER_CONTAINER_VOLUMES", volumes);
    let output = tokio::time::timeout(LIMIT, command.output()).await;
    match output.map(|output| output.expect("run")) {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stdout).into_owned()),
        Err(_) => Err("it hangs".to_owned()),
    }
}

/// Runs some tests of a program; gives the name of each, and what it said when it failed.
async fn run_all(
    program: &Program,
    tests: Vec<String>,
    server: &str,
    volumes: &Path,
) -> Vec<(String, Result<(), String>)> {
    // Those that bring their own node do not meet, and the ones for a cluster wait long for it. The others share one.
    let has_own_node = program.name == "integration";
    let at_once = if has_own_node { OWN_NODES_AT_ONCE } else { 1 };
    stream::iter(tests)
        .map(|test| async move {
            let ended = run(program, &test, server, volumes).await;
            (test.replace("::each::", "::"), ended)
        })
        .buffer_unordered(at_once)
        .collect()
        .await
}

/// Runs the tests that a crate ships.
async fn of_crate(name: &str, count: usize, programs: &[Program]) {
    let dir = tempfile::tempdir().expect("a folder");
    let node = node_with_history(&dir.path().join("node")).await;
    let server = node.address().to_string();
    let (failing, chance) = expected();
    let (mut passed, mut failed, mut left) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut wrong = Vec::new();
    for program in programs.iter().filter(|program| program.of == name) {
        let (not_run, tests) = tests(program).into_iter().partition(|test| chance.contains(test));
        left.extend::<Vec<_>>(not_run);
        for (test, ended) in run_all(program, tests, &server, dir.path()).await {
            match ended {
                Ok(()) => assert!(passed.insert(test.clone()), "{test} is there twice"),
                Err(said) => {
                    if !failing.contains(&test) {
                        wrong.push(format!("{test}: {said}"));
                    }
                    failed.insert(test);
                }
            }
        }
    }
    node.shutdown().await;
    assert!(wrong.is_empty(), "{name}: {}", wrong.join("\n"));
    let idle: Vec<_> = failing.difference(&failed).chain(chance.difference(&left)).collect();
    assert!(idle.is_empty(), "{name}: left out, and yet they pass or are not there: {idle:#?}");
    println!(
        "{name}: {} of its own tests passed, {} cannot, {} not run",
        passed.len(),
        failed.len(),
        left.len()
    );
    assert_eq!(passed.len(), count, "so many of the tests that {name} ships passed");
}

#[test]
fn what_is_left_out_of_the_shipped_tests_says_why_and_the_page_says_how_many() {
    let mut names = BTreeSet::new();
    for LeftOut { why, tests, .. } in left_out() {
        assert!(why.len() > 20 && !tests.is_empty(), "{why}");
        for test in tests {
            assert!(names.insert(test.clone()), "{test} stands there twice");
        }
    }
    let page = fs::read_to_string(folder().join("../../docs/node.md")).expect("the page");
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    for (name, count) in CRATES {
        let told = format!("{count} of the {} of `{name}`", count + names.len());
        assert!(page.contains(&told), "docs/node.md does not say: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "builds the crates' tests: ./hw test --long runs it"]
async fn the_tests_that_the_rust_clients_ship_pass() {
    let programs = tokio::task::spawn_blocking(build::programs).await.expect("built");
    for (name, count) in CRATES {
        of_crate(name, count, &programs).await;
    }
}

/// Serves until its input ends.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by what the crates' tests take for a container"]
async fn a_node_in_the_place_of_a_container() {
    let Some(dir) = std::env::var_os("HEADWATER_CONTAINER_DIR") else { return };
    let port = std::env::var("HEADWATER_CONTAINER_PORT").expect("a port");
    let mut config = NodeConfig::new(dir, format!("127.0.0.1:{port}").parse().expect("an address"));
    let projections = std::env::var("HEADWATER_CONTAINER_PROJECTIONS");
    config.start_standard_projections = projections.as_deref() == Ok("true");
    let node = Node::start(config).await.expect("a node");
    println!("serves on port {}", node.address().port());
    let rest = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    rest.await.expect("waited").expect("read");
    node.shutdown().await;
}
