//! Read your own writes: an answer at a position, or why there is none.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{LOG, Service, token};

const PRODUCT: &str = "{ product(sku: \"A\") { sku } }";

#[tokio::test]
async fn an_answer_tells_the_position_that_everything_in_it_has_reached() {
    let service = Service::start().await;
    service.folded("customers", 70).await;
    assert_eq!(service.ask(PRODUCT).await.position(), token(100));
    assert_eq!(service.ask("{ customer(number: \"1\") { id } }").await.position(), token(70));
    let both = "query { ...a ...b } fragment a on Query { product(sku: \"A\") { sku } }
                fragment b on Query { customers { nodes { id } } }";
    assert_eq!(service.ask(both).await.position(), token(70), "the lower of the two");
    assert_eq!(
        service.ask("{ projections { name } }").await.body["extensions"],
        Value::Null,
        "no table was read"
    );
}

#[tokio::test]
async fn a_position_that_is_reached_is_answered_at_once_and_only_projections_that_are_read_count() {
    let service = Service::start().await;
    service.folded("customers", 70).await;
    let answer = service.ask_at(PRODUCT, &token(100)).await;
    assert_eq!(answer.data(), &json!({"product": null}));
    let answer = service.ask_at("{ projections { name } }", &token(999)).await;
    assert_eq!(answer.data()["projections"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_request_waits_until_the_projection_is_there_and_a_notification_ends_the_wait() {
    let service = Service::start().await;
    let ahead = token(101);
    for notified in [false, true, true, true] {
        service.folded("catalogue", 100).await;
        service.sql("DELETE FROM products_v1").await;
        let begun = Instant::now();
        let (answer, ()) = tokio::join!(service.ask_at(PRODUCT, &ahead), async {
            tokio::time::sleep(Duration::from_millis(60)).await;
            service.products(1).await;
            service.sql("UPDATE products_v1 SET sku = 'A'").await;
            service.folded("catalogue", 101).await;
            if notified {
                service.notify("catalogue", 101).await;
            }
        });
        assert_eq!(answer.data()["product"], json!({"sku": "A"}), "notified: {notified}");
        assert_eq!(answer.position(), token(101));
        assert!(begun.elapsed() < Duration::from_secs(2));
    }
}

#[tokio::test]
async fn a_notification_is_heard_well_before_the_next_slow_look() {
    until_heard(&Service::start().await).await;
}

#[tokio::test]
async fn a_listener_that_is_cut_off_in_the_middle_of_a_wait_costs_a_slow_look_and_comes_back() {
    let service = Service::start().await;
    until_heard(&service).await;
    service.folded("catalogue", 100).await;
    let ahead = token(101);
    let (answer, ()) = tokio::join!(service.ask_at(PRODUCT, &ahead), async {
        tokio::time::sleep(Duration::from_millis(60)).await;
        service.cut_off_listener().await;
        service.folded("catalogue", 101).await;
        service.notify("catalogue", 101).await;
    });
    assert_eq!(answer.position(), ahead);
    until_heard(&service).await;
}

/// The listener connects in the background: until it hears, an answer takes a slow look's quarter of a second.
async fn until_heard(service: &Service) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        service.folded("catalogue", 100).await;
        let ((), waited) = tokio::join!(
            async {
                tokio::time::sleep(Duration::from_millis(30)).await;
                service.folded("catalogue", 101).await;
                service.notify("catalogue", 101).await;
            },
            async {
                let begun = Instant::now();
                service.ask_at(PRODUCT, &token(101)).await.data();
                begun.elapsed()
            }
        );
        if waited < Duration::from_millis(150) {
            return;
        }
        assert!(Instant::now() < deadline, "no notification was ever heard: {waited:?}");
    }
}

#[tokio::test]
async fn waiting_ends_with_what_the_projection_is_doing() {
    let service = Service::start_with(|config| config.position_wait = Duration::from_millis(100)).await;
    let reason = async || {
        let answer = service.ask_at(PRODUCT, &token(101)).await;
        assert_eq!((answer.status, answer.code()), (200, "READ_MODEL_BEHIND"), "{:#}", answer.body);
        answer.details().clone()
    };
    assert_eq!(
        reason().await,
        json!({"reason": "stopped", "projection": "catalogue", "position": null, "requested": token(101)})
    );
    service.folded("catalogue", 100).await;
    assert_eq!(
        reason().await,
        json!({"reason": "behind", "projection": "catalogue", "position": token(100), "requested": token(101)})
    );
    service.worker("catalogue", "heartbeat_at = now() - interval '11 seconds'").await;
    assert_eq!(reason().await["reason"], "stopped");
    service.worker("catalogue", "heartbeat_at = now(), state = 'FAILED', reason = 'secret cause'").await;
    assert_eq!(reason().await["reason"], "failed");
    service.worker("catalogue", "state = 'NEEDS_UPGRADE'").await;
    assert_eq!(reason().await["reason"], "needs upgrade");
}

#[tokio::test]
async fn a_failed_projection_is_not_waited_for() {
    let service = Service::start_with(|config| config.position_wait = Duration::from_secs(20)).await;
    service.folded("catalogue", 100).await;
    service.worker("catalogue", "state = 'FAILED'").await;
    let begun = Instant::now();
    assert_eq!(service.ask_at(PRODUCT, &token(101)).await.details()["reason"], "failed");
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(service.ask(PRODUCT).await.data()["product"].is_null(), "without a position it still answers");
}

#[tokio::test]
async fn questions_about_orders_and_sales_wait_for_what_they_read_and_nothing_else() {
    let service = Service::start_with(|config| config.position_wait = Duration::from_millis(50)).await;
    for (projection, position) in [("shop", 90), ("customers", 80), ("catalogue", 70)] {
        service.folded(projection, position).await;
    }
    let days = "from: \"2010-12-01\", to: \"2010-12-31\"";
    let node = |kind: &str| {
        let id = node_id(kind);
        format!("{{ node(id: \"{id}\") {{ id }} }}")
    };
    for (query, served, behind) in [
        ("{ order(number: \"1\") { number } }".to_owned(), 90, "shop"),
        (
            "{ orders { nodes { lines { sku } payments { id } shipments { id } returns { id } } } }".into(),
            90,
            "shop",
        ),
        ("{ orders { nodes { customer { name } } } }".into(), 80, "customers"),
        ("{ orders { nodes { lines { product { name } } } } }".into(), 70, "catalogue"),
        (format!("{{ salesSummary({days}) {{ orders }} }}"), 90, "shop"),
        (format!("{{ salesByDay({days}) {{ day }} }}"), 90, "shop"),
        (format!("{{ salesByCountry({days}) {{ country }} }}"), 90, "shop"),
        (format!("{{ topCustomers({days}) {{ customerNumber }} }}"), 90, "shop"),
        (format!("{{ topProducts({days}, by: UNITS) {{ sku }} }}"), 70, "catalogue"),
        (node("Order"), 90, "shop"),
        (node("Payment"), 90, "shop"),
        (node("Shipment"), 90, "shop"),
        (node("Return"), 90, "shop"),
    ] {
        let answer = service.ask_at(&query, &token(served)).await;
        answer.data();
        assert_eq!(answer.position(), token(served), "{query}");
        let late = service.ask_at(&query, &token(served + 1)).await;
        assert_eq!(late.code(), "READ_MODEL_BEHIND", "{query}");
        assert_eq!(late.details()["projection"], behind, "{query}");
    }
}

#[tokio::test]
async fn an_order_is_seen_once_the_shop_is_at_the_position_of_its_command() {
    let service = Service::start().await;
    let query = "{ orders { totalCount } }";
    let ahead = token(101);
    let (answer, ()) = tokio::join!(service.ask_at(query, &ahead), async {
        tokio::time::sleep(Duration::from_millis(60)).await;
        service.orders(1).await;
        service.folded("shop", 101).await;
        service.notify("shop", 101).await;
    });
    assert_eq!(answer.data(), &json!({"orders": {"totalCount": 1}}));
    assert_eq!(answer.position(), token(101));
}

fn node_id(kind: &str) -> String {
    use base64::Engine as _;
    let id = format!("{kind}:00000000-0000-0000-0000-000000000001");
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(id)
}

#[tokio::test]
async fn a_position_of_another_log_is_refused_and_junk_is_no_position() {
    let service = Service::start().await;
    let other = format!("{:08x}-100", LOG + 1);
    assert_eq!(service.ask_at(PRODUCT, &other).await.code(), "OTHER_LOG");
    for junk in ["100", "", "zzzzzzzz-1", "0000cafe-99999999999999999999999"] {
        let answer = service.ask_at(PRODUCT, junk).await;
        assert_eq!((answer.status, answer.code()), (422, "INVALID_INPUT"), "{junk:?}");
    }
}
