//! What every public HTTP server here has around its routes: a bound on requests under way and on their time, answers
//! for addresses that are not there, and telemetry.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use contract::{ApiError, ErrorCode};
use futures::{StreamExt as _, stream};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use observability::http::RequestId;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;

/// The most requests under way at once; more are turned away at once rather than kept waiting.
const REQUESTS_IN_FLIGHT_MAX: usize = 2_048;

/// No request may take longer: the longest wait inside is for an append, 10 s.
const REQUEST_DEADLINE: Duration = Duration::from_secs(30);

/// The head of a request comes within this time of the one before it, or the connection is closed.
const HEAD_WITHIN: Duration = Duration::from_secs(30);

/// The body of a request comes within this time, or the request is given up.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// So much of a body is waited for here; whoever reads it refuses one that is longer.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// How long nothing is accepted after that failed, for want of files to open as a rule.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// When a client that was turned away should try again, seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// How long requests under way may take to finish when the server stops.
const DRAIN: Duration = Duration::from_secs(5);

/// Puts everything around finished routes.
pub fn around(routes: Router) -> Router {
    let places = Arc::new(Semaphore::new(REQUESTS_IN_FLIGHT_MAX));
    bounded(routes, Bounds { places, deadline: REQUEST_DEADLINE, body_within: BODY_WITHIN })
}

/// The bounds of one server.
#[derive(Clone)]
struct Bounds {
    places: Arc<Semaphore>,
    deadline: Duration,
    body_within: Duration,
}

fn bounded(routes: Router, bounds: Bounds) -> Router {
    let routes = routes
        .fallback(async |id: RequestId| observability::http::error(ErrorCode::RouteNotFound.into(), &id))
        .method_not_allowed_fallback(async |id: RequestId| {
            observability::http::error(ErrorCode::MethodNotAllowed.into(), &id)
        });
    observability::http::layer(routes.layer(from_fn_with_state(bounds, bound)))
}

async fn bound(State(bounds): State<Bounds>, id: RequestId, request: Request, next: Next) -> Response {
    let Ok(_place) = bounds.places.try_acquire() else { return turned_away(ErrorCode::TooManyRequests, &id) };
    let request = match tokio::time::timeout(bounds.body_within, whole(request)).await {
        Ok(request) => request,
        Err(_) => return observability::http::error(ErrorCode::BodyTimeout.into(), &id),
    };
    match tokio::time::timeout(bounds.deadline, next.run(request)).await {
        Ok(response) => response,
        Err(_) => turned_away(ErrorCode::Timeout, &id),
    }
}

/// The request with its body here: a client that is slow to send it is not a service that is slow to answer. A body that
/// is too long or breaks off is handed on as that, for whoever reads it to refuse in its own form.
async fn whole(request: Request) -> Request {
    if request.body().is_end_stream() {
        return request;
    }
    let (head, body) = request.into_parts();
    let mut rest = body.into_data_stream();
    let (mut read, mut length) = (Vec::new(), 0);
    while length <= BODY_BYTES_MAX
        && let Some(piece) = rest.next().await
    {
        length += piece.as_ref().map_or(0, Bytes::len);
        read.push(piece);
    }
    Request::from_parts(head, Body::from_stream(stream::iter(read).chain(rest)))
}

fn turned_away(code: ErrorCode, id: &RequestId) -> Response {
    let mut response = observability::http::error(ApiError::new(code), id);
    response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    response
}

/// Serves until it is told to stop, then lets the requests under way finish for a little while.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) -> Result<(), Failure> {
    serve_heads_within(HEAD_WITHIN, listener, router, stop).await;
    Ok(())
}

async fn serve_heads_within(
    head_within: Duration,
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
) {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(head_within);
    server.http2().timer(TokioTimer::new()).keep_alive_interval(head_within);
    let connections = GracefulShutdown::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "no connection could be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // An answer is written in one piece; waiting to fill a packet would only make it late.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        let service = TowerToHyperService::new(router.clone());
        let connection = server.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error, "a connection ended");
            }
        });
    }
    drop(listener);
    // Who is not through by then is cut off with the process.
    let _ = tokio::time::timeout(DRAIN, connections.shutdown()).await;
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::extract::DefaultBodyLimit;
    use axum::http::StatusCode;
    use axum::routing::{get, post};
    use serde_json::Value;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tower::ServiceExt as _;

    use super::*;

    async fn ask(router: &Router, method: &str, path: &str) -> (StatusCode, Response) {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        (response.status(), response)
    }

    async fn error_code(response: Response) -> String {
        let body = to_bytes(response.into_body(), 4096).await.unwrap();
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

    fn bounds(in_flight_max: usize, deadline: Duration) -> Bounds {
        Bounds { places: Arc::new(Semaphore::new(in_flight_max)), deadline, body_within: deadline }
    }

    fn slow() -> Router {
        Router::new().route("/slow", get(async || std::future::pending::<String>().await))
    }

    #[tokio::test]
    async fn a_request_that_takes_too_long_is_given_up() {
        let router = bounded(slow(), bounds(1, Duration::from_millis(5)));
        let (status, response) = ask(&router, "GET", "/slow").await;
        assert_eq!((status.as_u16(), error_code(response).await.as_str()), (503, "TIMEOUT"));
    }

    #[tokio::test]
    async fn more_requests_than_can_be_served_are_turned_away_at_once() {
        let router = bounded(slow(), bounds(2, Duration::from_secs(60)));
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

    #[tokio::test]
    async fn a_client_that_does_not_send_its_body_hears_that_it_was_waited_for() {
        let router = bounded(
            Router::new()
                .route("/", post(async |body: String| body))
                .layer(DefaultBodyLimit::max(BODY_BYTES_MAX)),
            Bounds { body_within: Duration::from_millis(5), ..bounds(1, Duration::from_secs(60)) },
        );
        let begun = stream::iter([Ok::<_, std::io::Error>("half")]).chain(stream::pending());
        let request = Request::post("/").body(Body::from_stream(begun)).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!((response.status().as_u16(), error_code(response).await.as_str()), (408, "BODY_TIMEOUT"));
        let request = Request::post("/").body(Body::from(vec![b' '; BODY_BYTES_MAX + 1])).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status().as_u16(), 413, "it is for the handler to say so");
        let request = Request::post("/").body(Body::from("all of it")).unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(to_bytes(response.into_body(), 100).await.unwrap(), "all of it");
    }

    #[tokio::test]
    async fn a_connection_on_which_no_request_comes_is_closed_and_the_others_are_served() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let routes = Router::new().route("/here", get(async || "here"));
        let within = Duration::from_millis(50);
        let server = tokio::spawn(serve_heads_within(within, listener, routes, stop.clone()));
        let mut idle = TcpStream::connect(address).await.unwrap();
        idle.write_all(b"GET /here HT").await.unwrap();
        let mut said = String::new();
        // The end of the connection: it would not come by itself.
        idle.read_to_string(&mut said).await.unwrap();
        assert!(!said.contains("200"), "{said}");
        let mut other = TcpStream::connect(address).await.unwrap();
        other.write_all(b"GET /here HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n").await.unwrap();
        other.read_to_string(&mut said).await.unwrap();
        assert!(said.ends_with("here"), "{said}");
        stop.cancel();
        server.await.unwrap();
    }
}
