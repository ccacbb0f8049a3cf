//! `/ops` of a running shop, as an operator's browser shows it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use system_tests::{Client, Headwater, Options, eventually};
use tokio::process::Command;

use crate::{home, parked, root};

const PATIENCE: Duration = Duration::from_secs(30);

/// Set, the pictures of the documentation are made anew.
const UPDATE: &str = "UPDATE_SCREENSHOTS";

/// The page in a browser of its own, once everything that it asks for is there.
async fn browse(running: &Headwater, hash: &str, more: &[String]) -> Result<String> {
    let program = std::env::var("HEADWATER_CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
    let profile = tempfile::tempdir()?;
    let mut browser = Command::new(program);
    // Root is told apart by its sandbox; the others keep the browser from asking for anything by itself.
    browser.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]);
    browser.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
    browser.arg(format!("--user-data-dir={}", profile.path().display())).arg("--virtual-time-budget=8000");
    browser.args(more).arg(format!("http://{}/ops{hash}", running.admin));
    browser.stdin(Stdio::null()).kill_on_drop(true);
    let output =
        tokio::time::timeout(PATIENCE * 2, browser.output()).await.context("the browser hangs")??;
    ensure!(output.status.success(), "the browser: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

async fn page(running: &Headwater, hash: &str) -> Result<String> {
    let page = browse(running, hash, &["--dump-dom".to_owned()]).await?;
    ensure!(page.contains("data-loaded"), "the page has not loaded: {page}");
    Ok(page)
}

/// A picture for the documentation.
async fn picture(running: &Headwater, hash: &str, name: &str, height: u32) -> Result<()> {
    if std::env::var_os(UPDATE).is_none() {
        return Ok(());
    }
    let file = root().join("docs/images").join(name);
    let size = format!("--window-size=1280,{height}");
    browse(running, hash, &[size, format!("--screenshot={}", file.display())]).await.map(drop)
}

/// Some orders, and one that stands out by a failure.
async fn shop(client: &Client) -> Result<()> {
    let mug = json!({ "sku": "MUG-1", "name": "Blue mug", "price": { "amount": "4.50", "currency": "GBP" } });
    let listed = client.post("/v1/products", &[], &mug).await?;
    let id = listed.body["id"].as_str().context("an id")?;
    client.post(&format!("/v1/stock/{id}/receive"), &[], &json!({ "quantity": 50 })).await?;
    for _ in 0..5 {
        let order =
            json!({ "country": "France", "currency": "GBP", "lines": [{ "sku": "MUG-1", "quantity": 1 }] });
        let placed = client.post("/v1/orders", &[], &order).await?;
        ensure!(placed.status == 201, "{}", placed.body);
        let seen = "{ orders(first: 5) { nodes { status } } searchProducts(text: \"mug\", first: 1) { totalCount } }";
        client.query(seen, &json!({}), Some(placed.position())).await?;
    }
    Ok(())
}

async fn requests(operations: &Client, kind: &str) -> Result<Vec<Value>> {
    let answer = operations.get(&format!("/ops/requests?kind={kind}")).await?;
    Ok(answer.body["requests"].as_array().context("a list")?.clone())
}

/// The newest order whose trace has come to its rows.
async fn order_with_rows(operations: &Client) -> Result<(String, Vec<Value>)> {
    eventually("an order with its projections", PATIENCE, async || {
        for request in requests(operations, "recent").await? {
            let trace = request["traceId"].as_str().context("an id")?.to_owned();
            let found = operations.get(&format!("/ops/requests/{trace}")).await?;
            let spans = found.body["spans"].as_array().cloned().unwrap_or_default();
            let has = |name: &str| spans.iter().any(|span| span["name"] == name && span["linked"] == true);
            if request["name"] == "POST /v1/orders" && has("process shop") && has("send RESERVE_STOCK") {
                return Ok(Some((trace, spans)));
            }
        }
        Ok(None)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_the_state_a_request_and_the_logs_of_a_running_shop() -> Result<()> {
    let home = home()?;
    let options = Options::at(&home.path().join("data"));
    let running = Headwater::start(&options).await?;
    let (client, operations) = (running.client(), running.operations());
    shop(&client).await?;
    parked::append_unreadable_order(&running).await?;
    let state = eventually("the parked order", PATIENCE, async || {
        let state = operations.get("/ops/state").await?.body;
        Ok(state["parked"].as_array().is_some_and(|parked| !parked.is_empty()).then_some(state))
    })
    .await?;
    let role = |name: &str| {
        let roles = state["roles"].as_array().expect("a list");
        roles.iter().find(|role| role["name"] == name).map(|role| role["health"].clone())
    };
    assert_eq!(role("projections"), Some(json!("WARN")), "{state}");
    for well in ["log", "commands", "sagas", "search", "queries"] {
        assert_eq!(role(well), Some(json!("OK")), "{well}: {state}");
    }

    let overview = page(&running, "#/").await?;
    let slowest = requests(&operations, "slow").await?;
    let slowest = slowest[0]["traceId"].as_str().context("an id")?;
    for shown in ["READY", "fulfilment", "catalogue", "Live", "headwater parked list", slowest] {
        assert!(overview.contains(shown), "{shown} is not on the page: {overview}");
    }
    picture(&running, "#/", "ops.png", 1_350).await?;

    let (trace, spans) = order_with_rows(&operations).await?;
    let request = page(&running, &format!("#/requests/{trace}")).await?;
    for shown in ["append order-{id}", "decide order", "process shop", "commit shop", "send RESERVE_STOCK"] {
        assert!(request.contains(shown), "{shown} is not on the page: {request}");
    }
    assert!(spans.iter().all(|span| span["durationMs"].is_number()), "{spans:?}");
    picture(&running, &format!("#/requests/{trace}"), "ops-request.png", 1_000).await?;

    let logs = page(&running, "#/logs?q=parked&level=error").await?;
    assert!(logs.contains("parked") && !logs.contains("the node is serving"), "{logs}");
    picture(&running, "#/logs", "ops-logs.png", 700).await?;
    assert!(running.stop().await?.success());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_wrongly_is_told_and_without_memory_there_is_no_page() -> Result<()> {
    let home = home()?;
    let options = Options::at(&home.path().join("data"));
    let running = Headwater::start(&options).await?;
    let operations = running.operations();
    for (path, status) in [
        ("/ops/requests?kind=large", 400),
        ("/ops/logs?level=loud", 400),
        ("/ops/logs?before=yesterday", 400),
        ("/ops/requests/nothing", 404),
        ("/ops/requests/00000000000000000000000000000001", 404),
        ("/ops/logs?limit=1000000&q=%00", 200),
        ("/ops/logs?level=&trace=", 200),
    ] {
        let answer = operations.get(path).await?;
        assert_eq!(answer.status, status, "{path}");
        let code =
            ["", "INVALID_INPUT", "NOT_FOUND"][usize::from(status != 200) + usize::from(status == 404)];
        assert_eq!(answer.error_code(), code, "{path}");
    }
    let page = reqwest::get(format!("http://{}/ops", running.admin)).await?;
    let policy = page.headers()["content-security-policy"].to_str()?.to_owned();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(running.stop().await?.success());

    let variables = vec![("HEADWATER_OPS_MEMORY".to_owned(), "0".to_owned())];
    let running = Headwater::start(&Options { variables, ..options }).await?;
    assert_eq!(running.operations().get("/ops").await?.status, 404);
    assert!(running.stop().await?.success());
    Ok(())
}

#[test]
fn the_page_asks_for_nothing_from_elsewhere() {
    let folder = root().join("cli/src/ops/page");
    for file in ["index.html", "page.js", "parts.js", "page.css"] {
        let text = std::fs::read_to_string(Path::new(&folder).join(file)).unwrap();
        let text = text.replace("http://www.w3.org/2000/svg", "");
        assert!(!text.contains("http://") && !text.contains("https://"), "{file} names another host");
        assert!(!text.contains("innerHTML"), "{file} makes markup of text");
    }
}
