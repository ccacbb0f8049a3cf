//! A running shop under load, scraped by a real Prometheus with its PostgreSQL: every query of every dashboard has an answer,
//! but for those of services that cannot run here, and what is scraped is what the catalogue says.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use dashboards::window::Windows;
use dashboards::{boards, rules, sources};
use eventstore::{ClientSettings, NakAction};
use serde_json::json;
use system_tests::prometheus::{PostgresExporter, Prometheus, promtool};
use system_tests::{Client, Headwater, Options, eventually, free_addresses};
use uuid::Uuid;

use super::catalogue::{allows, metrics};
use crate::home;
use crate::parked::{append_unreadable_order, headwater};

/// For a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// How much shorter the rules' windows are.
const SHORTER: u64 = 60;

/// Panels that need not have data in a sound shop, and why.
const MAY_BE_EMPTY: &[(&str, &str)] = &[
    ("Headwater: overview / Alerts", "only while something fires"),
    ("Headwater: commands / Turned away", "only under overload"),
    ("Headwater: commands / Conflicts", "only when two processes write to one stream"),
    ("Headwater: projections / Time left", "only while something is being built"),
    ("Headwater: queries and search / Answers with an error of ours", "only when something fails"),
    ("Headwater: event store / Lost connections", "only when a connection was lost"),
    ("Headwater: runtime / Gave up", "only when connections run out"),
    ("Headwater: sagas and payments / Sandbox", "the sandbox of `up` is a child, which has no admin server"),
    ("mark / Rebuild", "only while something is being built"),
];

/// Writes a configuration that scrapes these jobs each second, with the rules made shorter beside it.
pub(super) fn configure(folder: &Path, jobs: &[(&str, SocketAddr)]) -> Result<PathBuf> {
    for file in rules::files(Windows::shorter_by(SHORTER)) {
        std::fs::write(folder.join(file.path), file.text)?;
    }
    let jobs = jobs.iter().map(|(job, target)| {
        format!("{{ job_name: {job}, static_configs: [{{ targets: [\"{target}\"] }}] }}")
    });
    let jobs = jobs.collect::<Vec<_>>().join(", ");
    let config = folder.join("prometheus.yml");
    std::fs::write(
        &config,
        format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [causes.yml, objectives.yml]\n\
             scrape_configs: [{jobs}]\n"
        ),
    )?;
    Ok(config)
}

/// Every query, as Prometheus takes it, with where it stands.
fn queries() -> Vec<(String, String)> {
    let filled =
        |expr: &str| expr.replace("$__rate_interval", "1h").replace("$job", ".+").replace("$instance", ".+");
    let mut all = Vec::new();
    for board in boards::all() {
        for panel in board.panels() {
            let place = format!("{} / {}", board.title, panel.title);
            all.extend(panel.targets.iter().map(|target| (place.clone(), filled(&target.expr))));
        }
    }
    // The same on most dashboards.
    let mut marks = BTreeSet::new();
    for board in boards::all() {
        for mark in board.to_json()["annotations"]["list"].as_array().into_iter().flatten() {
            let text = |key: &str| mark[key].as_str().unwrap_or_default().to_owned();
            marks.insert((format!("mark / {}", text("name")), filled(&text("expr"))));
        }
    }
    all.extend(marks);
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_has_an_answer_and_every_series_is_of_the_catalogue() -> Result<()> {
    let home = home()?;
    // Nobody collects the traces: that they are lost must show.
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9"),
        ("HEADWATER_START_STANDARD_PROJECTIONS", "true"),
    ];
    let options = Options {
        sample: true,
        variables: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        ..Options::at(&home.path().join("data"))
    };
    let running = Headwater::start(&options).await?;
    let folder = home.path().join("prometheus");
    std::fs::create_dir(&folder)?;
    let [listen, exporter_at, ..] = free_addresses()?;
    let database_url = std::fs::read_to_string(options.data_dir.join("database-url"))?;
    let exporter =
        PostgresExporter::start(database_url.trim(), exporter_at, &home.path().join("exporter.log")).await?;
    let jobs = [("headwater", running.admin), ("postgres", exporter_at), ("prometheus", listen)];
    let prometheus = Prometheus::start(&configure(&folder, &jobs)?, listen).await?;

    load(&running.client()).await?;
    park(&running, &options.data_dir).await?;
    consume(&running).await?;
    let output = headwater(&options.data_dir, &["rebuild", "customers"]).await?;
    ensure!(output.status.success(), "{output:?}");

    let mut unanswered = queries();
    let answered = eventually("an answer to every query", PATIENCE, async || {
        // Something goes on all the while, for rates need it.
        trade(&running.client()).await?;
        let mut left = Vec::new();
        for (place, expr) in std::mem::take(&mut unanswered) {
            // Also of what cannot run here Prometheus must be able to read the query.
            let samples = prometheus.query(&expr).await?;
            let is_exempt =
                MAY_BE_EMPTY.iter().any(|(panel, _)| *panel == place) || sources::not_here(&expr).is_some();
            if !is_exempt && samples.iter().all(|sample| sample.value.is_nan()) {
                left.push((place, expr));
            }
        }
        unanswered = left;
        Ok(unanswered.is_empty().then_some(()))
    })
    .await;
    answered.with_context(|| format!("{unanswered:#?}"))?;
    scraped_is_declared(&running).await?;
    drop((prometheus, exporter));
    assert!(running.stop().await?.success());
    Ok(())
}

