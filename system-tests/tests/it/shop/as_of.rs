//! The past of a shop: what was answered at a position is answered as of it later on, also from tables built anew.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use system_tests::{Client, Headwater, Options, eventually};

use super::rebuilt::told;
use super::{every_order_ended, sample};
use crate::home;

/// One a projection, so that the position of an answer is that of all its rows.
const QUESTIONS: [&str; 3] = [
    "query($asOf: AsOf) {
        orders(first: 100, asOf: $asOf) { totalCount nodes { number status revision gross { amount }
            lines { sku quantity } payments { status refunded { amount } } shipments { status } returns { number } } }
        salesSummary(from: \"2010-12-01\", to: \"2010-12-31\", asOf: $asOf) { orders gross { amount } returned { amount } }
        salesByCountry(from: \"2010-12-01\", to: \"2010-12-31\", asOf: $asOf) { country orders gross { amount } }
        topCustomers(from: \"2010-12-01\", to: \"2010-12-31\", asOf: $asOf) { customerNumber gross { amount } }
    }",
    "query($asOf: AsOf) { products(first: 100, asOf: $asOf) { totalCount
        nodes { sku onHand reserved price { amount } revision stockRevision } } }",
    "query($asOf: AsOf) { customers(first: 100, asOf: $asOf) { totalCount nodes { customerNumber revision } } }",
];

const PATIENCE: Duration = Duration::from_secs(60);

/// Answers by question and position.
type Seen = BTreeMap<(usize, String), Value>;

async fn ask(client: &Client, question: usize, as_of: &Value) -> Result<(String, Value)> {
    let answer = client.query(QUESTIONS[question], &json!({ "asOf": as_of }), None).await?.body;
    ensure!(answer.get("errors").is_none(), "{as_of}: {answer}");
    let position = answer["extensions"]["position"].as_str().context("a position")?.to_owned();
    Ok((position, answer["data"].clone()))
}

/// Asks all the time until the shop has its sample and every order its end.
async fn watch(running: &Headwater) -> Result<Seen> {
    let (client, mut seen) = (running.client(), Seen::new());
    let ended = async {
        sample::sample_is_loaded(running).await?;
        every_order_ended(&client, sample::ORDERS).await
    };
    tokio::pin!(ended);
    loop {
        for question in 0..QUESTIONS.len() {
            // Before the first event of a projection there may be no table to read.
            if let Ok((position, data)) = ask(&client, question, &Value::Null).await {
                seen.insert((question, position), data);
            }
        }
        tokio::select! {
            biased;
            ended = &mut ended => {
                ended?;
                return Ok(seen);
            }
            () = tokio::time::sleep(Duration::from_millis(10)) => {}
        }
    }
}

async fn answers_are_those_seen(client: &Client, seen: &Seen) -> Result<()> {
    for ((question, position), data) in seen {
        let (at, then) = ask(client, *question, &json!({ "position": position })).await?;
        ensure!(at == *position && then == *data, "as of {position}: {then}\nwas: {data}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_at_a_position_is_answered_as_of_it() -> Result<()> {
    let home = home()?;
    let options = Options { sample: true, ..Options::at(&home.path().join("data")) };
    let running = Headwater::start(&options).await?;
    let mut seen = watch(&running).await?;
    let client = running.client();
    let of_orders = seen.keys().filter(|(question, _)| *question == 0).count();
    assert!(of_orders > 10, "only {of_orders} states of the orders were seen");

    // Everything has come to rest: a moment, and what it looked like.
    let rested = jiff::Timestamp::now();
    let mut at_rest = Vec::new();
    for question in 0..QUESTIONS.len() {
        let (position, data) = ask(&client, question, &Value::Null).await?;
        at_rest.push(data.clone());
        seen.insert((question, position), data);
    }
    let order = json!({ "number": "LATER-1", "country": "France", "currency": "GBP", "lines": [
        { "sku": "85123A", "quantity": 1, "unitPrice": { "amount": "2.55", "currency": "GBP" } }] });
    let placed = client.post("/v1/orders", &[], &order).await?;
    assert_eq!(placed.status, 201, "{placed:?}");
    eventually("the order's end", PATIENCE, async || {
        let asked = "{ order(number: \"LATER-1\") { status } }";
        let answer = client.query(asked, &json!({}), None).await?.body;
        let status = answer["data"]["order"]["status"].as_str();
        Ok(status.is_some_and(|status| ["DELIVERED", "CANCELLED"].contains(&status)).then_some(()))
    })
    .await?;

    let all_is_as_seen = async || {
        answers_are_those_seen(&client, &seen).await?;
        for (question, data) in at_rest.iter().enumerate() {
            let (_, then) = ask(&client, question, &json!({ "time": rested.to_string() })).await?;
            ensure!(then == *data, "as of {rested}: {then}\nwas: {data}");
        }
        anyhow::Ok(())
    };
    all_is_as_seen().await?;
    let rebuilt = told(&["rebuild", "--all"], &options.data_dir).await?;
    assert!(
        rebuilt.as_array().is_some_and(|all| all.iter().all(|one| one["outcome"] == "active")),
        "{rebuilt}"
    );
    all_is_as_seen().await?;
    assert!(running.stop().await?.success());
    Ok(())
}
