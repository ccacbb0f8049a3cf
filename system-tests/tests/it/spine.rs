//! From a command over REST to an answer over GraphQL, and everything still there after every kind of end.

use std::os::unix::fs::DirBuilderExt as _;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use system_tests::{Account, Answer, Client, Headwater, Options, eventually};

use crate::home;

const PRODUCT: &str = "query($sku: String!) { product(sku: $sku) {
    sku name price { amount currency } onHand reserved status revision } }";

/// The number of an account that every Debian has and that owns nothing.
const NOBODY: u32 = 65_534;

fn mug() -> Value {
    json!({ "sku": "MUG-1", "name": "Blue mug", "price": { "amount": "4.50", "currency": "GBP" } })
}

async fn product(client: &Client, sku: &str, at: &str) -> Result<Value> {
    let answer = client.query(PRODUCT, &json!({ "sku": sku }), Some(at)).await?;
    assert!(answer.body.get("errors").is_none(), "{}", answer.body);
    Ok(answer.body["data"]["product"].clone())
}

/// Lists a mug, receives 12, reserves 5; gives the answers of the first and the last command.
async fn shop_a_little(client: &Client) -> Result<(Answer, Answer)> {
    let listed = client.post("/v1/products", &[("idempotency-key", "list-mug")], &mug()).await?;
    assert_eq!(listed.status, 201, "{}", listed.body);
    let id = listed.body["id"].as_str().context("an id")?;
    let received = client.post(&format!("/v1/stock/{id}/receive"), &[], &json!({ "quantity": 12 })).await?;
    assert_eq!(received.status, 200, "{}", received.body);
    let order = uuid::Uuid::from_u128(5).to_string();
    let reserve = json!({ "orderId": order, "quantity": 5 });
    let reserved =
        client.post(&format!("/v1/stock/{id}/reserve"), &[("if-match", "\"0\"")], &reserve).await?;
    assert_eq!(reserved.status, 200, "{}", reserved.body);
    Ok((listed, reserved))
}

