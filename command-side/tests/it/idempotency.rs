use std::collections::HashSet;

use command_side::executor::{CommandId, CommandRequest, How, Origin};
use command_side::{CommandDeps, Commands};
use domain::ids::ProductId;
use domain::stock::{Action, Command};
use domain::value::Quantity;
use event_store::{Revision, StreamId};
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::support::{Answer, Process, Proxy, Shop, connect, product, product_id, send, until};

async fn receive(process: &Process, product: Uuid, quantity: i64, key: &str) -> Answer {
    let body = json!({ "quantity": quantity });
    send(process.post(&format!("/v1/stock/{product}/receive"), body).header("idempotency-key", key)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_sent_again_under_its_key_gets_its_answer_and_is_carried_out_once() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    let id = process.list("85123A").await;
    let first = receive(&process, id, 5, "k").await;
    assert_eq!(first.status, 200);
    receive(&process, id, 7, "other").await;
    assert_eq!(receive(&process, id, 5, "k").await, first, "warm");
    assert_eq!(receive(&shop.process().await, id, 5, "k").await, first, "cold");
    assert_eq!(shop.events("stock", id).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_given_before_says_so() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    let id = process.list("85123A").await;
    let replayed = async |process: &Process| {
        let body = json!({ "quantity": 5 });
        let request = process.post(&format!("/v1/stock/{id}/receive"), body).header("idempotency-key", "k");
        let answer = request.send().await.unwrap();
        answer.headers().get("idempotent-replayed").map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(replayed(&process).await, None);
    assert_eq!(replayed(&process).await.as_deref(), Some("true"), "warm");
    assert_eq!(replayed(&shop.process().await).await.as_deref(), Some("true"), "cold");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_content_in_another_order_is_the_same_request() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    let one = r#"{"sku":"85123A","price":{"amount":"2.55","currency":"GBP"}}"#;
    let two = r#"{ "price": {"currency":"GBP", "amount":"2.55"}, "sku": "85123A" }"#;
    let list = |text: &'static str| process.post_text("/v1/products", text).header("idempotency-key", "k");
    let first = send(list(one)).await;
    assert_eq!(first.status, 201);
    assert_eq!(send(list(two)).await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_counts_for_one_route_and_one_aggregate() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    let (one, two) = (process.list("one").await, process.list("two").await);
    for id in [one, two] {
        assert_eq!(receive(&process, id, 5, "k").await.body["revision"], 0);
        let body = json!({ "quantity": 5, "reason": "count" });
        let adjust = process.post(&format!("/v1/stock/{id}/adjust"), body).header("idempotency-key", "k");
        assert_eq!(send(adjust).await.body["revision"], 1);
    }
    let events = [shop.events("stock", one).await, shop.events("stock", two).await].concat();
    let commands: HashSet<_> = events.iter().map(|event| event.metadata.command_id).collect();
    assert_eq!(commands.len(), 4, "four commands, four ids");
}

#[tokio::test(flavor = "multi_thread")]
async fn rejections_are_not_remembered() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    let id = process.stocked("85123A", 1).await;
    let reserve = || {
        let body = json!({ "orderId": Uuid::from_u128(1), "quantity": 4 });
        process.post(&format!("/v1/stock/{id}/reserve"), body).header("idempotency-key", "k")
    };
    shop.refused(reserve(), 409, "INSUFFICIENT_STOCK").await;
    receive(&process, id, 9, "more").await;
    assert_eq!(send(reserve()).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_retried_after_a_kill_between_append_and_answer_gets_its_answer() {
    let shop = Shop::open().await;
    let proxy = Proxy::before(shop.node.address()).await;
    let killed = shop.process_over(connect(proxy.address)).await;
    let create =
        |process: &Process| process.post("/v1/products", product("85123A")).header("idempotency-key", "k");
    // Something else first, so that the append is the only thing on its way.
    killed.list("warm-up").await;
    let id = product_id("85123A");
    shop.refused(killed.get(&format!("/v1/products/{id}")), 404, "PRODUCT_NOT_FOUND").await;
    proxy.swallow_answers();
    let request = create(&killed);
    let unanswered = tokio::spawn(async move { request.send().await });
    until("the event is written", async || shop.events("product", id).await.len() == 1).await;
    killed.kill();
    unanswered.abort();

    let process = shop.process().await;
    let answer = send(create(&process)).await;
    let written = shop.events("product", id).await;
    assert_eq!((answer.status.as_u16(), written.len()), (201, 1), "{answer:?}");
    assert_eq!(answer.body["revision"], 0);
    assert!(answer.position.unwrap().ends_with(&format!("-{}", written[0].position)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_behind_ten_thousand_later_events_gets_its_answer_from_a_cold_process() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    let id = process.list("85123A").await;
    let first = receive(&process, id, 5, "k").await;
    shop.receive_directly(id, 10_000).await;
    let tail = shop.store.tail(&StreamId::new("stock", &id)).await.unwrap().unwrap();
    assert_eq!(tail.0, Revision(10_000));

    assert_eq!(receive(&shop.process().await, id, 5, "k").await, first, "cold");
    assert_eq!(receive(&process, id, 5, "k").await, first, "warm, and ten thousand events behind");
    let key_reused = json!({ "quantity": 6 });
    let other = process.post(&format!("/v1/stock/{id}/receive"), key_reused).header("idempotency-key", "k");
    shop.refused(other, 422, "IDEMPOTENCY_KEY_REUSED").await;
    let unchanged = shop.store.tail(&StreamId::new("stock", &id)).await.unwrap().unwrap();
    assert_eq!(unchanged, tail);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_after_success_with_the_old_if_match_gets_its_answer() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    let id = process.stocked("85123A", 10).await;
    let receive = |process: &Process| {
        let body = json!({ "quantity": 1 });
        let request = process.post(&format!("/v1/stock/{id}/receive"), body);
        request.header("idempotency-key", "k").header("if-match", "\"0\"")
    };
    let first = send(receive(&process)).await;
    assert_eq!((first.status.as_u16(), first.etag.as_deref()), (200, Some("\"1\"")));
    assert_eq!(send(receive(&process)).await, first);
    assert_eq!(send(receive(&shop.process().await)).await, first);
    let other = process
        .post(&format!("/v1/stock/{id}/receive"), json!({ "quantity": 1 }))
        .header("if-match", "\"0\"");
    shop.refused(other, 412, "PRECONDITION_FAILED").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_gets_its_answer_when_the_key_of_its_fingerprint_was_destroyed() {
    let shop = Shop::open().await;
    let process = shop.process().await;
    let register = |country: &str| {
        let body = json!({ "customerNumber": "17850", "country": country, "email": "ada@example.org" });
        process.post("/v1/users", body).header("idempotency-key", "k")
    };
    let first = send(register("France")).await;
    assert_eq!(first.status, 201);
    shop.refused(register("Spain"), 422, "IDEMPOTENCY_KEY_REUSED").await;
    let user: Uuid = first.body["id"].as_str().unwrap().parse().unwrap();
    shop.vault.destroy(domain::ids::PersonId(user)).await.unwrap();
    assert_eq!(send(register("France")).await, first);
    let profile = json!({ "country": "Spain", "email": "ada@example.es" });
    shop.refused(process.post(&format!("/v1/users/{user}/profile"), profile), 409, "PERSON_ERASED").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_reused_in_a_process_with_an_older_state_is_found_out_all_the_same() {
    let shop = Shop::open().await;
    let (one, two) = (shop.process().await, shop.process().await);
    let id = one.stocked("85123A", 5).await;
    assert_eq!(send(two.get(&format!("/v1/stock/{id}"))).await.body["onHand"], 5);
    let first = receive(&one, id, 1, "k").await;
    assert_eq!(first.status, 200);
    // The second process does not know of it, and would append at the very revision of the first one's event.
    let body = json!({ "quantity": 2 });
    let reused = two.post(&format!("/v1/stock/{id}/receive"), body).header("idempotency-key", "k");
    shop.refused(reused, 422, "IDEMPOTENCY_KEY_REUSED").await;
    assert_eq!(receive(&two, id, 1, "k").await, first);
    assert_eq!(send(two.get(&format!("/v1/stock/{id}"))).await.body["onHand"], 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_in_the_process_names_the_command_itself() {
    let shop = Shop::open().await;
    let product = shop.process().await.stocked("85123A", 5).await;
    let commands = Commands::new(CommandDeps::new(shop.store.clone(), shop.vault.clone()));
    let command_id = CommandId(Uuid::new_v4());
    let cause = Uuid::new_v4();
    let request = CommandRequest {
        aggregate: product,
        command: Command {
            product_id: ProductId(product),
            action: Action::Receive { quantity: Quantity::new(3).unwrap() },
        },
        command_id,
        origin: Origin { correlation_id: cause, causation_id: cause, actor: Some("fulfilment".into()) },
        occurred_at: Timestamp::now(),
        fingerprinted: None,
        if_match: None,
    };
    let first = commands.stock.execute(request.clone()).await.unwrap();
    assert_eq!((first.how, first.revision), (How::Written, Some(Revision(1))));
    let again = commands.stock.execute(request).await.unwrap();
    assert_eq!((again.how, again.revision, again.position), (How::Repeated, first.revision, first.position));
    let metadata = &shop.events("stock", product).await[1].metadata;
    assert_eq!((metadata.command_id, metadata.causation_id), (command_id.0, cause));
    assert_eq!(metadata.actor.as_deref(), Some("fulfilment"));
}
