//! The month's projections built anew while the shop is at work, with an order that cannot be read in the middle of it:
//! killed on the way, proved, taken into use, and taken back, and no reader ever sees anything but the right figures.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use system_tests::{Client, Headwater, Options, binary, eventually, retail_file};
use tokio::task::JoinHandle;

use super::month::{ORDERS, the_sales_are_those_of_the_readme};
use super::{every_order_ended, head, import};
use crate::home;
use crate::parked::append_unreadable_order;

const PATIENCE: Duration = Duration::from_secs(120);

/// `headwater COMMAND` for a data directory.
async fn headwater(command: &[&str], data_dir: &Path) -> Result<Output> {
    let mut process = Command::new(binary()?);
    process.args(command).arg("--data-dir").arg(data_dir).env_remove("DATABASE_URL").stdin(Stdio::null());
    Ok(tokio::task::spawn_blocking(move || process.output()).await??)
}

/// The same, which has to go well; gives what it printed as JSON.
pub(crate) async fn told(command: &[&str], data_dir: &Path) -> Result<Value> {
    let output = headwater(&[command, &["--json"]].concat(), data_dir).await?;
    ensure!(output.status.success(), "{command:?}: {output:?}");
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The versions that are there, by projection and number.
async fn versions(data_dir: &Path) -> Result<Vec<(String, i64, String)>> {
    let all = told(&["versions"], data_dir).await?;
    let all = all.as_array().context("versions")?.iter();
    all.map(|version| {
        let text = |name: &str| version[name].as_str().map(str::to_owned).context(name.to_owned());
        Ok((text("projection")?, version["version"].as_i64().context("version")?, text("state")?))
    })
    .collect()
}

/// Somebody who asks all the time for figures that do not change any more.
struct Reader {
    done: Arc<AtomicBool>,
    answers: Arc<AtomicUsize>,
    task: JoinHandle<Result<()>>,
}

impl Reader {
    fn start(client: Client, token: String) -> Self {
        let (done, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let task = tokio::spawn(read(client, token, Arc::clone(&done), Arc::clone(&answers)));
        Self { done, answers, task }
    }

    /// How many answers there were, all of them right.
    async fn stop(self) -> Result<usize> {
        self.done.store(true, Ordering::SeqCst);
        self.task.await??;
        Ok(self.answers.load(Ordering::SeqCst))
    }
}

async fn read(client: Client, token: String, done: Arc<AtomicBool>, answers: Arc<AtomicUsize>) -> Result<()> {
    let question = "{ salesSummary(from: \"2010-12-01\", to: \"2010-12-31\") { orders gross { amount } net { amount } }
        orders(first: 3) { totalCount nodes { number lines { sku } } }
        searchProducts(text: \"hanging heart\", first: 3) { nodes { sku } } products(first: 1) { totalCount } }";
    let then = "query($then: AsOf) { orders(first: 1, asOf: $then) { totalCount }
        salesSummary(from: \"2010-12-01\", to: \"2010-12-31\", asOf: $then) { orders gross { amount } net { amount } } }";
    let expected =
        json!({ "orders": ORDERS, "gross": { "amount": "823746.14" }, "net": { "amount": "748957.02" } });
    while !done.load(Ordering::SeqCst) {
        let answer = client.query(question, &json!({}), Some(&token)).await?.body;
        ensure!(answer.get("errors").is_none(), "{answer}");
        let data = &answer["data"];
        ensure!(data["salesSummary"] == expected, "{answer}");
        ensure!(
            data["orders"]["totalCount"] == ORDERS && data["products"]["totalCount"] == 2_822,
            "{answer}"
        );
        let lengths = |path: &Value| path.as_array().map_or(0, Vec::len);
        let nodes = data["orders"]["nodes"].as_array().context("orders")?;
        ensure!(nodes.len() == 3 && nodes.iter().all(|order| lengths(&order["lines"]) > 0), "{answer}");
        ensure!(lengths(&data["searchProducts"]["nodes"]) == 3, "{answer}");
        // The same as of then, whichever version is read.
        let answer = client.query(then, &json!({ "then": { "position": token } }), None).await?.body;
        ensure!(answer.get("errors").is_none(), "{answer}");
        ensure!(answer["data"]["salesSummary"] == expected, "{answer}");
        ensure!(answer["data"]["orders"]["totalCount"] == ORDERS, "{answer}");
        answers.fetch_add(1, Ordering::SeqCst);
    }
    Ok(())
}

/// The position of everything that has been recorded so far.
async fn token(client: &Client) -> Result<String> {
    let rows = super::ask(client, "{ projections { name headPosition } }", &json!({})).await?;
    let row = rows["projections"].as_array().and_then(|rows| rows.iter().find(|row| row["name"] == "shop"));
    Ok(row.and_then(|row| row["headPosition"].as_str()).context("a position")?.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_month_is_built_anew_under_load_through_two_kills_and_no_reader_notices() -> Result<()> {
    let Some(file) = retail_file() else { return Ok(()) };
    let home = home()?;
    let options = Options::at(&home.path().join("data"));
    let data_dir = options.data_dir.as_path();
    let mut running = Headwater::start(&options).await?;
    // From here on the sagas carry the orders to their end, and each step is folded by the versions in use.
    let (imported, place) = tokio::join!(import(&running, &file), spoil_the_middle(&running));
    imported?;
    let place = place?;
    for projection in ["shop", "catalogue"] {
        let begun = told(&["rebuild", projection, "--detach"], data_dir).await?;
        assert_eq!((&begun[0]["outcome"], &begun[0]["version"]), (&json!("begun"), &json!(2)), "{begun}");
        running.kill().await?;
        running = Headwater::start(&options).await?;
    }

    let client = running.client();
    let reader = Reader::start(client.clone(), token(&client).await?);
    let all = eventually("both versions in use", PATIENCE, async || {
        let all = versions(data_dir).await?;
        let in_use = all.iter().filter(|(_, version, state)| *version == 2 && state == "ACTIVE").count();
        Ok((in_use == 2).then_some(all))
    })
    .await
    .with_context(|| running.output())?;
    let state = |name: &str, version: i64| {
        let found = all.iter().find(|(projection, number, _)| projection == name && *number == version);
        found.map(|(_, _, state)| state.as_str())
    };
    assert_eq!((state("shop", 1), state("shop", 2)), (Some("KEPT"), Some("ACTIVE")), "{all:?}");
    assert_eq!((state("customers", 1), state("customers", 2)), (Some("ACTIVE"), None), "{all:?}");

    // Once more while it is watched, and all of them.
    let rebuilt = told(&["rebuild", "--all"], data_dir).await?;
    let rebuilt = rebuilt.as_array().context("projections")?;
    assert_eq!(rebuilt.len(), 3);
    assert!(
        rebuilt.iter().all(|one| one["outcome"] == "active" && one["events"].as_i64() > Some(900)),
        "{rebuilt:?}"
    );
    let back = headwater(&["rollback", "shop"], data_dir).await?;
    assert!(back.status.success(), "{back:?}");
    assert_eq!(String::from_utf8_lossy(&back.stdout), "shop: version 2 is in use\n");
    let dropped = headwater(&["drop-version", "shop", "3"], data_dir).await?;
    assert!(dropped.status.success(), "{dropped:?}");
    assert!(reader.stop().await? > 20);

    every_order_ended(&client, ORDERS).await?;
    head(&client).await?;
    the_sales_are_those_of_the_readme(&client).await?;
    the_bad_order_waits_in_every_version_until_it_is_skipped(&running, data_dir, &place).await?;
    let verify = ["verify", "--all", "--node-listen", &running.node.to_string()];
    let verified = told(&verify, data_dir).await?;
    let views: Vec<_> =
        verified.as_array().into_iter().flatten().flat_map(|one| one["views"].as_array()).flatten().collect();
    assert!(views.len() > 10 && views.iter().all(|view| view["checksumsFit"] == true), "{verified}");
    refusals(data_dir).await?;
    assert!(running.stop().await?.success());
    Ok(())
}

/// Appends an order that cannot be read once a part of the month is there, and gives the place that it parks.
async fn spoil_the_middle(running: &Headwater) -> Result<String> {
    let client = running.client();
    eventually("a part of the month", PATIENCE, async || {
        Ok((super::orders(&client, None).await.unwrap_or_default() > ORDERS / 3).then_some(()))
    })
    .await?;
    ensure!(super::orders(&client, None).await? < ORDERS, "the month is over");
    append_unreadable_order(running).await
}

/// Builds have put it aside as the worker did that met it; skipped, it parks nothing any more, in any version.
async fn the_bad_order_waits_in_every_version_until_it_is_skipped(
    running: &Headwater,
    data_dir: &Path,
    place: &str,
) -> Result<()> {
    let node = running.node.to_string();
    let parked = told(&["parked", "list"], data_dir).await?;
    let parked: Vec<_> = parked.as_array().into_iter().flatten().collect();
    // The views and the saga that read orders.
    ensure!(
        parked.len() == 2 && parked.iter().all(|at| at["place"] == place && at["waiting"] == 2),
        "{parked:?}"
    );
    for at in &parked {
        let name = at["projection"].as_str().context("a name")?;
        for _ in 0..2 {
            let skip = ["parked", "skip", name, place, "--node-listen", node.as_str()];
            let skipped = headwater(&skip, data_dir).await?;
            ensure!(matches!(skipped.status.code(), Some(0 | 1)), "{skipped:?}");
        }
    }
    let left = told(&["parked", "list"], data_dir).await?;
    ensure!(left.as_array().is_some_and(Vec::is_empty), "{left}");
    Ok(())
}

/// What cannot be done is said in a sentence, and nothing has changed.
async fn refusals(data_dir: &Path) -> Result<()> {
    for (command, sentence) in [
        (&["rebuild", "orders"][..], "there is no projection \"orders\""),
        (&["rebuild", "fulfilment"], "sagas are not built anew"),
        (&["rebuild"], "required"),
        (&["drop-version", "shop", "2"], "version 2 of shop is the active one"),
        (&["drop-version", "shop", "77"], "projection shop has no version 77"),
        (&["accept", "shop", "2"], "version 2 of shop is READY"),
        (&["rollback", "shop"], "projection shop has no version before the active one"),
    ] {
        let output = headwater(command, data_dir).await?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(sentence), "{command:?}: {said}");
    }
    Ok(())
}