fn expected_mug() -> Value {
    json!({ "sku": "MUG-1", "name": "Blue mug", "price": { "amount": "4.50", "currency": "GBP" },
            "onHand": 12, "reserved": 5, "status": "LISTED", "revision": 0 })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_seen_in_graphql_at_its_position_and_outlives_every_end() -> Result<()> {
    let home = home()?;
    let options = Options::at(&home.path().join("data"));

    let running = Headwater::start(&options).await?;
    let (listed, reserved) = shop_a_little(&running.client()).await?;
    assert_eq!(product(&running.client(), "MUG-1", reserved.position()).await?, expected_mug());
    assert!(running.stop().await?.success(), "a start that is asked to stop ends well");

    let running = Headwater::start(&options).await?;
    assert_eq!(product(&running.client(), "MUG-1", reserved.position()).await?, expected_mug());
    let more = running
        .client()
        .post(
            "/v1/products",
            &[],
            &json!({
        "sku": "MUG-2", "price": { "amount": "1.00", "currency": "GBP" } }),
        )
        .await?;
    assert_eq!(more.status, 201, "{}", more.body);
    running.kill().await?;

    let running = Headwater::start(&options).await?;
    let client = running.client();
    assert_eq!(product(&client, "MUG-2", more.position()).await?["sku"], "MUG-2");
    let again = client.post("/v1/products", &[("idempotency-key", "list-mug")], &mug()).await?;
    assert_eq!(
        (again.status, &again.body),
        (listed.status, &listed.body),
        "a retry has the answer of the first try"
    );
    let other = json!({ "sku": "MUG-1", "price": { "amount": "9.99", "currency": "GBP" } });
    let reused = client.post("/v1/products", &[("idempotency-key", "list-mug")], &other).await?;
    assert_eq!((reused.status, reused.error_code()), (422, "IDEMPOTENCY_KEY_REUSED"));
    assert!(running.stop().await?.success());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_user_can_run_it_too() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        // Then every other test here has just shown it.
        return Ok(());
    }
    let home = tempfile::tempdir()?;
    let nobody = rustix::fs::Uid::from_raw(NOBODY);
    rustix::fs::chown(home.path(), Some(nobody), Some(rustix::fs::Gid::from_raw(NOBODY)))?;
    let options = Options { account: Account::Ordinary(NOBODY), ..Options::at(&home.path().join("data")) };
    for _ in 0..2 {
        let running = Headwater::start(&options).await?;
        let listed =
            running.client().post("/v1/products", &[("idempotency-key", "list-mug")], &mug()).await?;
        assert_eq!(listed.status, 201, "{}", listed.body);
        assert_eq!(product(&running.client(), "MUG-1", listed.position()).await?["name"], "Blue mug");
        running.kill().await?;
    }
    assert!(Headwater::start(&options).await?.stop().await?.success());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_of_a_start_is_named() -> Result<()> {
    let home = home()?;
    let options = Options::at(&home.path().join("data"));
    let running = Headwater::start(&options).await?;

    let in_use = refused(&options).await?;
    assert!(in_use.contains("in use"), "{in_use}");

    let elsewhere = Options::at(&home.path().join("elsewhere"));
    let untouched = || Options::at(&home.path().join("untouched"));
    let taken = [
        ("--listen", running.public, Options { public: Some(running.public), ..untouched() }),
        ("--node-listen", running.node, Options { node: Some(running.node), ..untouched() }),
        ("--admin-listen", running.admin, Options { admin: Some(running.admin), ..untouched() }),
        ("--sandbox-listen", running.sandbox, Options { sandbox: Some(running.sandbox), ..untouched() }),
    ];
    for (flag, address, options) in taken {
        let taken = refused(&options).await?;
        assert!(taken.contains(&format!("{flag} {address} is taken")), "{taken}");
    }

    std::fs::create_dir(home.path().join("elsewhere"))?;
    std::fs::write(home.path().join("elsewhere/thesis.txt"), "mine")?;
    let foreign = refused(&elsewhere).await?;
    assert!(foreign.contains("--data-dir"), "{foreign}");

    if rustix::process::geteuid().is_root() {
        // PostgreSQL will not run as root, and whom it runs as may not pass here.
        let closed = home.path().join("closed");
        std::fs::DirBuilder::new().mode(0o700).create(&closed)?;
        let unreachable = refused(&Options::at(&closed.join("data"))).await?;
        let way_out = format!("chmod o+x {}", closed.display());
        assert!(unreachable.contains("--data-dir") && unreachable.contains(&way_out), "{unreachable}");
    }
    assert!(running.stop().await?.success());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_projections_tell_their_state_and_catch_up_by_themselves() -> Result<()> {
    let home = home()?;
    let running = Headwater::start(&Options::at(&home.path().join("data"))).await?;
    let client = running.client();
    shop_a_little(&client).await?;
    let rows = eventually("every projection live", Duration::from_secs(20), async || {
        let answer = client
            .query(
                "{ projections { name state position headPosition lagSeconds lagEvents } }",
                &json!({}),
                None,
            )
            .await?;
        let rows = answer.body["data"]["projections"].clone();
        let live = rows.as_array().is_some_and(|rows| {
            !rows.is_empty()
                && rows.iter().all(|row| row["state"] == "LIVE" && row["position"] == row["headPosition"])
        });
        Ok(live.then_some(rows))
    })
    .await?;
    assert!(rows.as_array().is_some_and(|rows| rows.iter().any(|row| row["name"] == "catalogue")), "{rows}");
    assert!(running.stop().await?.success());
    Ok(())
}

/// Starts, expects the start to fail, and gives what it printed.
async fn refused(options: &Options) -> Result<String> {
    let mut failing = Headwater::spawn(options)?;
    let status = failing.ended().await?;
    assert!(!status.success());
    Ok(failing.output())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_does_not_wait_in_vain_at_the_position_of_an_order() -> Result<()> {
    let home = home()?;
    let running = Headwater::start(&Options::at(&home.path().join("data"))).await?;
    let client = running.client();
    shop_a_little(&client).await?;
    let order =
        json!({ "country": "France", "currency": "GBP", "lines": [{ "sku": "MUG-1", "quantity": 2 }] });
    let placed = client.post("/v1/orders", &[], &order).await?;
    assert_eq!(placed.status, 201, "{}", placed.body);
    assert_eq!(product(&client, "MUG-1", placed.position()).await?["sku"], "MUG-1");
    assert!(running.stop().await?.success());
    Ok(())
}
