//! What clients are told while the log is away or silent.

use std::time::Duration;

use command_side::CommandDeps;
use serde_json::json;

use crate::support::{Proxy, Shop, connect, fail, product, product_id, send, until};

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_is_not_known_is_said_and_settled_by_the_retry() {
    let shop = Shop::open().await;
    let proxy = Proxy::before(shop.node.address()).await;
    let store = connect(proxy.address).with_append_deadline(Duration::from_secs(1));
    let process = shop.process_over(store).await;
    let id = process.stocked("85123A", 1).await;
    let receive = || {
        let request = process.post(&format!("/v1/stock/{id}/receive"), json!({ "quantity": 1 }));
        request.header("idempotency-key", "k")
    };
    proxy.swallow_answers();
    fail(receive(), 503, "OUTCOME_UNKNOWN").await;
    proxy.recover();
    let settled = send(receive()).await;
    assert_eq!((settled.status.as_u16(), settled.body["revision"].as_u64()), (200, Some(1)), "{settled:?}");
    let next = send(process.post(&format!("/v1/stock/{id}/receive"), json!({ "quantity": 1 }))).await;
    assert_eq!(next.body["revision"], 2);
    assert_eq!(shop.events("stock", id).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_log_is_away_commands_are_turned_away_and_nothing_is_written() {
    let shop = Shop::open().await;
    let address = shop.node.address();
    let store = connect(address).with_append_deadline(Duration::from_millis(500));
    let process = shop.process_over(store).await;
    let id = process.stocked("85123A", 1).await;
    let Shop { node, dir: _dir, .. } = shop;
    node.shutdown().await;
    fail(process.get(&format!("/v1/stock/{id}")), 503, "UNAVAILABLE").await;
    fail(process.post(&format!("/v1/stock/{id}/receive"), json!({ "quantity": 1 })), 503, "UNAVAILABLE")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_commands_at_once_are_turned_away_early() {
    let shop = Shop::open().await;
    let proxy = Proxy::before(shop.node.address()).await;
    let deps =
        CommandDeps { in_flight_max: 1, ..CommandDeps::new(connect(proxy.address), shop.vault.clone()) };
    let process = shop.process_with(deps).await;
    let id = process.stocked("85123A", 1).await;
    proxy.swallow_answers();
    let stuck = process.post(&format!("/v1/stock/{id}/receive"), json!({ "quantity": 1 }));
    let stuck = tokio::spawn(send(stuck));
    until("the first is under way", async || shop.events("stock", id).await.len() == 2).await;
    fail(process.post("/v1/products", product("other")), 429, "TOO_MANY_REQUESTS").await;
    assert!(shop.events("product", product_id("other")).await.is_empty());
    proxy.recover();
    assert_eq!(stuck.await.unwrap().status, 200);
    assert_eq!(send(process.post("/v1/products", product("other"))).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_does_not_leave_its_command_half_done() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    let id = process.stocked("85123A", 1).await;
    for n in 0..20_u64 {
        let receive = process.post(&format!("/v1/stock/{id}/receive"), json!({ "quantity": 1 }));
        let given_up = tokio::time::timeout(Duration::from_micros(100 * n), receive.send()).await;
        drop(given_up);
    }
    let answer = send(process.post(&format!("/v1/stock/{id}/receive"), json!({ "quantity": 1 }))).await;
    assert_eq!(answer.status, 200);
    let events = shop.events("stock", id).await.len() as i64;
    assert_eq!(send(process.get(&format!("/v1/stock/{id}"))).await.body["onHand"], events);
}
