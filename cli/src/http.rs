//! What every public HTTP server here has around its routes: a bound on requests under way and on their time, answers
//! for addresses that are not there, and telemetry.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::serve::ListenerExt as _;
use contract::{ApiError, ErrorCode};
use observability::http::RequestId;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;

/// The most requests under way at once; more are turned away at once rather than kept waiting.
const REQUESTS_IN_FLIGHT_MAX: usize = 2_048;

/// No request may take longer: the longest wait inside is for an append, 10 s.
const REQUEST_DEADLINE: Duration = Duration::from_secs(30);

/// When a client that was turned away should try again, seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// How long requests under way may take to finish when the server stops.
const DRAIN: Duration = Duration::from_secs(5);

/// Puts everything around finished routes.
pub fn around(routes: Router) -> Router {
    bounded(routes, REQUESTS_IN_FLIGHT_MAX, REQUEST_DEADLINE)
}

/// The bounds of one server.
#[derive(Clone)]
struct Bounds {
    places: Arc<Semaphore>,
    deadline: Duration,
}

fn bounded(routes: Router, in_flight_max: usize, deadline: Duration) -> Router {
    let bounds = Bounds { places: Arc::new(Semaphore::new(in_flight_max)), deadline };
    let routes = routes
        .fallback(async |id: RequestId| observability::http::error(ErrorCode::RouteNotFound.into(), &id))
        .method_not_allowed_fallback(async |id: RequestId| {
            observability::http::error(ErrorCode::MethodNotAllowed.into(), &id)
        });
    observability::http::layer(routes.layer(from_fn_with_state(bounds, bound)))
}

async fn bound(State(bounds): State<Bounds>, id: RequestId, request: Request, next: Next) -> Response {
    let Ok(_place) = bounds.places.try_acquire() else { return turned_away(ErrorCode::TooManyRequests, &id) };
    match tokio::time::timeout(bounds.deadline, next.run(request)).await {
        Ok(response) => response,
        Err(_) => turned_away(ErrorCode::Timeout, &id),
    }
}

fn turned_away(code: ErrorCode, id: &RequestId) -> Response {
    let mut response = observability::http::error(ApiError::new(code), id);
    response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    response
}

/// Serves until it is told to stop, then lets the requests under way finish for a little while.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) -> Result<(), Failure> {
    // An answer is written in one piece; waiting to fill a packet would only make it late.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
    });
    let served = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
    let drained = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        ended = served => ended.map_err(|error| Failure::of(&error)),
        () = drained => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::routing::get;
    use serde_json::Value;
    use tower::ServiceExt as _;

    use super::*;

    async fn ask(router: &Router, method: &str, path: &str) -> (StatusCode, Response) {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        (response.status(), response)
    }

    async fn error_code(response: Response) -> String {
        let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert!(body["error"]["requestId"].is_string());
        body["error"]["code"].as_str().unwrap().to_owned()
    }

    #[tokio::test]
    async fn an_address_or_method_that_is_not_there_is_an_error_of_the_table() {
        let router = around(Router::new().route("/here", get(async || "here")));
        assert_eq!(ask(&router, "GET", "/here").await.0, 200);
        let (status, response) = ask(&router, "GET", "/elsewhere").await;
        assert_eq!((status.as_u16(), error_code(response).await.as_str()), (404, "ROUTE_NOT_FOUND"));
        let (status, response) = ask(&router, "DELETE", "/here").await;
        assert_eq!((status.as_u16(), error_code(response).await.as_str()), (405, "METHOD_NOT_ALLOWED"));
    }

    fn slow() -> Router {
        Router::new().route("/slow", get(async || std::future::pending::<String>().await))
    }

    #[tokio::test]
    async fn a_request_that_takes_too_long_is_given_up() {
        let router = bounded(slow(), 1, Duration::from_millis(5));
        let (status, response) = ask(&router, "GET", "/slow").await;
        assert_eq!((status.as_u16(), error_code(response).await.as_str()), (503, "TIMEOUT"));
    }

    #[tokio::test]
    async fn more_requests_than_can_be_served_are_turned_away_at_once() {
        let router = bounded(slow(), 2, Duration::from_secs(60));
        let waiting = [(); 2].map(|()| {
            let router = router.clone();
            tokio::spawn(async move { ask(&router, "GET", "/slow").await.0 })
        });
        tokio::task::yield_now().await;
        let (status, response) = ask(&router, "GET", "/slow").await;
        assert_eq!((status.as_u16(), response.headers()["retry-after"].to_str().unwrap()), (429, "1"));
        assert_eq!(error_code(response).await, "TOO_MANY_REQUESTS");
        assert!(waiting.iter().all(|request| !request.is_finished()), "the others are served");
    }
}
