//! Ctrl-C during an import lets what is in flight come to its end, and a second run finishes the rest.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use system_tests::{Headwater, Options, binary, eventually};

use crate::home;

const PATIENCE: Duration = Duration::from_secs(60);

/// Orders of the sample.
const ORDERS: u64 = 45;

/// What a shell says of a process that Ctrl-C has ended.
const INTERRUPTED: i32 = 130;

/// An import of the sample, one request at a time.
fn import(running: &Headwater) -> Result<Child> {
    let sample =
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../cli/sample/online-retail-sample.csv"));
    let mut command = Command::new(binary()?);
    command.args(["import", "retail", "--json", "--concurrency", "1"]).arg(sample);
    command.args(["--url", &format!("http://{}", running.public)]).stdin(Stdio::null());
    Ok(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)
}

async fn ended(importing: Child) -> Result<(Output, Value)> {
    let output = tokio::task::spawn_blocking(move || importing.wait_with_output()).await??;
    let summary = serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    Ok((output, summary))
}

async fn count(running: &Headwater, what: &str) -> Result<u64> {
    let query = format!("{{ {what}(first: 1) {{ totalCount }} }}");
    let answer = running.client().query(&query, &json!({}), None).await?;
    answer.body["data"][what]["totalCount"].as_u64().with_context(|| answer.body.to_string())
}

/// The sum of one count over all kinds of a summary.
fn total(summary: &Value, count: &str) -> u64 {
    let kinds = summary["kinds"].as_object().into_iter().flat_map(|kinds| kinds.values());
    kinds.filter_map(|counts| counts[count].as_u64()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_stopped_is_finished_by_the_next() -> Result<()> {
    let home = home()?;
    let running = Headwater::start(&Options::at(&home.path().join("data"))).await?;
    let importing = import(&running)?;
    let pid = Pid::from_child(&importing);
    eventually("the import under way", PATIENCE, async || {
        Ok((count(&running, "products").await? > 0).then_some(()))
    })
    .await?;
    kill_process(pid, Signal::INT)?;
    let (output, stopped) = ended(importing).await?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(INTERRUPTED), "{said}");
    assert!(
        stopped["endedEarly"].is_string() && said.contains("run the same command again"),
        "{stopped} {said}"
    );
    let sent = total(&stopped, "sent");
    assert!(sent > 0 && count(&running, "orders").await? < ORDERS, "{stopped}");

    let (output, rest) = ended(import(&running)?).await?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!((total(&rest, "alreadyThere"), total(&rest, "rejected")), (sent, 0), "{rest}");
    eventually("every order", PATIENCE, async || {
        Ok((count(&running, "orders").await? == ORDERS).then_some(()))
    })
    .await?;
    assert!(running.stop().await?.success());
    Ok(())
}
