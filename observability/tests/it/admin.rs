use std::net::SocketAddr;

use observability::Readiness;
use observability::admin::{self, AdminState};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::telemetry;

async fn start(
    readiness: Readiness,
) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<std::io::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let state = AdminState::new(telemetry(), readiness);
    let server = tokio::spawn(admin::serve(listener, state, shutdown.clone()));
    (address, shutdown, server)
}

async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let response = reqwest::get(format!("http://{address}{path}")).await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn a_process_is_live_at_once_and_ready_when_nothing_is_waited_for() {
    let readiness = Readiness::new();
    let latch = readiness.latch("projection catalogue");
    let (address, shutdown, server) = start(readiness.clone()).await;

    assert_eq!(get(address, "/live").await.0, 200);
    let (status, body) = get(address, "/ready").await;
    assert_eq!((status, body.as_str()), (503, r#"{"ready":false,"waiting":["projection catalogue"]}"#));
    latch.open();
    let (status, body) = get(address, "/ready").await;
    assert_eq!((status, body.as_str()), (200, r#"{"ready":true,"waiting":[]}"#));
    readiness.stopping();
    assert_eq!(get(address, "/ready").await.0, 503);

    shutdown.cancel();
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn metrics_carry_help_units_and_buckets() {
    telemetry();
    metrics::histogram!("fold_batch_events", "projection" => "catalogue").record(3.0);
    let (address, ..) = start(Readiness::new()).await;
    let response = reqwest::get(format!("http://{address}/metrics")).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = response.text().await.unwrap();
    for line in [
        "# HELP fold_batch_events events of a batch",
        "# TYPE fold_batch_events histogram",
        r#"fold_batch_events_bucket{projection="catalogue",le="2"} 0"#,
        r#"fold_batch_events_bucket{projection="catalogue",le="5"} 1"#,
        r#"headwater_build_info{version="1.2.3"} 1"#,
    ] {
        assert!(text.lines().any(|candidate| candidate == line), "{line} is not in\n{text}");
    }
    assert!(text.contains("process_resident_memory_bytes"), "{text}");
    assert!(!text.contains("quantile="), "a histogram became a summary:\n{text}");
}

#[tokio::test]
async fn the_log_level_changes_while_the_process_runs() {
    let (address, ..) = start(Readiness::new()).await;
    let put = async |filter: &'static str| {
        let request = reqwest::Client::new().put(format!("http://{address}/log-level")).body(filter);
        request.send().await.unwrap().status().as_u16()
    };
    let is_enabled = || tracing::enabled!(target: "observability_probe", tracing::Level::DEBUG);

    assert!(get(address, "/log-level").await.1.contains("info"));
    assert!(!is_enabled());
    assert_eq!(put("info,observability_probe=debug\n").await, 200);
    assert!(is_enabled());
    assert!(get(address, "/log-level").await.1.contains("observability_probe=debug"));
    for junk in ["", "info,engine=loud", "=,="] {
        assert_eq!(put(junk).await, 422, "{junk:?}");
        assert!(is_enabled(), "what is refused changes nothing");
    }
    assert_eq!(put("info").await, 200);
    assert!(!is_enabled());
}

#[tokio::test]
async fn telemetry_starts_once() {
    telemetry();
    assert!(observability::init(&crate::config()).is_err());
}
