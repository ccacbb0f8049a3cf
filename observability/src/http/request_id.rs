//! The id that names a request in its answer, in logs and in traces.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use uuid::Uuid;

/// A longer id from outside is replaced, bytes.
const MAX_BYTES: usize = 64;

/// The id of the request at hand. Extract it in a handler to name it in an error. Clones share what is noted.
#[derive(Debug, Clone)]
pub struct RequestId {
    text: Arc<str>,
    correlation: Arc<OnceLock<Uuid>>,
}

impl RequestId {
    /// The caller's own id when it is a plain word, else a new UUIDv7.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let given =
            headers.get(super::REQUEST_ID).and_then(|value| value.to_str().ok()).filter(|id| is_plain(id));
        given.map_or_else(Self::new, Self::named)
    }

    fn new() -> Self {
        Self::named(&Uuid::now_v7().to_string())
    }

    fn named(text: &str) -> Self {
        Self { text: text.into(), correlation: Arc::default() }
    }

    /// Notes the correlation id of the events that the request leads to, for its log event and its span. The first counts.
    pub fn correlate(&self, correlation: Uuid) {
        let _ = self.correlation.set(correlation);
    }

    /// What was noted.
    pub(super) fn correlation(&self) -> Option<Uuid> {
        self.correlation.get().copied()
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// What is safe to repeat in a header and a log line.
fn is_plain(id: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
    !id.is_empty() && id.len() <= MAX_BYTES && id.bytes().all(plain)
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(Self::new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &'static str) -> RequestId {
        let mut headers = HeaderMap::new();
        headers.insert(super::super::REQUEST_ID, value.parse().unwrap());
        RequestId::of(&headers)
    }

    #[test]
    fn a_plain_id_from_outside_is_kept_and_any_other_replaced() {
        assert_eq!(of("order-17.a:b_c").as_str(), "order-17.a:b_c");
        let long = "x".repeat(MAX_BYTES + 1).leak();
        for value in ["", "two words", "a\"b", "ä", long] {
            let id = of(value);
            assert!(Uuid::parse_str(id.as_str()).is_ok_and(|id| id.get_version_num() == 7), "{value:?}");
        }
    }
}
