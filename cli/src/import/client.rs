//! A client of the REST API that does not give up easily: what the server could not take now goes again, for a
//! while; what it refuses is told.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use contract::ErrorCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode, Url};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::progress::Progress;
use super::request::Request;

/// Says that an answer is that of an earlier request with the same `Idempotency-Key`.
const REPLAYED: &str = "idempotent-replayed";
/// On every answer of a command that was carried out.
const POSITION: &str = "headwater-position";
/// More of an answer is not read, in bytes; those of the contract are far smaller.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// How long to go on trying.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// A request without a usable answer for so long ends the import.
    pub give_up_after: Duration,
    /// The pause before the second try; it doubles from try to try.
    pub first_pause: Duration,
    /// The longest pause, unless the server asks for more.
    pub longest_pause: Duration,
    /// One try may take so long.
    pub try_timeout: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            give_up_after: Duration::from_secs(60),
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(5),
            try_timeout: Duration::from_secs(20),
        }
    }
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The server has carried it out.
    Sent,
    /// It was there already.
    AlreadyThere,
    /// The server refuses it.
    Rejected(Refusal),
}

/// Why the server refuses a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The line of the table of errors.
    pub code: String,
    /// The server's sentence.
    pub message: String,
}

/// What ends an import before its time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ending {
    /// Somebody asked for it.
    #[error("stopped; run the same command again to send the rest, nothing is done twice")]
    Interrupted,
    /// The server went away and did not come back.
    #[error(
        "the server at {url} could not take a request for {seconds} s ({reason}); run the same command again to \
         send the rest, nothing is done twice"
    )]
    ServerLost {
        /// Which server.
        url: Url,
        /// How long it was waited for.
        seconds: u64,
        /// What stood in the way last.
        reason: String,
    },
    /// Somebody else answers there.
    #[error("{url} does not answer like a Headwater command service ({answer}); is --url right?")]
    OtherService {
        /// Which address.
        url: Url,
        /// What it answered.
        answer: String,
    },
}

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Not an address that requests can go to.
    #[error("{0:?} is not an address like http://127.0.0.1:8080")]
    Address(String),
    /// The HTTP client cannot start.
    #[error("cannot start the HTTP client: {0}")]
    Http(#[from] reqwest::Error),
}

/// What has gone over the wire.
#[derive(Debug, Default)]
pub struct Traffic {
    requests: AtomicU64,
    retries: AtomicU64,
    conflicts: AtomicU64,
}

impl Traffic {
    /// Every try that was made.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// How many of them were not the first of their request.
    #[must_use]
    pub fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    /// How often the server said that others kept changing the same thing.
    #[must_use]
    pub fn conflicts(&self) -> u64 {
        self.conflicts.load(Ordering::Relaxed)
    }
}

/// A client of one command service.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    url: Url,
    patience: Patience,
    stop: CancellationToken,
    /// What a person watching is told.
    pub progress: Progress,
    /// What has gone over the wire.
    pub traffic: Traffic,
}

/// Why a request goes again.
struct Trouble {
    reason: String,
    pause: Option<Duration>,
    /// What to end with when patience ends: a refusal, if the server is well and it is only this request.
    refusal: Option<Refusal>,
}

enum Verdict {
    Final(Outcome),
    Again(Trouble),
}

