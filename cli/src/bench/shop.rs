//! A shop's clients, outside the process that is measured: products listed and priced by REST, asked for by GraphQL.

use std::time::Instant;

use contract::ErrorCode;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::Response;
use serde_json::{Value, json};
use uuid::Uuid;

use super::system::System;
use crate::failure::Failure;

const BY_SKU: &str = "query($text: String!) { product(sku: $text) { sku price { amount } } }";
const FOUND: &str = "query($text: String!) { searchProducts(text: $text, first: 1) { nodes { sku } } }";

/// Products that there are, after `fill`.
pub const PRODUCTS: u64 = 1_000;
const LISTED_AT_ONCE: usize = 32;

/// The SKU of one of them.
pub fn sku(product: u64) -> String {
    format!("MUG-{product}")
}

/// A client of a running system.
#[derive(Debug, Clone)]
pub struct Shop {
    http: reqwest::Client,
    url: String,
}

/// A command that was carried out.
#[derive(Debug)]
pub struct Written {
    /// The token to read it by.
    pub token: String,
    /// When its answer was there.
    pub answered: Instant,
    /// The product.
    pub id: Uuid,
}

/// What became of a query.
#[derive(Debug, Clone, Copy)]
pub enum Read<T> {
    /// It was answered.
    Answered(T),
    /// The read model was too far behind the token.
    Behind,
}

impl Shop {
    /// Of a system.
    ///
    /// # Errors
    /// An HTTP client cannot be made.
    pub fn of(system: &System) -> Result<Self, Failure> {
        let http = reqwest::Client::builder().no_proxy().build().map_err(|error| Failure::of(&error))?;
        Ok(Self { http, url: system.url() })
    }

    /// Lists the products and gives their ids.
    ///
    /// # Errors
    /// One is not listed.
    pub async fn fill(&self) -> Result<Vec<Uuid>, Failure> {
        let listed =
            stream::iter(0..PRODUCTS).map(|product| async move { Ok(self.list(&sku(product)).await?.id) });
        listed.buffered(LISTED_AT_ONCE).try_collect().await
    }

    /// Lists a product.
    ///
    /// # Errors
    /// It is not listed.
    pub async fn list(&self, sku: &str) -> Result<Written, Failure> {
        let product = json!({ "sku": sku, "name": "Measured mug", "price": pounds(1) });
        self.command("/v1/products", &product).await
    }

    /// Gives a product another price.
    ///
    /// # Errors
    /// It has the old one.
    pub async fn price(&self, product: Uuid, pence: u64) -> Result<Written, Failure> {
        let price = json!({ "price": pounds(pence) });
        self.command(&format!("/v1/products/{product}/price"), &price).await
    }

    async fn command(&self, path: &str, body: &Value) -> Result<Written, Failure> {
        let sent = self.http.post(format!("{}{path}", self.url)).json(body).send();
        let answer = answered(sent.await).await?;
        let answered = Instant::now();
        let text = |name: &str| answer[name].as_str().map(str::to_owned);
        let written = text("position").zip(text("id").and_then(|id| Uuid::parse_str(&id).ok()));
        let (token, id) = written.ok_or_else(|| Failure::run(format!("not an answer: {answer}")))?;
        Ok(Written { token, answered, id })
    }

    /// The price of a product in pence, none when there is no such product.
    ///
    /// # Errors
    /// The query fails.
    pub async fn product(&self, sku: &str, token: Option<&str>) -> Result<Read<Option<u64>>, Failure> {
        let price = |data: &Value| data["product"]["price"]["amount"].as_str().and_then(pence);
        self.query(BY_SKU, sku, token, price).await
    }

    /// Whether a text finds the product with this very SKU first.
    ///
    /// # Errors
    /// The query fails.
    pub async fn search(&self, sku: &str, token: &str) -> Result<Read<bool>, Failure> {
        self.query(FOUND, sku, Some(token), |data| data["searchProducts"]["nodes"][0]["sku"] == sku).await
    }

    async fn query<T>(
        &self,
        document: &str,
        text: &str,
        token: Option<&str>,
        of: impl FnOnce(&Value) -> T,
    ) -> Result<Read<T>, Failure> {
        let body = json!({ "query": document, "variables": { "text": text } });
        let mut request = self.http.post(format!("{}/graphql", self.url)).json(&body);
        if let Some(token) = token {
            request = request.header("headwater-min-position", token);
        }
        let answer = answered(request.send().await).await?;
        match &answer["errors"][0]["extensions"]["code"] {
            Value::Null => Ok(Read::Answered(of(&answer["data"]))),
            code if *code == ErrorCode::ReadModelBehind.as_str() => Ok(Read::Behind),
            _ => Err(Failure::run(format!("a query failed: {answer}"))),
        }
    }
}

async fn answered(sent: reqwest::Result<Response>) -> Result<Value, Failure> {
    let response = sent.map_err(|error| Failure::of(&error))?;
    let status = response.status();
    let body: Value = response.json().await.map_err(|error| Failure::of(&error))?;
    if status.is_success() { Ok(body) } else { Err(Failure::run(format!("{status}: {body}"))) }
}

fn pounds(pence: u64) -> Value {
    json!({ "amount": format!("{}.{:02}", pence / 100, pence % 100), "currency": "GBP" })
}

fn pence(amount: &str) -> Option<u64> {
    let (pounds, pence) = amount.split_once('.')?;
    Some(pounds.parse::<u64>().ok()? * 100 + pence.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pence_come_back_from_pounds() {
        for number in [1, 99, 100, 60_005] {
            assert_eq!(pounds(number)["amount"].as_str().and_then(pence), Some(number));
        }
    }
}