/// What clients do, also what they should not do.
async fn load(client: &Client) -> Result<()> {
    eventually("the sample", PATIENCE, async || {
        let answer = client.query("{ orders(first: 1) { totalCount } }", &json!({}), None).await?;
        Ok((answer.body["data"]["orders"]["totalCount"].as_u64() >= Some(45)).then_some(()))
    })
    .await?;
    let mug = json!({ "sku": "MUG-1", "name": "Blue mug", "price": { "amount": "4.50", "currency": "GBP" } });
    let listed = client.post("/v1/products", &[], &mug).await?;
    ensure!(listed.status == 201, "{listed:?}");
    let again = client.post("/v1/products", &[], &mug).await?;
    ensure!(again.status == 409, "{again:?}");
    // None are there: what the saga asks for is refused.
    let order = json!({ "number": "A-1", "country": "France", "currency": "GBP",
        "lines": [{ "sku": "MUG-1", "quantity": 1 }] });
    ensure!(client.post("/v1/orders", &[], &order).await?.status == 201);
    let product = "{ product(sku: \"MUG-1\") { name } }";
    let seen = client.query(product, &json!({}), Some(listed.position())).await?;
    ensure!(seen.body["data"]["product"]["name"] == "Blue mug", "{seen:?}");
    for path in ["/v1/secret/17", "/v2/orders", "/wp-login.php?user=mallory", "/v1/orders/not-an-id"] {
        client.get(path).await?;
        client.post(path, &[("x-request-id", "mallory-17")], &json!({ "name": "Mallory" })).await?;
    }
    client.post_text("/graphql", &[], "{ broken").await?;
    client.post_text("/v1/products", &[("content-type", "text/mallory")], "mallory").await?;
    let method = reqwest::Method::from_bytes(b"MALLORY")?;
    client.request(method, "/v1/products").await?;
    Ok(())
}

/// A little of what goes on in a shop: an order, a search, and queries that are refused.
async fn trade(client: &Client) -> Result<()> {
    let stock = "{ products(first: 50) { edges { node { sku onHand reserved } } } }";
    let stock = client.query(stock, &json!({}), None).await?;
    let mut products = stock.body["data"]["products"]["edges"].as_array().into_iter().flatten();
    let there = products.find(|edge| edge["node"]["onHand"].as_i64() > edge["node"]["reserved"].as_i64());
    let sku = &there.context("a product that is there")?["node"]["sku"];
    let order = json!({ "number": Uuid::new_v4().to_string(), "country": "France", "currency": "GBP",
        "lines": [{ "sku": sku, "quantity": 1 }] });
    let placed = client.post("/v1/orders", &[], &order).await?;
    ensure!(placed.status == 201, "{placed:?}");
    let mug = json!({ "sku": Uuid::new_v4().simple().to_string()[..20], "name": "Red mug",
        "price": { "amount": "4.50", "currency": "GBP" } });
    let listed = client.post("/v1/products", &[], &mug).await?;
    ensure!(listed.status == 201, "{listed:?}");
    client.query("{ orders(first: 1) { totalCount } }", &json!({}), Some(placed.position())).await?;
    client
        .query("{ searchProducts(text: \"mug\", first: 5) { edges { node { name } } } }", &json!({}), None)
        .await?;
    client.query("{ nothing }", &json!({}), None).await?;
    let deep = "{ node(id: \"x\") ".repeat(40) + "{ id }" + &"}".repeat(40);
    client.query(&deep, &json!({}), None).await?;
    Ok(())
}

