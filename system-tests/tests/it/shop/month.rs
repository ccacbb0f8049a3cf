//! The month of a real shop comes out to the penny, in the figures that its README states.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use system_tests::{Client, Headwater, Options, retail_file};

use super::{ask, every_order_ended, figures, head, import, ledger, orders, stock_settled, total};
use crate::home;

pub(super) const ORDERS: u64 = 1_559;
pub(super) const CUSTOMERS: u64 = 948;
pub(super) const PRODUCTS: u64 = 2_822;

/// Units in the house at the end.
pub(super) const ON_HAND: i64 = 19_119;

#[tokio::test(flavor = "multi_thread")]
async fn the_month_of_a_real_shop_comes_out_to_the_penny_and_twice_adds_nothing() -> Result<()> {
    let Some(file) = retail_file() else { return Ok(()) };
    let home = home()?;
    let options = Options::at(&home.path().join("data"));

    let running = Headwater::start(&options).await?;
    let client = running.client();
    let summary = import(&running, &file).await?;
    assert_eq!((total(&summary, "rejected"), total(&summary, "alreadyThere")), (0, 0), "{summary}");
    assert_eq!(every_order_ended(&client, ORDERS).await?, 0, "nothing is out of stock, nothing is declined");
    assert_eq!(orders(&client, None).await?, ORDERS);
    the_sales_are_those_of_the_readme(&client).await?;
    assert_eq!(customers_and_products(&client).await?, (CUSTOMERS, PRODUCTS));
    the_stock_is_that_of_the_readme(&client).await?;
    ledger::each_order_was_captured_once(&running, ORDERS, 82_374_614).await?;
    let before = head(&client).await?;
    assert!(running.stop().await?.success());

    let running = Headwater::start(&options).await?;
    let client = running.client();
    let again = import(&running, &file).await?;
    assert_eq!((total(&again, "rejected"), total(&again, "sent")), (0, 0), "{again}");
    assert_eq!(head(&client).await?, before, "the second import has left the log as it was");
    the_sales_are_those_of_the_readme(&client).await?;
    assert_eq!(customers_and_products(&client).await?, (CUSTOMERS, PRODUCTS));
    ledger::each_order_was_captured_once(&running, ORDERS, 82_374_614).await?;
    assert!(running.stop().await?.success());
    Ok(())
}

pub(super) async fn the_sales_are_those_of_the_readme(client: &Client) -> Result<()> {
    let figures = figures(client, "2010-12-01", "2010-12-31").await?;
    let summary = json!({
        "orders": 1_559, "guestOrders": 159, "returns": 326, "unitsSold": 359_239,
        "gross": { "amount": "823746.14" }, "returned": { "amount": "74789.12" },
        "net": { "amount": "748957.02", "currency": "GBP" },
    });
    assert_eq!(figures["salesSummary"], summary);
    assert_eq!(
        top(&figures["byUnits"], "sku", |row| row["units"].clone(), 5),
        json!([["84077", 5_195], ["21212", 4_106], ["85123A", 3_752], ["22834", 3_502], ["22197", 2_738]])
    );
    assert_eq!(
        top(&figures["byRevenue"], "sku", |row| row["revenue"]["amount"].clone(), 5),
        json!([
            ["22423", "27869.96"],
            ["DOT", "24671.19"],
            ["AMAZONFEE", "13541.33"],
            ["85123A", "10435.36"],
            ["84029E", "9291.73"],
        ])
    );
    let gross = |row: &Value| row["gross"]["amount"].clone();
    assert_eq!(
        top(&figures["salesByCountry"], "country", gross, 5),
        json!([
            ["United Kingdom", "748268.98"],
            ["Germany", "15241.14"],
            ["EIRE", "10033.26"],
            ["France", "9616.31"],
            ["Netherlands", "8784.48"],
        ])
    );
    for (country, amount) in [("Austria", "277.20"), ("Cyprus", "1590.82")] {
        let rows = figures["salesByCountry"].as_array().unwrap();
        assert_eq!(rows.iter().find(|row| row["country"] == country).map(gross), Some(json!(amount)));
    }
    assert_eq!(
        top(&figures["topCustomers"], "customerNumber", gross, 3),
        json!([["18102", "27834.61"], ["15061", "19950.66"], ["16029", "13112.52"]])
    );
    let days: Vec<_> =
        figures["salesByDay"].as_array().unwrap().iter().filter(|day| day["orders"] != 0).collect();
    assert_eq!(days.len(), 20);
    for (day, amount) in [("2010-12-07", "99618.20"), ("2010-12-10", "59182.92"), ("2010-12-01", "58960.79")]
    {
        assert_eq!(
            days.iter().find(|row| row["day"] == day).map(|row| gross(row)),
            Some(json!(amount)),
            "{day}"
        );
    }
    Ok(())
}

/// How many customers and products there are.
pub(super) async fn customers_and_products(client: &Client) -> Result<(u64, u64)> {
    let counts = "{ customers(first: 1) { totalCount } products(first: 1) { totalCount } }";
    let counts = ask(client, counts, &json!({})).await?;
    let count = |name: &str| counts[name]["totalCount"].as_u64().context("a count");
    Ok((count("customers")?, count("products")?))
}

/// The first rows of a list, each with its name and one figure.
fn top(rows: &Value, name: &str, figure: impl Fn(&Value) -> Value, count: usize) -> Value {
    let rows = rows.as_array().unwrap().iter().take(count);
    rows.map(|row| json!([row[name], figure(row)])).collect()
}

async fn the_stock_is_that_of_the_readme(client: &Client) -> Result<()> {
    let units = stock_settled(client, ON_HAND).await?;
    for (sku, on_hand) in
        [("85123A", 529), ("22423", 98), ("84077", 0), ("22197", 7), ("21275", 5), ("20893", 36)]
    {
        assert_eq!(units.get(sku), Some(&json!(on_hand)), "{sku}");
    }
    Ok(())
}
