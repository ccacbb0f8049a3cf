use std::time::Duration;

use serde_json::{Value, json};

use crate::{serve, telemetry, things};

#[tokio::test]
async fn requests_are_measured_by_route_and_never_by_path() {
    let metrics = telemetry().metrics();
    let address = serve(things()).await;
    for path in ["/things/path-4711", "/things/path-4712", "/nowhere/path-4713"] {
        reqwest::get(format!("http://{address}{path}")).await.unwrap();
    }
    let text = metrics.render();
    let count = |labels: &str| {
        let line = format!("http_server_request_duration_seconds_count{{{labels}}} ");
        text.lines()
            .find_map(|candidate| candidate.strip_prefix(&line))
            .map(|count| count.parse::<u64>().unwrap())
    };
    assert!(count(r#"method="GET",route="/things/{id}",status="200""#) >= Some(2), "{text}");
    assert!(count(r#"method="GET",route="unmatched",status="404""#) >= Some(1), "{text}");
    assert!(!text.contains("path-47"), "{text}");
    assert!(text.contains(r#"http_server_request_duration_seconds_bucket{method="GET",route="/things/{id}",status="200",le="0.005"}"#));
}

#[tokio::test]
async fn a_panic_is_answered_without_its_cause() {
    telemetry();
    let address = serve(things()).await;
    let request =
        reqwest::Client::new().get(format!("http://{address}/broken")).header("x-request-id", "mine-1");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 500);
    assert_eq!(response.headers()["x-request-id"], "mine-1");
    let body: Value = response.json().await.unwrap();
    let message = "something went wrong on our side";
    assert_eq!(body, json!({"error": {"code": "INTERNAL", "message": message, "requestId": "mine-1"}}));
}

#[tokio::test]
async fn every_answer_names_its_request() {
    telemetry();
    let address = serve(things()).await;
    let response = reqwest::get(format!("http://{address}/nowhere")).await.unwrap();
    assert_eq!(response.headers()["x-request-id"].len(), 36);
}

#[tokio::test]
async fn a_request_whose_client_goes_away_is_counted_as_abandoned() {
    let metrics = telemetry().metrics();
    let address = serve(things()).await;
    let impatient =
        reqwest::Client::new().get(format!("http://{address}/slow")).timeout(Duration::from_millis(50));
    assert!(impatient.send().await.unwrap_err().is_timeout());
    let abandoned =
        r#"http_server_request_duration_seconds_count{method="GET",route="/slow",status="499"} 1"#;
    let give_up = tokio::time::Instant::now() + Duration::from_secs(5);
    while !metrics.render().contains(abandoned) {
        assert!(tokio::time::Instant::now() < give_up, "{}", metrics.render());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