impl Client {
    /// A client for the service at `address`. `stop` ends the waiting between tries, never a request in flight.
    ///
    /// # Errors
    /// The address cannot be one.
    pub fn new(
        address: &str,
        patience: Patience,
        stop: CancellationToken,
        progress: Progress,
    ) -> Result<Self, ClientError> {
        let url = Url::parse(address).ok().filter(|url| url.scheme() == "http" && url.has_host());
        let url = url.ok_or_else(|| ClientError::Address(address.to_owned()))?;
        let http = reqwest::Client::builder()
            .timeout(patience.try_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .tcp_nodelay(true)
            .build()?;
        Ok(Self { http, url, patience, stop, progress, traffic: Traffic::default() })
    }

    /// Ends when the import is to stop.
    #[must_use]
    pub const fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Sends a request until the server has decided.
    ///
    /// # Errors
    /// The import has to end.
    pub async fn send(&self, request: &Request) -> Result<Outcome, Ending> {
        let begun = Instant::now();
        let mut tries = 0;
        loop {
            let trouble = match self.attempt(request).await {
                Err(error) => self.unreachable(&error),
                Ok(response) => match self.judge(request, response).await? {
                    Verdict::Final(outcome) => return Ok(outcome),
                    Verdict::Again(trouble) => trouble,
                },
            };
            let Some(left) = self.patience.give_up_after.checked_sub(begun.elapsed()) else {
                return trouble.refusal.map(Outcome::Rejected).ok_or_else(|| Ending::ServerLost {
                    url: self.url.clone(),
                    seconds: begun.elapsed().as_secs(),
                    reason: trouble.reason,
                });
            };
            // Never beyond the end of patience: the last try is made then.
            let pause = trouble.pause.unwrap_or_else(|| self.patience.pause_after(tries)).min(left);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stop.cancelled() => return Err(Ending::Interrupted),
            }
            tries += 1;
            self.traffic.retries.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn attempt(&self, request: &Request) -> reqwest::Result<Response> {
        self.traffic.requests.fetch_add(1, Ordering::Relaxed);
        let mut url = self.url.clone();
        url.set_path(&format!("{}{}", self.url.path().trim_end_matches('/'), request.path));
        let mut post = self.http.post(url).json(&request.body);
        if let Some(key) = &request.key {
            post = post.header("idempotency-key", key);
        }
        post.send().await
    }

    async fn judge(&self, request: &Request, response: Response) -> Result<Verdict, Ending> {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = match whole_body(response).await {
            Ok(body) => body,
            Err(error) => return Ok(Verdict::Again(self.unreachable(&error))),
        };
        self.progress.server_is_back();
        if status.is_success() && headers.contains_key(POSITION) {
            let replayed = headers.get(REPLAYED).is_some_and(|value| value == "true");
            return Ok(Verdict::Final(if replayed { Outcome::AlreadyThere } else { Outcome::Sent }));
        }
        let refusal = refusal(status, &body);
        if overloaded(status) {
            let reason = refusal.map_or_else(|| status.to_string(), |refusal| refusal.message);
            return Ok(Verdict::Again(Trouble { reason, pause: pause_asked_for(&headers), refusal: None }));
        }
        let Some(refusal) = refusal.filter(|refusal| !is_wrong_address(refusal)) else {
            return Err(Ending::OtherService { url: self.url.clone(), answer: status.to_string() });
        };
        if refusal.code == ErrorCode::ConflictExhausted.as_str() {
            self.traffic.conflicts.fetch_add(1, Ordering::Relaxed);
            let (reason, pause) = (refusal.message.clone(), pause_asked_for(&headers));
            return Ok(Verdict::Again(Trouble { reason, pause, refusal: Some(refusal) }));
        }
        let exists = request.kind.exists().iter().any(|code| code.as_str() == refusal.code);
        Ok(Verdict::Final(if exists { Outcome::AlreadyThere } else { Outcome::Rejected(refusal) }))
    }

    fn unreachable(&self, error: &reqwest::Error) -> Trouble {
        let reason = innermost(error);
        self.progress.server_is_away(&reason);
        Trouble { reason, pause: None, refusal: None }
    }
}

impl Patience {
    /// Between half and all of the doubled pause, so that many requests do not come back in step.
    fn pause_after(&self, tries: u32) -> Duration {
        let pause = self.first_pause.saturating_mul(2_u32.saturating_pow(tries)).min(self.longest_pause);
        let percent = 50 + RandomState::new().hash_one(tries) % 51;
        pause.mul_f64(percent as f64 / 100.0)
    }
}

/// The server, or what stands before it, cannot take a request now.
const fn overloaded(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// No request of an import can be to blame for these.
fn is_wrong_address(refusal: &Refusal) -> bool {
    [ErrorCode::RouteNotFound, ErrorCode::MethodNotAllowed].iter().any(|code| code.as_str() == refusal.code)
}

/// `Retry-After` in seconds; its other form, a date, is not given by this API.
fn pause_asked_for(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

/// The error in the contract's form. The code stays text: a newer server may know more of them.
fn refusal(status: StatusCode, body: &[u8]) -> Option<Refusal> {
    #[derive(Deserialize)]
    struct Wrapped {
        error: Inner,
    }
    #[derive(Deserialize)]
    struct Inner {
        code: String,
        message: String,
    }
    let Wrapped { error: Inner { code, message } } = serde_json::from_slice(body).ok()?;
    Some(Refusal { status: status.as_u16(), code, message })
}

async fn whole_body(mut response: Response) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while body.len() < ANSWER_BYTES_MAX
        && let Some(chunk) = response.chunk().await?
    {
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What the operating system says, without the layers around it.
fn innermost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
