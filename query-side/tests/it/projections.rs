//! What operators see of the projections.

use serde_json::json;

use crate::support::{Service, token};

const ALL: &str = "{ projections {
    name version active position headPosition lagSeconds lagEvents state heartbeatAt
} }";

#[tokio::test]
async fn a_projection_that_keeps_up_shows_no_lag() {
    let service = Service::start().await;
    let answer = service.ask(ALL).await;
    let all = answer.data()["projections"].as_array().unwrap();
    assert_eq!(all.len(), 3);
    let heartbeat = &all[0]["heartbeatAt"];
    assert!(heartbeat.as_str().unwrap().ends_with('Z'));
    assert_eq!(
        all[0],
        json!({"name": "catalogue", "version": 1, "active": true, "position": token(100), "headPosition": token(100),
               "lagSeconds": 0.0, "lagEvents": 0, "state": "LIVE", "heartbeatAt": heartbeat})
    );
    assert_eq!(all[1]["name"], "customers");
}

#[tokio::test]
async fn a_projection_behind_shows_how_far_and_how_old() {
    let service = Service::start().await;
    service
        .worker("catalogue", "state = 'CATCHING_UP', head_position = 150, lag_events = 12, pending_since = now() - interval '90 seconds'")
        .await;
    let answer = service.ask(ALL).await;
    let catalogue = &answer.data()["projections"][0];
    assert_eq!(catalogue["state"], "CATCHING_UP");
    assert_eq!((&catalogue["headPosition"], &catalogue["lagEvents"]), (&json!(token(150)), &json!(12)));
    let lag = catalogue["lagSeconds"].as_f64().unwrap();
    assert!((90.0..120.0).contains(&lag), "{lag}");
}

#[tokio::test]
async fn a_silent_worker_is_stopped_and_its_lag_grows() {
    let service = Service::start().await;
    service.worker("catalogue", "heartbeat_at = now() - interval '60 seconds'").await;
    let lag = async || {
        let answer = service.ask(ALL).await;
        let catalogue = answer.data()["projections"][0].clone();
        assert_eq!((&catalogue["state"], &catalogue["lagEvents"]), (&json!("STOPPED"), &json!(null)));
        catalogue["lagSeconds"].as_f64().unwrap()
    };
    let (before, after) = (lag().await, lag().await);
    assert!(before >= 60.0 && after > before, "{before} {after}");
}
