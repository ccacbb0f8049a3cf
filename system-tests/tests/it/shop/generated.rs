//! A made-up shop with all that a month may not hold: declines, refusals, lost parcels, orders out of stock, orders
//! called off while they are on their way. A small computation of the test's own says what has to come out.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use system_tests::{Client, Headwater, Options};

use super::invoices::{Invoices, Sale};
use super::{every_order_ended, figures, import, ledger, stock_settled, total};
use crate::home;

/// What the orders that do not end well are about: nothing of the file has this code.
const SKU: &str = "PARCEL";
const PRICE_MINOR: i64 = 725;
const RECEIVED: i64 = 1_000;
const DAY: &str = "2012-03-05";

/// Tokens that the sandbox knows, and whether the goods are gone.
const TROUBLE: [(&str, &str, bool); 4] = [
    ("paymentToken", "decline", false),
    ("paymentToken", "decline-capture", false),
    ("shippingToken", "refuse", false),
    ("shippingToken", "lost", true),
];

/// How many orders are called off at once after they were placed.
const CALLED_OFF: usize = 12;

#[tokio::test(flavor = "multi_thread")]
async fn a_made_up_shop_agrees_with_a_computation_of_its_own() -> Result<()> {
    let home = home()?;
    let running = Headwater::start(&Options::at(&home.path().join("data"))).await?;
    let client = running.client();
    let invoices = Invoices::of_seed(20_261_120);
    let mut book = invoices.book();
    let file = home.path().join("made-up.csv");
    std::fs::write(&file, invoices.to_csv())?;

    let summary = import(&running, &file).await?;
    assert_eq!(total(&summary, "rejected"), 0, "{summary}");
    let parcels = receive_parcels(&client).await?;
    book.stock.insert(SKU.to_owned(), RECEIVED);

    let mut placed = book.orders.len();
    for (round, (kind, token, is_gone)) in TROUBLE.into_iter().cycle().take(2 * TROUBLE.len()).enumerate() {
        let quantity = 1 + round as i64;
        place(&client, quantity, Some((kind, token))).await?;
        *book.stock.entry(SKU.to_owned()).or_default() -= if is_gone { quantity } else { 0 };
        placed += 1;
    }
    place(&client, RECEIVED + 1, None).await?;
    placed += 1;
    let mut cancelled = 2 * TROUBLE.len() + 1;
    for _ in 0..CALLED_OFF {
        let order = place(&client, 3, None).await?;
        placed += 1;
        let body = json!({ "reason": "REQUESTED" });
        let answer = client.post(&format!("/v1/orders/{order}/cancel"), &[], &body).await?;
        // Whoever was quicker: an order that has left the house goes its way.
        if answer.status == 200 {
            cancelled += 1;
        } else {
            assert_eq!(answer.status, 409, "{}", answer.body);
            book.orders.push(sale(3));
            *book.stock.entry(SKU.to_owned()).or_default() -= 3;
        }
    }
    let in_order = place(&client, 5, None).await?;
    placed += 1;
    book.orders.push(sale(5));
    *book.stock.entry(SKU.to_owned()).or_default() -= 5;

    assert_eq!(every_order_ended(&client, placed as u64).await?, cancelled as u64);
    let units = stock_settled(&client, book.stock.values().sum()).await?;
    assert_eq!(Value::Object(units), json!(book.stock));
    for (from, to) in
        [("2011-12-30", DAY), ("2011-12-31", "2011-12-31"), ("2012-02-29", "2012-02-29"), ("2012-01-02", DAY)]
    {
        assert_eq!(figures(&client, from, to).await?, book.figures(from, to), "{from} to {to}");
    }
    ledger::what_was_kept(&running, book.gross()).await?;
    the_stock_agrees_over_rest(&client, &parcels, book.stock[SKU]).await?;
    let order = client.get(&format!("/v1/orders/{in_order}")).await?;
    assert_eq!(order.body["status"], "DELIVERED", "{}", order.body);
    assert!(running.stop().await?.success());
    Ok(())
}

/// Lists the product and takes in its units; gives its id.
async fn receive_parcels(client: &Client) -> Result<String> {
    let product = json!({ "sku": SKU, "name": "Parcel", "price": { "amount": "7.25", "currency": "GBP" } });
    let listed = client.post("/v1/products", &[], &product).await?;
    assert_eq!(listed.status, 201, "{}", listed.body);
    let id = listed.body["id"].as_str().context("an id")?.to_owned();
    let body = json!({ "quantity": RECEIVED });
    let received = client.post(&format!("/v1/stock/{id}/receive"), &[], &body).await?;
    assert_eq!(received.status, 200, "{}", received.body);
    Ok(id)
}

/// Places a guest's order for parcels; gives its id.
async fn place(client: &Client, quantity: i64, token: Option<(&str, &str)>) -> Result<String> {
    let mut order = json!({ "country": "France", "currency": "GBP", "occurredAt": format!("{DAY}T12:00:00Z"),
                            "lines": [{ "sku": SKU, "quantity": quantity }] });
    if let Some((kind, token)) = token {
        order[kind] = json!(token);
    }
    let placed = client.post("/v1/orders", &[], &order).await?;
    assert_eq!(placed.status, 201, "{}", placed.body);
    Ok(placed.body["id"].as_str().context("an id")?.to_owned())
}

fn sale(quantity: i64) -> Sale {
    let lines = vec![(SKU.to_owned(), quantity, PRICE_MINOR)];
    Sale { day: DAY.to_owned(), country: "France".to_owned(), customer: None, lines }
}

async fn the_stock_agrees_over_rest(client: &Client, product: &str, on_hand: i64) -> Result<()> {
    let stock = client.get(&format!("/v1/stock/{product}")).await?;
    assert_eq!(
        (&stock.body["onHand"], &stock.body["reserved"]),
        (&json!(on_hand), &json!(0)),
        "{}",
        stock.body
    );
    Ok(())
}
