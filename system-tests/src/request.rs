//! A client that knows no more than the public contracts: JSON over HTTP.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// An answer: status, the headers that the contracts name, and the JSON body.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// `ETag`.
    pub etag: Option<String>,
    /// `Location`.
    pub location: Option<String>,
    /// The body; `null` when it was no JSON.
    pub body: Value,
}

impl Answer {
    /// The stable code of an error answer, or an empty text.
    #[must_use]
    pub fn error_code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    /// The position token of the body.
    #[must_use]
    pub fn position(&self) -> &str {
        self.body["position"].as_str().unwrap_or_default()
    }
}

/// Speaks REST and GraphQL to one address.
#[derive(Debug, Clone)]
pub struct Client {
    base: String,
    http: reqwest::Client,
}

impl Client {
    /// A client of `base`, such as `http://127.0.0.1:8080`.
    #[must_use]
    pub fn new(base: &str) -> Self {
        Self { base: base.to_owned(), http: reqwest::Client::new() }
    }

    /// Posts a command with headers.
    ///
    /// # Errors
    /// No answer came.
    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Result<Answer> {
        self.send(self.http.post(format!("{}{path}", self.base)).json(body), headers).await
    }

    /// Posts a body as it stands.
    ///
    /// # Errors
    /// No answer came.
    pub async fn post_text(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Result<Answer> {
        self.send(self.http.post(format!("{}{path}", self.base)).body(body.to_owned()), headers).await
    }

    /// Reads a resource.
    ///
    /// # Errors
    /// No answer came.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(self.http.get(format!("{}{path}", self.base)), &[]).await
    }

    /// Makes a request of any method, without a body.
    ///
    /// # Errors
    /// No answer came.
    pub async fn request(&self, method: reqwest::Method, path: &str) -> Result<Answer> {
        self.send(self.http.request(method, format!("{}{path}", self.base)), &[]).await
    }

    /// Asks a GraphQL question, at a position if one is given; the answer's body has `data`, `errors`, `extensions`.
    ///
    /// # Errors
    /// No answer came.
    pub async fn query(
        &self,
        document: &str,
        variables: &Value,
        min_position: Option<&str>,
    ) -> Result<Answer> {
        let body = json!({ "query": document, "variables": variables });
        let headers: Vec<_> =
            min_position.map(|token| ("headwater-min-position", token)).into_iter().collect();
        self.post("/graphql", &headers, &body).await
    }

    async fn send(&self, mut request: reqwest::RequestBuilder, headers: &[(&str, &str)]) -> Result<Answer> {
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.context("no answer")?;
        let header =
            |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let (status, etag, location) = (response.status().as_u16(), header("etag"), header("location"));
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Answer { status, etag, location, body })
    }
}