async fn park(running: &Headwater, data_dir: &Path) -> Result<()> {
    let place = append_unreadable_order(running).await?;
    eventually("parked", PATIENCE, async || {
        let output = headwater(data_dir, &["parked", "list", "shop", "--json"]).await?;
        Ok(String::from_utf8_lossy(&output.stdout).contains(&place).then_some(()))
    })
    .await?;
    let node = running.node.to_string();
    headwater(data_dir, &["parked", "retry", "shop", &place, "--node-listen", &node]).await?;
    Ok(())
}

/// A consumer group that parks an event and has it again.
async fn consume(running: &Headwater) -> Result<()> {
    let settings: ClientSettings = format!("esdb://{}?tls=false", running.node).parse()?;
    let client = eventstore::Client::new(settings)?;
    let (stream, group) = ("headwater-log", "watchers");
    let from_start =
        eventstore::PersistentSubscriptionOptions::default().start_from(eventstore::StreamPosition::Start);
    client.create_persistent_subscription(stream, group, &from_start).await?;
    let mut events = client.subscribe_to_persistent_subscription(stream, group, &Default::default()).await?;
    let event = events.next().await?;
    events.nack(event, NakAction::Park, "not for us").await?;
    eventually("parked in the group", PATIENCE, async || {
        let parked = format!("$persistentsubscription-{stream}::{group}-parked");
        let mut read = client.read_stream(parked, &Default::default()).await?;
        Ok(read.next().await.is_ok_and(|event| event.is_some()).then_some(()))
    })
    .await?;
    client.replay_parked_messages(stream, group, &Default::default()).await?;
    let event = events.next().await?;
    events.ack(event).await?;
    Ok(())
}

/// What `/metrics` serves is well formed, declared, and has no label value that the code does not know.
async fn scraped_is_declared(running: &Headwater) -> Result<()> {
    let text = reqwest::get(format!("http://{}/metrics", running.admin)).await?.text().await?;
    promtool(&["check", "metrics"], Some(&text))?;
    let known = metrics();
    let mut wrong = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (series, labels) = parse(line).with_context(|| line.to_owned())?;
        let metric = known.iter().find(|metric| {
            let ending = series.strip_prefix(metric.name);
            ending.is_some_and(|ending| matches!(ending, "" | "_bucket" | "_sum" | "_count"))
        });
        let Some(metric) = metric else {
            wrong.push(format!("not in the catalogue: {line}"));
            continue;
        };
        for (name, value) in labels.into_iter().filter(|(name, _)| *name != "le") {
            let label = metric.labels.iter().find(|label| label.name == name);
            if !label.is_some_and(|label| allows(label, value)) {
                wrong.push(format!("{name} must not be {value:?}: {line}"));
            }
        }
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    ensure!(!text.to_lowercase().contains("mallory"), "what a client sent is in the metrics");
    Ok(())
}

/// A line such as `name{a="b",c="d"} 1`.
fn parse(line: &str) -> Option<(&str, Vec<(&str, &str)>)> {
    let Some((name, rest)) = line.split_once('{') else {
        return line.split_once(' ').map(|(name, _)| (name, Vec::new()));
    };
    let (labels, _) = rest.rsplit_once('}')?;
    let pairs =
        labels.split("\",").map(|pair| pair.split_once("=\"").map(|(k, v)| (k, v.trim_end_matches('"'))));
    Some((name, pairs.collect::<Option<_>>()?))
}
