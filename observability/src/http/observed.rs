//! One request from its head to its answer, or until its client goes away.

use std::time::Instant;

use axum::extract::Request;
use axum::http::{Method, Version};
use axum::response::Response;
use metrics::Gauge;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::metrics::{ABANDONED, ACTIVE, DURATION, UNMATCHED};
use super::{POSITION, REQUEST_LOG_TARGET, RequestId};
use crate::{propagation, span};

/// A request that is being answered. Dropped before [`finish`](Self::finish), it counts as abandoned.
pub(super) struct Observed {
    method: &'static str,
    route: String,
    id: RequestId,
    started: Instant,
    span: Span,
    active: Gauge,
    finished: bool,
}

impl Observed {
    pub(super) fn start(request: &Request, route: Option<&str>, id: RequestId) -> Self {
        let method = known_method(request.method());
        let active = metrics::gauge!(ACTIVE);
        active.increment(1.0);
        Self {
            method,
            span: server_span(request, method, route, &id),
            route: route.unwrap_or(UNMATCHED).to_owned(),
            id,
            started: Instant::now(),
            active,
            finished: false,
        }
    }

    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    pub(super) fn finish(mut self, response: &Response) {
        self.finished = true;
        let status = response.status();
        self.span.set_attribute("http.response.status_code", i64::from(status.as_u16()));
        if status.is_server_error() {
            span::failed(&self.span, status.as_str().to_owned());
        }
        let duration_ms = self.measure(status.as_str());
        let position = response.headers().get(POSITION).and_then(|value| value.to_str().ok());
        let correlation_id = self.id.correlation().map(|id| id.to_string());
        if let Some(id) = &correlation_id {
            self.span.set_attribute("headwater.correlation_id", id.clone());
        }
        let (method, route, request_id, status) =
            (self.method, self.route.as_str(), self.id.as_str(), status.as_u16());
        macro_rules! request_event {
            ($level:ident) => {
                tracing::$level!(target: REQUEST_LOG_TARGET, method, route, status, duration_ms, request_id, correlation_id, position, "request")
            };
        }
        // Within the span, so that the line carries its trace.
        self.span.in_scope(|| match status {
            // Overload and a part that is away are said by the one who answers early, not by an operator's mistake.
            503 => request_event!(warn),
            500.. => request_event!(error),
            _ => request_event!(info),
        });
    }

    /// Records the duration and gives it in milliseconds, to three decimals.
    fn measure(&self, status: &str) -> f64 {
        let elapsed = self.started.elapsed();
        let labels = [
            ("method", self.method.to_owned()),
            ("route", self.route.clone()),
            ("status", status.to_owned()),
        ];
        metrics::histogram!(DURATION, &labels).record(elapsed);
        #[expect(clippy::cast_precision_loss, reason = "a request does not last 285 years")]
        let duration_ms = elapsed.as_micros() as f64 / 1_000.0;
        duration_ms
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        self.active.decrement(1.0);
        if !self.finished {
            let duration_ms = self.measure(ABANDONED);
            let (method, route, request_id) = (self.method, self.route.as_str(), self.id.as_str());
            self.span.in_scope(|| {
                tracing::info!(
                    method,
                    route,
                    duration_ms,
                    request_id,
                    "request abandoned: its client went away"
                );
            });
        }
    }
}

/// A span as the OpenTelemetry conventions for HTTP servers want it: named by method and route, never by path.
fn server_span(request: &Request, method: &'static str, route: Option<&str>, id: &RequestId) -> Span {
    let name = route.map_or_else(|| method.to_owned(), |route| format!("{method} {route}"));
    let span = tracing::info_span!(
        parent: None, "http request",
        otel.name = name, otel.kind = "server", headwater.request_id = id.as_str()
    );
    if let Some(context) = propagation::from_headers(request.headers()) {
        // It fails only where nothing is traced, and then there is nothing to set.
        let _ = span.set_parent(context);
    }
    span.set_attribute("http.request.method", method);
    span.set_attribute("url.scheme", "http");
    span.set_attribute("network.protocol.version", protocol_version(request.version()));
    if let Some(route) = route {
        span.set_attribute("http.route", route.to_owned());
        span.set_attribute("url.path", path(request.uri().path(), route));
    }
    span
}

/// The path, without what somebody put in the place of an id: that may be a name. An id has a digit in it and nothing but
/// letters, digits, hyphens and the like.
fn path(path: &str, route: &str) -> String {
    let is_id = |part: &str| {
        part.bytes().any(|b| b.is_ascii_digit())
            && part.len() <= 64
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'))
    };
    let shown = |(part, pattern): (&str, &str)| match part == pattern || is_id(part) {
        true => part.to_owned(),
        false => pattern.to_owned(),
    };
    path.split('/').zip(route.split('/')).map(shown).collect::<Vec<_>>().join("/")
}

/// The conventions keep the set of methods closed.
fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}

fn protocol_version(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "2",
        Version::HTTP_10 => "1.0",
        _ => "1.1",
    }
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn a_path_shows_ids_and_no_names() {
        let route = "/v1/customers/{id}/orders";
        assert_eq!(path("/v1/customers/17850/orders", route), "/v1/customers/17850/orders");
        assert_eq!(path("/v1/customers/0190-ab/orders", route), "/v1/customers/0190-ab/orders");
        for name in ["Ada", "Ada%20Lovelace%201", "ada@example.org1", ""] {
            assert_eq!(path(&format!("/v1/customers/{name}/orders"), route), route, "{name}");
        }
        assert_eq!(path("/files/a1/b2", "/files/{*rest}"), "/files/a1");
    }
}
