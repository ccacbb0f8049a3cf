//! What both gateways share: one call, and what its answer means.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use domain::value::GatewayReference;
use observability::{propagation, span};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::metrics;

/// The header that makes a call that is sent again the same call.
pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// How long a gateway may take to answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// How long it may take to be reached.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How much of a gateway's refusal is kept, characters.
const REFUSAL_CHARACTERS_MAX: usize = 200;

/// Where a gateway is: an `http` address. What speaks TLS to the outside stands in front of this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayUrl(String);

/// Not the address of a gateway.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the address of a gateway, such as http://127.0.0.1:8090")]
pub struct InvalidGatewayUrl(String);

impl FromStr for GatewayUrl {
    type Err = InvalidGatewayUrl;

    fn from_str(text: &str) -> Result<Self, InvalidGatewayUrl> {
        let url = reqwest::Url::parse(text).ok().filter(|url| url.scheme() == "http" && url.has_host());
        url.ok_or_else(|| InvalidGatewayUrl(text.to_owned()))?;
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

impl fmt::Display for GatewayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A call that did not end in one of the answers that it is about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// No answer, or none that settles it: the same call may be made again.
    #[error("the gateway gave no answer: {0}")]
    Unavailable(String),
    /// The gateway does not take the call, and would not the next time either.
    #[error("the gateway refused the call: {0}")]
    Refused(String),
    /// All is well, but it is too early; ask again.
    #[error("not yet")]
    NotYet,
}

#[derive(Debug, Clone)]
pub(super) struct Client {
    gateway: &'static str,
    base: GatewayUrl,
    http: reqwest::Client,
}

impl Client {
    pub(super) fn new(gateway: &'static str, base: GatewayUrl) -> Self {
        let http = reqwest::Client::builder().timeout(CALL_TIMEOUT).connect_timeout(CONNECT_TIMEOUT);
        // Without TLS there is nothing in it that can fail; were there, the default client is the same but for time.
        Self { gateway, base, http: http.build().unwrap_or_default() }
    }

    pub(super) fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(format!("{}{path}", self.base))
    }

    pub(super) fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.base))
    }

    /// Makes a call and reads its answer.
    pub(super) async fn call<A: DeserializeOwned>(
        &self,
        operation: &'static str,
        command_id: Uuid,
        call: RequestBuilder,
    ) -> Result<A, GatewayError> {
        let began = Instant::now();
        let span = tracing::info_span!(
            "call",
            otel.name = format!("{} {operation}", self.gateway),
            otel.kind = "client",
            headwater.gateway = self.gateway,
            headwater.operation = operation,
        );
        let mut call = call.header(IDEMPOTENCY_KEY, command_id.to_string());
        if let Some(context) = span.in_scope(propagation::current) {
            call = call.header("traceparent", context.traceparent);
            if let Some(state) = context.tracestate {
                call = call.header("tracestate", state);
            }
        }
        let answer = answer(call).instrument(span.clone()).await;
        match &answer {
            Ok(_) => {}
            Err(GatewayError::NotYet) => span::note(&span, "headwater.outcome", "not_yet"),
            Err(GatewayError::Refused(_)) => span::note(&span, "headwater.outcome", "refused"),
            Err(GatewayError::Unavailable(_)) => span::failed(&span, "unavailable"),
        }
        metrics::record_gateway_call(self.gateway, operation, began.elapsed(), answer.as_ref().err());
        answer
    }
}

async fn answer<A: DeserializeOwned>(call: RequestBuilder) -> Result<A, GatewayError> {
    let unavailable = |error: reqwest::Error| GatewayError::Unavailable(error.without_url().to_string());
    let response = call.send().await.map_err(unavailable)?;
    let status = response.status();
    if status.is_success() {
        return response.json().await.map_err(unavailable);
    }
    let passing = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
    if !status.is_client_error() || passing.contains(&status) {
        return Err(GatewayError::Unavailable(status.to_string()));
    }
    let text = response.text().await.unwrap_or_default();
    let text: String = text.chars().filter(|c| !c.is_control()).take(REFUSAL_CHARACTERS_MAX).collect();
    Err(GatewayError::Refused(format!("{status} {text}")))
}

/// What a gateway calls something, as one segment of a path.
pub(super) fn segment(reference: &GatewayReference) -> impl fmt::Display {
    utf8_percent_encode(reference.as_str(), NON_ALPHANUMERIC)
}
