//! An order that cannot be read, in a running shop: everything else goes on, and a person settles it by the commands.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use event_store::{EventId, EventStore, Expected, Metadata, NewEvent, StreamId};
use serde_json::{Value, json};
use system_tests::{Headwater, Options, binary, eventually};
use uuid::Uuid;

use crate::home;

const SOON: Duration = Duration::from_secs(30);

/// `headwater` with these words, for a data directory.
pub(crate) async fn headwater(data_dir: &Path, words: &[&str]) -> Result<Output> {
    let mut command = Command::new(binary()?);
    command.args(words).arg("--data-dir").arg(data_dir);
    command.env_remove("HEADWATER_EVENTSTORE").stdin(Stdio::null());
    Ok(tokio::task::spawn_blocking(move || command.output()).await??)
}

/// Appends two events to the stream of an order that no version of it ever wrote, and gives the place that they park.
pub(crate) async fn append_unreadable_order(running: &Headwater) -> Result<String> {
    let log = EventStore::connect(&format!("esdb://{}?tls=false", running.node))?;
    let stream = StreamId::new("order", &Uuid::new_v4());
    for _ in 0..2 {
        let id = Uuid::new_v4();
        let event = NewEvent {
            id: EventId(id),
            event_type: "OrderPlaced".into(),
            data: b"{\"lines\":\"none\"}".as_slice().into(),
            metadata: Metadata::of_command(id, 1, jiff::Timestamp::now()),
        };
        log.append(&stream, Expected::Any, vec![event]).await?;
    }
    Ok(format!("stream/{stream}"))
}

async fn list(data_dir: &Path) -> Result<Vec<Value>> {
    let output = headwater(data_dir, &["parked", "list", "--json"]).await?;
    ensure!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).with_context(|| format!("{output:?}"))
}

fn projections(parked: &[Value]) -> Vec<&str> {
    parked.iter().filter_map(|at| at["projection"].as_str()).collect()
}

/// The same on the admin port: what waits in the shop is shown, tried again, and left out one after the other.
async fn by_rest(running: &Headwater, place: &str) -> Result<()> {
    let operations = running.operations();
    let list = operations.get("/parked?projection=shop").await?;
    assert_eq!((list.status, list.body[0]["place"].as_str()), (200, Some(place)), "{list:?}");
    let unknown = operations.get("/parked?projection=orders").await?;
    assert_eq!((unknown.status, unknown.error_code()), (422, "UNKNOWN_REFERENCE"), "{unknown:?}");
    let waiting = operations.get(&format!("/parked/waiting?projection=shop&place={place}")).await?;
    assert_eq!(waiting.body["waitingEvents"].as_array().map(Vec::len), Some(2), "{waiting:?}");
    let at = json!({ "projection": "shop", "place": place });
    let retried = operations.post("/parked/retry", &[], &at).await?;
    assert_eq!((retried.status, &retried.body["still"]["waiting"]), (200, &json!(2)), "{retried:?}");
    for left in [json!(1), Value::Null] {
        let skipped = operations.post("/parked/skip", &[], &at).await?;
        assert_eq!((skipped.status, &skipped.body["still"]["waiting"]), (200, &left), "{skipped:?}");
    }
    for (path, body, status, code) in [
        ("/parked/skip", &at, 422, "UNKNOWN_REFERENCE"),
        ("/parked/retry", &json!({ "projection": "shop" }), 422, "INVALID_INPUT"),
        (
            "/parked/retry",
            &json!({ "projection": "shop", "place": place, "all": true }),
            422,
            "INVALID_INPUT",
        ),
    ] {
        let refused = operations.post(path, &[], body).await?;
        assert_eq!((refused.status, refused.error_code()), (status, code), "{refused:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_read_parks_its_stream_until_somebody_skips_it() -> Result<()> {
    let home = home()?;
    let options = Options::at(&home.path().join("data"));
    let running = Headwater::start(&options).await?;
    let node = running.node.to_string();
    assert_eq!(list(&options.data_dir).await?, [] as [Value; 0]);

    let place = append_unreadable_order(&running).await?;
    // The shop's views and the saga of orders both read orders.
    let parked = eventually("both parked", SOON, async || {
        let parked = list(&options.data_dir).await?;
        Ok((parked.len() >= 2 && parked.iter().all(|at| at["waiting"] == 2)).then_some(parked))
    })
    .await?;
    assert!(projections(&parked).contains(&"shop"), "{parked:#?}");
    assert!(parked.iter().all(|at| at["place"] == *place && at["tries"] == 0), "{parked:#?}");

    // A product and an order are there at once.
    let client = running.client();
    let mug = json!({ "sku": "MUG-1", "price": { "amount": "4.50", "currency": "GBP" } });
    assert_eq!(client.post("/v1/products", &[], &mug).await?.status, 201);
    let order = json!({ "number": "A-1", "country": "France", "currency": "GBP",
        "lines": [{ "sku": "MUG-1", "quantity": 1 }] });
    let placed = client.post("/v1/orders", &[], &order).await?;
    assert_eq!(placed.status, 201, "{placed:?}");
    let asked = "{ order(number: \"A-1\") { status } }";
    eventually("the order", SOON, async || {
        let answer = client.query(asked, &json!({}), None).await?;
        Ok(answer.body["data"]["order"]["status"].is_string().then_some(()))
    })
    .await?;

    let words = ["parked", "retry", "shop", place.as_str(), "--node-listen", node.as_str()];
    let output = headwater(&options.data_dir, &words).await?;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("still parked, at position"), "{output:?}");
    by_rest(&running, &place).await?;
    for at in parked.iter().filter(|at| at["projection"] != "shop") {
        let name = at["projection"].as_str().context("a name")?;
        let words = ["parked", "skip", name, place.as_str(), "--node-listen", node.as_str()];
        // The first is left out, and then the second fails.
        for expected in [1, 0] {
            let output = headwater(&options.data_dir, &words).await?;
            assert_eq!(output.status.code(), Some(expected), "{name}: {output:?}");
        }
    }
    assert_eq!(list(&options.data_dir).await?, [] as [Value; 0]);

    for words in [&["rebuild", "shop"][..], &["verify", "shop", "--node-listen", node.as_str()]] {
        let output = headwater(&options.data_dir, words).await?;
        assert!(output.status.success(), "{words:?}: {output:?}");
    }
    assert_eq!(list(&options.data_dir).await?, [] as [Value; 0]);
    assert!(running.stop().await?.success());
    Ok(())
}
