//! The sandbox as its callers meet it: over HTTP, and over restarts.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use jiff::SignedDuration;
use process_managers::sandbox::{Kind, Ledger, LedgerError, routes};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::shop::{eventually, loopback, serve};

const ORDER: &str = "00000000-0000-0000-0000-000000000007";

struct Caller {
    base: String,
    http: Client,
}

async fn sandbox(folder: &Path) -> Caller {
    let open = async || Ledger::open(folder, SignedDuration::ZERO).ok();
    let ledger = eventually("a ledger that nobody else has", open).await;
    let listener = TcpListener::bind(loopback()).await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    serve(routes(Arc::new(ledger)), listener).await;
    Caller { base, http: Client::new() }
}

impl Caller {
    async fn post(&self, path: &str, key: &str, body: Value) -> (u16, Value) {
        let call = self.http.post(format!("{}{path}", self.base)).header("idempotency-key", key).json(&body);
        let answer = call.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let answer = self.http.get(format!("{}{path}", self.base)).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn authorize(&self, key: &str, minor: i64) -> Value {
        let amount = json!({ "minor": minor, "currency": "GBP" });
        let body = json!({ "order": ORDER, "amount": amount });
        let (status, answer) = self.post("/v1/payments/authorizations", key, body).await;
        assert_eq!((status, &answer["status"]), (200, &json!("AUTHORIZED")), "{answer}");
        answer["reference"].clone()
    }
}

fn pounds(minor: i64) -> Value {
    json!({ "amount": { "minor": minor, "currency": "GBP" } })
}

#[tokio::test]
async fn the_ledger_is_there_after_a_restart_and_knows_what_was_answered() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path(), SignedDuration::ZERO).unwrap();
    assert!(matches!(Ledger::open(folder.path(), SignedDuration::ZERO), Err(LedgerError::InUse { .. })));
    drop(ledger);
    let caller = sandbox(folder.path()).await;
    let reference = caller.authorize("a", 850).await;
    let path = format!("/v1/payments/{}/capture", reference.as_str().unwrap());
    assert_eq!(caller.post(&path, "b", pounds(850)).await.1["status"], "CAPTURED");
    // A copy of what a kill leaves: whole lines, and a piece of one.
    let after = tempfile::tempdir().unwrap();
    std::fs::copy(folder.path().join("ledger.jsonl"), after.path().join("ledger.jsonl")).unwrap();
    let file = std::fs::OpenOptions::new().append(true).open(after.path().join("ledger.jsonl"));
    file.unwrap().write_all(br#"{"number":3,"at":"2026"#).unwrap();
    let caller = sandbox(after.path()).await;
    assert_eq!(caller.authorize("a", 850).await, reference);
    assert_eq!(caller.post(&path, "b", pounds(850)).await.1["status"], "CAPTURED");
    assert_eq!(caller.post(&path, "c", pounds(850)).await.0, 409);
    let (_, page) = caller.get("/ledger").await;
    let repeated: Vec<_> = page["calls"].as_array().unwrap().iter().map(|call| &call["repeated"]).collect();
    assert_eq!(repeated, [&json!(false), &json!(false), &json!(true), &json!(true), &json!(false)]);
}

#[tokio::test]
async fn the_ledger_is_read_by_pages_and_summed_up() {
    let folder = tempfile::tempdir().unwrap();
    let caller = sandbox(folder.path()).await;
    for number in 0..5 {
        let reference = caller.authorize(&format!("a{number}"), 100).await;
        let path = format!("/v1/payments/{}/capture", reference.as_str().unwrap());
        caller.post(&path, &format!("b{number}"), pounds(100)).await;
        caller.post(&path, &format!("b{number}"), pounds(100)).await;
    }
    let mut numbers = Vec::new();
    let mut after = json!(0);
    loop {
        let (_, page) =
            caller.get(&format!("/ledger?kind=CAPTURE&order={ORDER}&first=3&after={after}")).await;
        numbers.extend(page["calls"].as_array().unwrap().iter().map(|call| call["number"].as_u64().unwrap()));
        after = page["next"].clone();
        if after.is_null() {
            break;
        }
    }
    assert_eq!(numbers, [2, 3, 5, 6, 8, 9, 11, 12, 14, 15]);
    let nobody = format!("/ledger?order={}", Uuid::nil());
    assert_eq!(caller.get(&nobody).await.1, json!({ "calls": [], "next": null }));
    let (_, summary) = caller.get("/ledger/summary").await;
    let line = |kind: Kind, outcome: &str, calls, repeated| {
        json!({
            "kind": kind, "outcome": outcome, "calls": calls, "repeated": repeated, "orders": 1,
            "amounts": { "GBP": 500 },
        })
    };
    let expected = [line(Kind::Authorize, "AUTHORIZED", 5, 0), line(Kind::Capture, "CAPTURED", 10, 5)];
    assert_eq!(summary, json!(expected));
}

#[tokio::test]
async fn bad_calls_get_a_clear_error_and_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let caller = sandbox(folder.path()).await;
    let order = |amount: Value| json!({ "order": ORDER, "amount": amount });
    let good = order(json!({ "minor": 1, "currency": "GBP" }));
    let path = "/v1/payments/authorizations";
    for (key, body) in [
        ("a", json!({})),
        ("a", order(json!({ "minor": -1, "currency": "GBP" }))),
        ("a", order(json!({ "minor": "1", "currency": "GBP" }))),
        ("a", order(json!({ "minor": 1, "currency": "PFUND" }))),
        ("a", json!({ "order": "x", "amount": { "minor": 1, "currency": "GBP" } })),
        ("", good.clone()),
        ("x".repeat(129).as_str(), good.clone()),
    ] {
        let (status, answer) = caller.post(path, key, body).await;
        assert!((400..500).contains(&status) && answer["error"]["message"].is_string(), "{answer}");
    }
    let unkeyed = caller.http.post(format!("{}{path}", caller.base)).json(&good).send().await.unwrap();
    assert_eq!(unkeyed.status(), 400);
    let broken = caller.http.post(format!("{}{path}", caller.base)).header("idempotency-key", "a");
    let broken = broken.header("content-type", "application/json").body("{").send().await.unwrap();
    assert_eq!(broken.status(), 400);
    assert_eq!(caller.get("/ledger?first=0").await.0, 400);
    assert_eq!(caller.get("/ledger?kind=STEAL").await.0, 400);
    assert_eq!(caller.get("/ledger").await.1["calls"], json!([]));
    assert_eq!(caller.get("/v1/shipments/nothing").await.0, 404);
    assert_eq!(caller.post("/v1/payments/nothing/refunds", "b", pounds(1)).await.0, 404);
}

#[test]
fn a_line_in_the_middle_that_is_none_is_an_error_with_its_number() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ledger.jsonl"), "{}\n").unwrap();
    let error = Ledger::open(folder.path(), SignedDuration::ZERO).err().unwrap();
    assert!(error.to_string().contains("line 1 of the ledger"), "{error}");
}
