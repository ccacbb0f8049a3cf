//! What a collector of traces and logs gets of a running shop.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};
use system_tests::collector::{Collector, Received, text};
use system_tests::rotel::Rotel;
use system_tests::{Client, Headwater, Options, eventually};

use crate::{database, home};

const PATIENCE: Duration = Duration::from_secs(30);

/// A caller with a trace of its own.
const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// What the test asks for.
const ASKED: &[&str] = &[
    "POST /v1/products",
    "POST /v1/stock/{productId}/receive",
    "GET /v1/products/{id}",
    "POST /v1/orders",
    "GET /v1/orders/{id}",
    "POST /graphql",
];

/// Kinds of spans, as the protocol numbers them.
const SERVER: i32 = 2;
const CLIENT: i32 = 3;
const PRODUCER: i32 = 4;
const CONSUMER: i32 = 5;

async fn start(options: &Options, collector: SocketAddr) -> Result<Headwater> {
    let endpoint = format!("http://{collector}");
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("HEADWATER_LOG_FORMAT", "json")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Headwater::start(&Options { variables, ..options.clone() }).await
}

/// A product that can be ordered, in three requests.
async fn stock_up(client: &Client) -> Result<()> {
    let mug = json!({ "sku": "MUG-1", "name": "Blue mug", "price": { "amount": "4.50", "currency": "GBP" } });
    let listed = client.post("/v1/products", &[], &mug).await?;
    let id = listed.body["id"].as_str().context("an id")?;
    let received = client.post(&format!("/v1/stock/{id}/receive"), &[], &json!({ "quantity": 3 })).await?;
    assert_eq!(received.status, 200, "{}", received.body);
    assert_eq!(client.get(&format!("/v1/products/{id}")).await?.status, 200);
    Ok(())
}

