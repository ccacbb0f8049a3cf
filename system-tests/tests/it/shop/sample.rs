//! The sample shop: there after the first start, once, and no hindrance to the month of the same shop.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use system_tests::{Client, Headwater, Options, eventually, retail_file};

use super::{ask, every_order_ended, head, import, month, orders, stock_settled, total};
use crate::home;

/// What `cli/sample/README.md` says of it.
pub(super) const ORDERS: u64 = 45;
const PRODUCTS: i64 = 267;

/// On hand when every document of the sample is through: what the documents leave, and the spare units.
const ON_HAND: i64 = 126 + SPARE;
const SPARE: i64 = 25 * PRODUCTS;

/// What is received of all products before the documents of the sample, beside the spare units.
const OPENING: i64 = 7_703;

const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn sample_is_loaded(running: &Headwater) -> Result<()> {
    eventually("the welcome", PATIENCE, async || {
        let output = running.output();
        Ok(output.contains("Ctrl-C stops it").then_some(()))
    })
    .await?;
    assert!(running.output().contains("CC BY 4.0"), "{}", running.output());
    Ok(())
}

async fn sales(client: &Client) -> Result<Value> {
    let summary = "{ salesSummary(from: \"2010-12-01\", to: \"2010-12-31\") {
        orders returns gross { amount } returned { amount } } }";
    Ok(ask(client, summary, &json!({})).await?["salesSummary"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_shop_gets_the_sample_once_and_the_month_comes_on_top() -> Result<()> {
    let home = home()?;
    let options = Options { sample: true, ..Options::at(&home.path().join("data")) };

    // Killed at once: what is missing comes with the next start, and nothing twice.
    let running = Headwater::start(&options).await?;
    running.kill().await?;
    let running = Headwater::start(&options).await?;
    sample_is_loaded(&running).await?;
    let client = running.client();
    assert_eq!(every_order_ended(&client, ORDERS).await?, 0);
    stock_settled(&client, ON_HAND).await?;
    let expected = json!({ "orders": 45, "returns": 6, "gross": { "amount": "14972.77" },
                           "returned": { "amount": "40.65" } });
    assert_eq!(sales(&client).await?, expected);
    let before = head(&client).await?;
    assert!(running.stop().await?.success());

    let running = Headwater::start(&options).await?;
    sample_is_loaded(&running).await?;
    let client = running.client();
    assert_eq!(head(&client).await?, before, "the next start has nothing to bring in");
    if let Some(file) = retail_file() {
        let summary = import(&running, &file).await?;
        assert_eq!(total(&summary, "rejected"), 0, "{summary}");
        let there = summary["kinds"]["orders"]["alreadyThere"].as_u64().context("a count")?;
        assert_eq!(there, ORDERS, "the month holds the sample's documents");
        assert_eq!(every_order_ended(&client, month::ORDERS).await?, 0);
        month::the_sales_are_those_of_the_readme(&client).await?;
        let counts = (month::CUSTOMERS, month::PRODUCTS);
        assert_eq!(month::customers_and_products(&client).await?, counts);
        stock_settled(&client, month::ON_HAND + OPENING + SPARE).await?;
    }
    assert!(running.stop().await?.success());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_want_the_sample_does_not_get_it_later_either() -> Result<()> {
    let home = home()?;
    let without = Options::at(&home.path().join("data"));
    let running = Headwater::start(&without).await?;
    assert!(running.stop().await?.success());
    let running = Headwater::start(&Options { sample: true, ..without }).await?;
    eventually("the welcome", PATIENCE, async || {
        Ok(running.output().contains("Ctrl-C stops it").then_some(()))
    })
    .await?;
    assert!(running.output().contains("MUG-1"), "the welcome of an empty shop lists a product");
    assert_eq!(orders(&running.client(), None).await?, 0);
    assert!(running.stop().await?.success());
    Ok(())
}
