use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Process, Shop, fail, product, product_id, send};

async fn act(process: &Process, path: String, body: Value) -> (u16, Value) {
    let answer = send(process.post(&path, body)).await;
    (answer.status.as_u16(), answer.body)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_on_one_stream_never_answer_from_an_old_state() {
    let shop = Shop::open().await;
    let (one, two) = (shop.process().await, shop.process().await);
    let id = product_id("85123A");
    // Each answer of `two` is worked out while it remembers the state before what `one` did.
    fail(two.get(&format!("/v1/products/{id}")), 404, "PRODUCT_NOT_FOUND").await;
    one.list("85123A").await;
    let (status, body) = act(
        &two,
        format!("/v1/products/{id}/price"),
        json!({ "price": { "amount": "2", "currency": "GBP" } }),
    )
    .await;
    assert_eq!(status, 200, "not 404: {body}");

    act(&one, format!("/v1/products/{id}/delist"), json!({})).await;
    let (status, body) = act(&two, format!("/v1/products/{id}/relist"), json!({})).await;
    assert_eq!((status, &body["revision"]), (200, &json!(3)), "not a command that changes nothing");

    act(&one, format!("/v1/stock/{id}/receive"), json!({ "quantity": 5 })).await;
    assert_eq!(send(two.get(&format!("/v1/stock/{id}"))).await.body["onHand"], 5);
    act(&one, format!("/v1/stock/{id}/receive"), json!({ "quantity": 5 })).await;
    let order = json!({ "orderId": Uuid::from_u128(1), "quantity": 8 });
    let (status, body) = act(&two, format!("/v1/stock/{id}/reserve"), order).await;
    assert_eq!(status, 200, "not a rejection for want of stock: {body}");

    act(&one, format!("/v1/stock/{id}/receive"), json!({ "quantity": 1 })).await;
    let request =
        two.post(&format!("/v1/stock/{id}/receive"), json!({ "quantity": 1 })).header("if-match", "\"3\"");
    assert_eq!(send(request).await.status, 200, "not 412");

    act(&one, format!("/v1/stock/{id}/receive"), json!({ "quantity": 1 })).await;
    let found = send(two.get(&format!("/v1/stock/{id}"))).await;
    assert_eq!((&found.body["onHand"], &found.body["revision"]), (&json!(13), &json!(5)), "not an old count");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_hand_out_the_last_unit_once() {
    let shop = Shop::open().await;
    let processes = [Arc::new(shop.process().await), Arc::new(shop.process().await)];
    let id = processes[0].stocked("85123A", 10).await;
    let reserving = (0..40_u128).map(|n| {
        let process = Arc::clone(&processes[n as usize % 2]);
        tokio::spawn(async move {
            let order = json!({ "orderId": Uuid::from_u128(n), "quantity": 1 });
            act(&process, format!("/v1/stock/{id}/reserve"), order).await
        })
    });
    let mut reserved = 0;
    for task in reserving.collect::<Vec<_>>() {
        match task.await.unwrap() {
            (200, _) => reserved += 1,
            (409, body) => assert_eq!(body["error"]["code"], "INSUFFICIENT_STOCK", "{body}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(reserved, 10);
    assert_eq!(shop.events("stock", id).await.len(), 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_clients_with_forced_conflicts_fail_no_command() {
    const CLIENTS: usize = 64;
    const COMMANDS: usize = 20;
    /// One command in twenty meets a stream that somebody else has just written to.
    const CONFLICT_EVERY: usize = 20;
    let shop = Arc::new(Shop::open().await);
    let process = Arc::new(shop.process().await);
    let clients = (0..CLIENTS).map(|client| {
        let (shop, process) = (Arc::clone(&shop), Arc::clone(&process));
        tokio::spawn(async move {
            let id = process.stocked(&format!("sku-{client}"), 1).await;
            let mut units = 1;
            for n in 0..COMMANDS {
                if (client + n) % CONFLICT_EVERY == 0 {
                    shop.receive_directly(id, 1).await;
                    units += 1;
                }
                let (status, body) =
                    act(&process, format!("/v1/stock/{id}/receive"), json!({ "quantity": 1 })).await;
                units += 1;
                assert_eq!((status, &body["revision"]), (200, &json!(units - 1)), "{body}");
            }
            let found = send(process.get(&format!("/v1/stock/{id}"))).await;
            assert_eq!(found.body["onHand"], units);
            units
        })
    });
    let mut units = 0;
    for client in clients.collect::<Vec<_>>() {
        units += client.await.unwrap();
    }
    assert_eq!(units, CLIENTS * (1 + COMMANDS + COMMANDS / CONFLICT_EVERY));
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_commands_of_one_stream_at_once_all_find_their_place() {
    let shop = Shop::open().await;
    let process = Arc::new(shop.process().await);
    let id = process.list("85123A").await;
    let receiving = (0..300).map(|_| {
        let process = Arc::clone(&process);
        tokio::spawn(async move {
            act(&process, format!("/v1/stock/{id}/receive"), json!({ "quantity": 1 })).await
        })
    });
    let mut revisions = Vec::new();
    for task in receiving.collect::<Vec<_>>() {
        let (status, body) = task.await.unwrap();
        assert_eq!(status, 200, "{body}");
        revisions.push(body["revision"].as_u64().unwrap());
    }
    revisions.sort_unstable();
    assert_eq!(revisions, (0..300).collect::<Vec<_>>());
    assert_eq!(send(process.post("/v1/products", product("85123A"))).await.status, 409);
}