fn order_of_a_mug() -> Value {
    json!({ "country": "France", "currency": "GBP", "lines": [{ "sku": "MUG-1", "quantity": 1 }] })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_order_is_followed_from_its_request_to_its_rows_and_its_saga() -> Result<()> {
    let home = home()?;
    let collector = Collector::start().await?;
    let requests = one_order(home.path(), collector.address).await?;
    all_of_it_arrived(&collector.received(), requests);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_others_wrote_takes_it_and_passes_it_on() -> Result<()> {
    if std::env::var_os("HEADWATER_LONG_TESTS").is_none() {
        return Ok(());
    }
    let home = home()?;
    let collector = Collector::start().await?;
    let rotel = Rotel::start(home.path(), collector.http).await?;
    let requests = one_order(home.path(), rotel.address).await?;
    rotel.stop().await?;
    all_of_it_arrived(&collector.received(), requests);
    Ok(())
}

/// An order to its end, and a query of it, while all is told to a collector; gives how many requests that took.
async fn one_order(home: &Path, collector: SocketAddr) -> Result<usize> {
    let running = start(&Options::at(&home.join("data")), collector).await?;
    let client = running.client();
    stock_up(&client).await?;
    let placed = client.post("/v1/orders", &[("traceparent", CALLER)], &order_of_a_mug()).await?;
    assert_eq!(placed.status, 201, "{}", placed.body);
    let id = placed.body["id"].as_str().context("an id")?.to_owned();
    let mut asked = 0;
    eventually("the order's end", PATIENCE, async || {
        asked += 1;
        let found = client.get(&format!("/v1/orders/{id}")).await?;
        Ok((found.body["status"] == "DELIVERED").then_some(()))
    })
    .await?;
    let question = "query($id: ID!) { order(id: $id) { status } searchProducts(text: \"mug\", first: 1) { totalCount } }";
    let answer = client.query(question, &json!({ "id": id }), Some(placed.position())).await?;
    assert_eq!(answer.body["data"]["order"]["status"], "DELIVERED", "{}", answer.body);
    assert!(running.terminate().await?.success());
    Ok(3 + 1 + asked + 1)
}

fn all_of_it_arrived(received: &Received, requests: usize) {
    // The sandbox is a process of its own, and has spans of its own.
    let is_ours = |span: &&Span| span.kind == SERVER && ASKED.contains(&span.name.as_str());
    let ours: Vec<_> = received.spans.iter().filter(is_ours).map(|span| &span.name).collect();
    assert_eq!(ours.len(), requests, "nothing is lost at the end: {ours:?}");
    let ids: HashSet<_> = received.spans.iter().map(|span| &span.span_id).collect();
    assert_eq!(ids.len(), received.spans.len(), "and nothing is sent twice");
    let services: HashSet<_> = received
        .resources
        .chunk_by(|_, next| next.key != "service.name")
        .map(|of| text(of, "service.name"))
        .collect();
    assert!(services.contains("headwater"), "{services:?}");
    command_is_one_trace(received);
    folds_and_saga_link_to_the_append(received);
    query_shows_its_wait_its_statements_and_its_search(received);
    logs_carry_the_trace(received);
}

fn command_is_one_trace(received: &Received) {
    let server = received.named("POST /v1/orders").next().expect("the request");
    assert_eq!(
        (hex(&server.trace_id).as_str(), hex(&server.parent_span_id).as_str()),
        (TRACE_ID, "b7ad6b7169203331")
    );
    assert_eq!(text(&server.attributes, "headwater.command"), "place-order");
    let child = |name: &str, parent: &[u8], kind: Option<i32>| {
        let span = received.in_trace(&server.trace_id, name).unwrap_or_else(|| panic!("no span {name}"));
        assert_eq!(hex(&span.parent_span_id), hex(parent), "{name}");
        assert!(kind.is_none_or(|kind| kind == span.kind), "{name}");
        span
    };
    let load = child("load order", &server.span_id, None);
    assert_eq!(text(&load.attributes, "headwater.events_replayed"), "0");
    child("read order-{id}", &load.span_id, Some(CLIENT));
    let decide = child("decide order", &server.span_id, None);
    assert_eq!(text(&decide.attributes, "headwater.events"), "1");
    let append = child("append order-{id}", &server.span_id, Some(PRODUCER));
    for (key, value) in [
        ("messaging.system", "eventstoredb"),
        ("messaging.operation.name", "append"),
        ("messaging.operation.type", "send"),
        ("messaging.destination.template", "order-{id}"),
        ("messaging.batch.message_count", "1"),
        ("headwater.revision", "0"),
    ] {
        assert_eq!(text(&append.attributes, key), value, "{key}");
    }
}

fn folds_and_saga_link_to_the_append(received: &Received) {
    let trace_id = &received.named("POST /v1/orders").next().expect("the request").trace_id;
    let append = received.in_trace(trace_id, "append order-{id}").expect("the append");
    let linked = |name: &str| {
        let links = |span: &&Span| {
            span.links.iter().any(|link| link.trace_id == append.trace_id && link.span_id == append.span_id)
        };
        let mut named = received.spans.iter().filter(|span| span.name == name);
        let span = named.find(links).unwrap_or_else(|| panic!("no span {name} links to the append"));
        assert!(
            span.parent_span_id.is_empty() && span.trace_id != append.trace_id,
            "{name} is a root of its own"
        );
        span
    };
    let fold = linked("process shop");
    assert_eq!(fold.kind, CONSUMER);
    assert_eq!(text(&fold.attributes, "messaging.consumer.group.name"), "shop");
    assert_eq!(text(&fold.attributes, "messaging.operation.type"), "process");
    let commit = received.in_trace(&fold.trace_id, "commit shop").expect("its transaction");
    assert_eq!((commit.kind, text(&commit.attributes, "db.system.name").as_str()), (CLIENT, "postgresql"));
    assert!(received.in_trace(&fold.trace_id, "fold shop").is_some());

    let reserve = linked("send RESERVE_STOCK");
    assert_eq!(text(&reserve.attributes, "headwater.saga"), "fulfilment");
    let reserved = received.in_trace(&reserve.trace_id, "append stock-{id}").expect("its own append");
    assert_eq!(hex(&reserved.parent_span_id), hex(&reserve.span_id));
    let payment = received.named("payment authorize").next().expect("the call of the gateway");
    assert_eq!(payment.kind, CLIENT);
    assert!(!payment.parent_span_id.is_empty());
}

fn query_shows_its_wait_its_statements_and_its_search(received: &Received) {
    let server = received.named("POST /graphql").next().expect("the question");
    let within = |name: &str| {
        received.in_trace(&server.trace_id, name).unwrap_or_else(|| panic!("no span {name} of the question"))
    };
    let operation = within("query");
    assert_eq!(text(&operation.attributes, "graphql.operation.type"), "query");
    assert_eq!(hex(&within("Query.order").parent_span_id), hex(&operation.span_id));
    let wait = within("wait for position");
    assert_eq!(text(&wait.attributes, "headwater.outcome"), "reached");
    assert!(text(&wait.attributes, "headwater.position.requested").parse::<i64>().is_ok());
    assert_eq!(hex(&within("BEGIN").parent_span_id), hex(&wait.span_id));
    let statement = within("SELECT orders");
    for (key, value) in [
        ("db.system.name", "postgresql"),
        ("db.operation.name", "SELECT"),
        ("db.collection.name", "orders_v1"),
        ("db.response.returned_rows", "1"),
    ] {
        assert_eq!(text(&statement.attributes, key), value, "{key}");
    }
    assert!(text(&statement.attributes, "db.query.text").contains("$1"));
    assert_eq!(hex(&within("search products").parent_span_id), hex(&within("Query.searchProducts").span_id));
}

fn logs_carry_the_trace(received: &Received) {
    let of_order = |log: &&LogRecord| text(&log.attributes, "route") == "/v1/orders";
    let lines: Vec<_> = received.logs.iter().filter(of_order).collect();
    let [line] = lines.as_slice() else { panic!("one line for the order: {lines:#?}") };
    assert_eq!((hex(&line.trace_id).as_str(), line.span_id.len()), (TRACE_ID, 8));
    assert_eq!((line.severity_text.as_str(), text(&line.attributes, "status").as_str()), ("INFO", "201"));
    let server = received.named("POST /v1/orders").next().expect("the request");
    let correlation = text(&line.attributes, "correlation_id");
    assert!(!correlation.is_empty());
    assert_eq!(text(&server.attributes, "headwater.correlation_id"), correlation);
    let reserve = received.named("send RESERVE_STOCK").next().expect("the saga's command");
    assert_eq!(
        text(&reserve.attributes, "headwater.correlation_id"),
        correlation,
        "it goes on through the log"
    );
}

/// Stands in every personal field, and nowhere else.
const MARK: &str = "Xenophontia";

#[tokio::test(flavor = "multi_thread")]
async fn no_personal_data_leaves_by_traces_logs_or_metrics() -> Result<()> {
    let home = home()?;
    let collector = Collector::start().await?;
    let options = Options::at(&home.path().join("data"));
    std::fs::create_dir(&options.data_dir)?;
    std::fs::write(options.data_dir.join("headwater.toml"), "log-filter = \"trace\"\n")?;
    let running = start(&options, collector.address).await?;
    let client = running.client();
    stock_up(&client).await?;
    let (name, email) = (format!("{MARK} Doe"), format!("{MARK}@example.org"));
    let user = json!({ "customerNumber": "17850", "country": "France", "name": name, "email": email });
    let registered = client.post("/v1/users", &[("idempotency-key", "one")], &user).await?;
    assert_eq!(registered.status, 201, "{}", registered.body);
    let id = registered.body["id"].as_str().context("an id")?;
    let shown = "{ customer(number: \"17850\") { name email } }";
    let shown = client.query(shown, &json!({}), Some(registered.position())).await?;
    assert_eq!(shown.body["data"]["customer"]["name"], name, "{}", shown.body);

    let mut guest = order_of_a_mug();
    guest["guest"] = json!({ "name": name, "email": email });
    assert_eq!(client.post("/v1/orders", &[], &guest).await?.status, 201);
    let profile = json!({ "country": "France", "name": name, "email": email });
    let changed = client.post(&format!("/v1/users/{id}/profile"), &[], &profile).await?;
    assert_eq!(changed.status, 200, "{}", changed.body);
    errors_with_personal_data(&client, id, &user).await?;
    errors_of_the_database(&client, &running, &options.data_dir).await?;
    let metrics = eventually("log records that arrived, counted", PATIENCE, async || {
        let metrics = reqwest::get(format!("http://{}/metrics", running.admin)).await?.text().await?;
        let arrived = r#"telemetry_log_records_total{outcome="exported"}"#;
        Ok(metrics.contains(arrived).then_some(metrics))
    })
    .await?;
    let lines = reqwest::get(format!("http://{}/ops/logs?limit=500", running.admin)).await?.text().await?;
    let output = running.output();
    assert!(running.stop().await?.success());

    let received = collector.received();
    assert!(received.spans.len() > 20 && received.logs.len() > 20, "there is something to look through");
    let told = [
        ("spans", format!("{:#?}", received.spans)),
        ("logs", format!("{:#?}", received.logs)),
        ("output", output),
        ("metrics", metrics),
        ("lines in memory", lines),
    ];
    for (what, told) in told {
        let found: Vec<_> =
            told.lines().filter(|line| line.to_lowercase().contains(&MARK.to_lowercase())).collect();
        assert!(found.is_empty(), "{what} tell a name: {found:#?}");
    }
    Ok(())
}

/// The database refuses what is written and what is asked, and quotes a row each time.
async fn errors_of_the_database(client: &Client, running: &Headwater, data_dir: &Path) -> Result<()> {
    let database = database(data_dir).await?;
    let writes = "
        SET search_path = headwater;
        CREATE FUNCTION quoting(name text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
            RAISE EXCEPTION USING MESSAGE = name, DETAIL = 'Key (name)=(' || name || ') is odd.', HINT = name,
                CONSTRAINT = 'customers_are_even';
        END $$;
        CREATE FUNCTION quoting_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            PERFORM headwater.quoting(new.name);
        END $$;
        CREATE TRIGGER quoting BEFORE INSERT OR UPDATE ON customers_v1 FOR EACH ROW EXECUTE FUNCTION quoting_row();";
    database.batch_execute(writes).await?;
    let user = json!({ "customerNumber": "17851", "country": "Norway", "name": MARK });
    assert_eq!(client.post("/v1/users", &[], &user).await?.status, 201);
    eventually("the line of the worker", PATIENCE, async || {
        let told = "Postgres: SQLSTATE P0001, constraint customers_are_even";
        Ok(running.output().contains(told).then_some(()))
    })
    .await?;
    let reads = "
        ALTER TABLE customers_v1 RENAME TO customers_before;
        CREATE VIEW customers_v1 AS SELECT user_id, customer_number, country, headwater.quoting(name) AS name, email,
            status, registered_at, revision, updated_position FROM customers_before;";
    database.batch_execute(reads).await?;
    let asked = client.query("{ customer(number: \"17850\") { name } }", &json!({}), None).await?;
    assert_eq!(asked.body["errors"][0]["extensions"]["code"], "INTERNAL", "{}", asked.body);
    eventually("the line of the query", PATIENCE, async || {
        let told = "the read model: SQLSTATE P0001, constraint customers_are_even";
        Ok(running.output().contains(told).then_some(()))
    })
    .await
}

/// Requests that fail in every way that is known, each with a name where none belongs or where it breaks a rule.
async fn errors_with_personal_data(client: &Client, id: &str, user: &Value) -> Result<()> {
    let with = |field: &str, value: Value| {
        let mut body = user.clone();
        body[field] = value;
        body
    };
    let rejected = [
        ("/v1/users", with("customerNumber", json!("17850")), "another with the same number"),
        ("/v1/users", with("email", json!(format!("{MARK} without an at"))), "no address"),
        ("/v1/users", with("name", json!(format!("{MARK}{}", "x".repeat(300)))), "too long"),
        ("/v1/users", with("name", json!({ "first": MARK })), "another type"),
        ("/v1/users", with("country", json!([MARK])), "another type elsewhere"),
        ("/v1/users", with(MARK, json!(1)), "an unknown field"),
        ("/v1/users", with("occurredAt", json!(MARK)), "no time"),
        ("/v1/orders", json!({ "guest": { "name": MARK, "phone": MARK } }), "a guest with too much"),
        (
            "/v1/orders",
            json!({ "customerNumber": MARK, "country": "France", "currency": "GBP", "lines": [{ "sku": "MUG-1", "quantity": 1 }] }),
            "nobody",
        ),
    ];
    for (path, body, why) in rejected {
        let answer = client.post(path, &[], &body).await?;
        assert!((400..500).contains(&answer.status), "{why}: {} {}", answer.status, answer.body);
    }
    let broken = format!("{{\"name\": \"{MARK}\", \"email\": ");
    let json_header = [("content-type", "application/json")];
    assert_eq!(client.post_text("/v1/users", &json_header, &broken).await?.status, 400);
    let other = json!({ "customerNumber": "17850", "country": "France", "name": format!("{MARK} Other") });
    let reused = client.post("/v1/users", &[("idempotency-key", "one")], &other).await?;
    assert_eq!(reused.error_code(), "IDEMPOTENCY_KEY_REUSED");
    for header in ["x-request-id", "idempotency-key", "if-match", "headwater-min-position"] {
        let value = format!("{MARK} {MARK}");
        client
            .post(&format!("/v1/users/{id}/profile"), &[(header, &value)], &json!({ "name": MARK }))
            .await?;
    }
    for path in [format!("/v1/users/{MARK}"), format!("/{MARK}"), format!("/v1/users?name={MARK}")] {
        assert!(client.get(&path).await?.status >= 400, "{path}");
    }
    for document in [
        format!("{{ customer(number: \"{MARK}\") {{ name }} }}"),
        format!("{{ searchProducts(text: \"{MARK}\") {{ totalCount }} }}"),
        format!("{{ searchProducts(text: \"{}\") {{ totalCount }} }}", MARK.repeat(200)),
        format!("{{ node(id: \"customer:{MARK}\") {{ id }} }}"),
        format!("{{ {MARK} }}"),
        format!("query {MARK} {{ products(first: 1, after: \"{MARK}\") {{ nodes {{ sku }} }} }}"),
        format!("{{ syntax \"{MARK}"),
    ] {
        client.query(&document, &json!({ "unused": MARK }), None).await?;
        client.query(&document, &json!({}), Some(MARK)).await?;
    }
    Ok(())
}
