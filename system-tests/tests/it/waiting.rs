//! Read your own writes through the shipped binary, when the worker of a projection is slow and while a projection is
//! built anew.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use system_tests::{Answer, Client, Headwater, Options, eventually};

use crate::shop::rebuilt::told;
use crate::{database, home};

const PATIENCE: Duration = Duration::from_secs(60);

fn pounds(amount: &str) -> Value {
    json!({ "amount": amount, "currency": "GBP" })
}

async fn list(client: &Client, sku: &str) -> Result<Answer> {
    let product = json!({ "sku": sku, "name": "Blue mug", "price": pounds("4.50") });
    let listed = client.post("/v1/products", &[], &product).await?;
    ensure!(listed.status == 201, "{listed:?}");
    Ok(listed)
}

async fn ask(client: &Client, sku: &str, at: Option<&str>) -> Result<Value> {
    let query = "query($sku: String!) { product(sku: $sku) { sku price { amount } } }";
    Ok(client.query(query, &json!({ "sku": sku }), at).await?.body)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_with_a_token_waits_for_a_slow_worker_and_one_without_does_not() -> Result<()> {
    let home = home()?;
    let options = Options::at(&home.path().join("data"));
    let running = Headwater::start(&options).await?;
    let client = running.client();
    let first = list(&client, "MUG-1").await?;
    assert_eq!(ask(&client, "MUG-1", Some(first.position())).await?["data"]["product"]["sku"], "MUG-1");

    // The worker takes as long as this lock is held.
    let database = database(&options.data_dir).await?;
    let slow = "
        SELECT pg_advisory_lock(17);
        CREATE FUNCTION headwater.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            PERFORM pg_advisory_xact_lock_shared(17); RETURN new;
        END $$;
        CREATE TRIGGER slow BEFORE INSERT ON headwater.products_v1 FOR EACH ROW EXECUTE FUNCTION headwater.slow()";
    database.batch_execute(slow).await?;
    let second = list(&client, "MUG-2").await?;
    eventually("the worker waits", PATIENCE, async || {
        let waits =
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 17 AND NOT granted";
        Ok((database.query_one(waits, &[]).await?.get::<_, i64>(0) > 0).then_some(()))
    })
    .await?;
    let without = ask(&client, "MUG-2", None).await?;
    assert_eq!((&without["data"]["product"], without.get("errors")), (&Value::Null, None), "{without}");
    let with = ask(&client, "MUG-2", Some(second.position())).await?;
    let error = &with["errors"][0]["extensions"];
    assert_eq!(
        (&error["code"], &error["details"]["reason"]),
        (&json!("READ_MODEL_BEHIND"), &json!("behind"))
    );

    let (answer, unlocked) = tokio::join!(
        ask(&client, "MUG-2", Some(second.position())),
        database.batch_execute("SELECT pg_advisory_unlock(17)")
    );
    unlocked?;
    let answer = answer?;
    assert_eq!(answer["data"]["product"]["sku"], "MUG-2", "{answer}");
    assert!(running.stop().await?.success());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_is_read_while_the_projection_is_built_anew_and_readers_switch() -> Result<()> {
    let home = home()?;
    let options = Options::at(&home.path().join("data"));
    let running = Headwater::start(&options).await?;
    let client = running.client();
    let listed = list(&client, "MUG-1").await?;
    let id = listed.body["id"].as_str().context("an id")?.to_owned();
    let data_dir = options.data_dir.clone();
    let rebuilt = tokio::spawn(async move { told(&["rebuild", "catalogue"], &data_dir).await });
    let mut pence = 450;
    // Some more when it is over: from the new version.
    let (begun, mut more) = (Instant::now(), 5);
    while more > 0 {
        ensure!(begun.elapsed() < PATIENCE, "the projection is not built in {PATIENCE:?}");
        more -= i32::from(rebuilt.is_finished());
        pence += 1;
        let amount = format!("{}.{:02}", pence / 100, pence % 100);
        let body = json!({ "price": pounds(&amount) });
        let changed = client.post(&format!("/v1/products/{id}/price"), &[], &body).await?;
        ensure!(changed.status == 200, "{changed:?}");
        let seen = ask(&client, "MUG-1", Some(changed.position())).await?;
        assert_eq!(seen["data"]["product"]["price"]["amount"], amount, "{seen}");
    }
    let rebuilt = rebuilt.await??;
    assert_eq!((&rebuilt[0]["outcome"], &rebuilt[0]["version"]), (&json!("active"), &json!(2)), "{rebuilt}");
    assert!(running.stop().await?.success());
    Ok(())
}

/// What is asked of PostgreSQL while nothing happens and nobody waits: heartbeats, which versions there are to be, and the
/// slow looks beside the notifications.
const AT_REST: f64 = 15.0;

#[tokio::test(flavor = "multi_thread")]
async fn at_rest_a_few_statements_a_second_are_asked_of_postgres() -> Result<()> {
    let home = home()?;
    let options = Options::at(&home.path().join("data"));
    let running = Headwater::start(&options).await?;
    let listed = list(&running.client(), "MUG-1").await?;
    assert_eq!(
        ask(&running.client(), "MUG-1", Some(listed.position())).await?["data"]["product"]["sku"],
        "MUG-1"
    );
    let database = database(&options.data_dir).await?;
    let log = options.data_dir.join("postgres/postgres.log");
    let statements = || -> Result<usize> {
        let is_one = |line: &&str| line.contains("LOG:  statement: ") || line.contains("LOG:  execute ");
        Ok(std::fs::read_to_string(&log)?.lines().filter(is_one).count())
    };
    database.batch_execute("ALTER SYSTEM SET log_statement = 'all'").await?;
    database.batch_execute("SELECT pg_reload_conf()").await?;
    eventually("every worker has told its state once", PATIENCE, async || {
        let beats = std::fs::read_to_string(&log)?.matches("UPDATE projection_version v SET fence").count();
        Ok((beats >= 5).then_some(()))
    })
    .await?;

    // A rate over some beats of the slowest; the machine being busy makes it less, not more.
    let (begun, before) = (Instant::now(), statements()?);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let a_second = (statements()? - before) as f64 / begun.elapsed().as_secs_f64();
    println!("{a_second:.1} statements a second at rest");
    assert!(a_second > 1.0, "{a_second} a second: they are not counted");
    assert!(a_second < AT_REST, "{a_second} a second");
    assert!(running.stop().await?.success());
    Ok(())
}
