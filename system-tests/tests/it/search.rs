//! Search through the shipped binary: one position token from a command to a hit, and an index that always comes back.

use std::fs;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use system_tests::{Client, Headwater, Options};

use crate::home;

/// The names that a text finds, at a position.
async fn found(client: &Client, text: &str, at: &str) -> Result<Value> {
    let query = "query($text: String!) { searchProducts(text: $text) { nodes { name } } }";
    let answer = client.query(query, &json!({ "text": text }), Some(at)).await?;
    assert!(answer.body.get("errors").is_none(), "{}", answer.body);
    let nodes = answer.body["data"]["searchProducts"]["nodes"].as_array().context("nodes")?;
    Ok(nodes.iter().map(|node| node["name"].clone()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_is_found_at_the_position_of_its_command_and_after_every_kind_of_end() -> Result<()> {
    let home = home()?;
    let options = Options::at(&home.path().join("data"));
    let running = Headwater::start(&options).await?;
    let client = running.client();
    let price = json!({ "amount": "4.50", "currency": "GBP" });
    let mug = json!({ "sku": "MUG-1", "name": "Blue enamel mug", "price": price });
    let listed = client.post("/v1/products", &[], &mug).await?;
    assert_eq!(listed.status, 201, "{}", listed.body);
    // A misspelt word, right behind the command.
    assert_eq!(found(&client, "enamle mug", listed.position()).await?, json!(["Blue enamel mug"]));
    let id = listed.body["id"].as_str().context("an id")?;
    let details = json!({ "name": "Blue tin mug" });
    let renamed = client.post(&format!("/v1/products/{id}/details"), &[], &details).await?;
    assert_eq!(renamed.status, 200, "{}", renamed.body);
    assert_eq!(found(&client, "enamel", renamed.position()).await?, json!([]));
    running.kill().await?;

    let running = Headwater::start(&options).await?;
    assert_eq!(found(&running.client(), "tin", renamed.position()).await?, json!(["Blue tin mug"]));
    assert!(running.stop().await?.success());

    fs::remove_dir_all(home.path().join("data/search"))?;
    let running = Headwater::start(&options).await?;
    let client = running.client();
    assert_eq!(found(&client, "tin", renamed.position()).await?, json!(["Blue tin mug"]));
    let delisted = client.post(&format!("/v1/products/{id}/delist"), &[], &json!({})).await?;
    assert_eq!(delisted.status, 200, "{}", delisted.body);
    assert_eq!(found(&client, "tin", delisted.position()).await?, json!([]));
    assert!(running.stop().await?.success());
    Ok(())
}
