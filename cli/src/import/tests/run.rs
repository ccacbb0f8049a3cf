//! The runner against a service that turns requests away, loses answers, goes away and comes back.

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::ErrorCode;
use tempfile::NamedTempFile;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::file;
use super::server::{Fault, Service, Shop};
use crate::import::client::{Ending, Patience};
use crate::import::reader::Strictness;
use crate::import::request::Kind;
use crate::import::run::{ImportError, Options, Sending, retail};
use crate::import::summary::Summary;

/// Two orders, a return, three adjustments: 2 customers, 3 products of which 2 need an opening.
const ROWS: &[&str] = &[
    "1,A,CUP,2,2010-12-01T08:26:00Z,2.55,17850,United Kingdom",
    "1,B,TEA,1,2010-12-01T08:26:00Z,1.00,17850,United Kingdom",
    "2,A,CUP,3,2010-12-02T08:26:00Z,2.55,,Eire",
    "3,A,damaged,-1,2010-12-02T09:00:00Z,0.00,,Eire",
    "3,A,damaged,-1,2010-12-02T09:00:00Z,0.00,,Eire",
    "4,Z,found,5,2010-12-03T09:00:00Z,0.00,,Eire",
    "C5,A,CUP,-1,2010-12-04T08:26:00Z,2.55,12370,Cyprus",
];
const REQUESTS: u64 = 2 + 3 + 2 + 6;

fn quick() -> Patience {
    Patience {
        give_up_after: Duration::from_secs(10),
        first_pause: Duration::from_millis(5),
        longest_pause: Duration::from_millis(50),
        try_timeout: Duration::from_secs(5),
    }
}

/// What a test waits for comes within this time or not at all.
async fn soon<T>(awaited: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), awaited).await.expect("it comes soon")
}

/// Lets every request through until the import is over.
async fn open(gate: &Notify, importing: JoinHandle<Summary>) -> Summary {
    soon(async {
        while !importing.is_finished() {
            gate.notify_one();
            tokio::task::yield_now().await;
        }
        importing.await.unwrap()
    })
    .await
}

fn options(rows: &[&str], url: &str) -> (NamedTempFile, Options) {
    let mut csv = NamedTempFile::new().unwrap();
    csv.write_all(&file(rows)).unwrap();
    let options = Options {
        file: csv.path().to_owned(),
        strictness: Strictness::Skip,
        sending: Sending { url: url.to_owned(), concurrency: 4, patience: quick() },
    };
    (csv, options)
}

async fn import(rows: &[&str], service: &Service) -> Summary {
    let (_csv, options) = options(rows, &service.url());
    retail(&options, CancellationToken::new()).await.unwrap()
}

/// Sent, already there, rejected.
fn counts(summary: &Summary) -> (u64, u64, u64) {
    summary.tally.kinds.values().fold((0, 0, 0), |(sent, there, rejected), counts| {
        (sent + counts.sent, there + counts.already_there, rejected + counts.rejected)
    })
}

/// What was carried out, in an order of its own, so that runs can be compared.
fn sorted(shop: &Shop) -> Vec<String> {
    let mut events: Vec<_> = shop.events().iter().map(|(path, body)| format!("{path} {body}")).collect();
    events.sort();
    events
}

#[tokio::test]
async fn everything_is_sent_in_its_order_and_a_second_run_adds_nothing() {
    let shop = Arc::new(Shop::default());
    let service = Service::start(&shop);
    let first = import(ROWS, &service).await;
    assert_eq!((first.ended_early.clone(), counts(&first)), (None, (REQUESTS, 0, 0)));
    assert_eq!((first.requests, first.retries, first.conflicts), (REQUESTS, 0, 0));
    let phases: Vec<u8> = shop
        .events()
        .iter()
        .map(|(path, _)| match path.as_str() {
            "/v1/users" | "/v1/products" => 0,
            path if path.ends_with("/receive") => 1,
            _ => 2,
        })
        .collect();
    assert!(phases.is_sorted(), "{phases:?}");

    let second = import(ROWS, &service).await;
    assert_eq!(counts(&second), (0, REQUESTS, 0));
    assert_eq!(shop.events().len() as u64, REQUESTS);
}

#[tokio::test]
async fn a_file_on_top_of_another_leaves_products_and_customers_as_they_are() {
    let shop = Arc::new(Shop::default());
    let service = Service::start(&shop);
    import(&["1,A,MUG,2,2010-12-01T08:26:00Z,9.99,17850,Eire"], &service).await;
    let rows = ["2,A,CUP,3,2010-12-02T08:26:00Z,2.55,17850,France"];
    let more = import(&rows, &service).await;
    let kinds = &more.tally.kinds;
    assert_eq!((kinds[&Kind::Products].already_there, kinds[&Kind::Customers].already_there), (1, 1));
    // The opening of the second file is its own.
    assert_eq!((kinds[&Kind::OpeningStock].sent, kinds[&Kind::Orders].sent), (1, 1));
    let listed: Vec<_> = shop.events().into_iter().filter(|(path, _)| path == "/v1/products").collect();
    assert_eq!((listed.len(), &listed[0].1["name"]), (1, &"MUG".into()));
}

#[tokio::test]
async fn a_busy_service_and_lost_answers_cost_retries_and_nothing_is_done_twice() {
    let calm = Arc::new(Shop::default());
    import(ROWS, &Service::start(&calm)).await;
    let shop = Shop::failing(|_, key, before| match before {
        0 => Some(Fault::TurnAway(ErrorCode::Unavailable)),
        1 => Some(Fault::TurnAway(ErrorCode::TooManyRequests)),
        // Without a key, a repetition is told by what exists.
        2 if key.starts_with("retail/") => Some(Fault::LoseAnswer),
        _ => None,
    });
    let summary = import(ROWS, &Service::start(&shop)).await;
    assert_eq!(summary.ended_early, None);
    // Products and customers were turned away twice, all else three times.
    assert_eq!((summary.retries, summary.requests), (5 * 2 + 8 * 3, 5 * 3 + 8 * 4));
    assert_eq!(counts(&summary), (5, 8, 0));
    assert_eq!(sorted(&shop), sorted(&calm));
}

#[tokio::test]
async fn conflicts_are_counted_and_tried_again() {
    let shop = Shop::failing(|path, _, before| {
        (path.ends_with("/adjust") && before == 0).then_some(Fault::TurnAway(ErrorCode::ConflictExhausted))
    });
    let summary = import(ROWS, &Service::start(&shop)).await;
    assert_eq!((summary.conflicts, summary.retries), (3, 3));
    assert_eq!(counts(&summary), (REQUESTS, 0, 0));
}

#[tokio::test]
async fn a_conflict_that_never_ends_is_a_rejection() {
    let shop = Shop::failing(|path, _, _| {
        path.ends_with("/adjust").then_some(Fault::TurnAway(ErrorCode::ConflictExhausted))
    });
    let service = Service::start(&shop);
    let (_csv, mut options) = options(ROWS, &service.url());
    options.sending.patience.give_up_after = Duration::from_millis(200);
    let summary = retail(&options, CancellationToken::new()).await.unwrap();
    assert_eq!(summary.ended_early, None);
    assert_eq!(summary.tally.kinds[&Kind::Adjustments].rejected, 3);
}

#[tokio::test]
async fn what_the_service_refuses_is_listed_and_the_rest_goes_on() {
    let shop = Shop::failing(|path, key, _| {
        (path == "/v1/products" && key.contains("\"sku\":\"B\""))
            .then_some(Fault::TurnAway(ErrorCode::InvalidInput))
    });
    let summary = import(ROWS, &Service::start(&shop)).await;
    assert_eq!(summary.ended_early, None);
    let refused: Vec<_> = summary
        .tally
        .rejections
        .iter()
        .map(|r| (r.subject.as_str(), r.refusal.status, r.refusal.code.as_str()))
        .collect();
    assert_eq!(refused, [("product B", 422, "INVALID_INPUT"), ("order 1", 422, "UNKNOWN_REFERENCE")]);
    assert_eq!(counts(&summary), (REQUESTS - 2, 0, 2));
    let text = summary.to_string();
    assert!(text.contains("rejected: order 1: 422 UNKNOWN_REFERENCE: "), "{text}");
    let json = serde_json::to_value(&summary).unwrap();
    assert_eq!(json["kinds"]["orders"]["rejected"], 1);
    assert_eq!(json["rejections"][0]["code"], "INVALID_INPUT");
    assert!(json["endedEarly"].is_null());
}

#[tokio::test]
async fn a_service_that_goes_away_and_comes_back_is_waited_for() {
    let shop = Shop::gated();
    let service = Service::start(&shop);
    let address = service.address;
    let (_csv, options) = options(ROWS, &service.url());
    let importing = tokio::spawn(async move { retail(&options, CancellationToken::new()).await.unwrap() });
    soon(shop.arrived.notified()).await;
    service.vanish().await;
    let refused = tokio::net::TcpStream::connect(address).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);

    let calm = Arc::new(Shop::default());
    let _back = Service::start_at(&calm, address);
    let summary = soon(importing).await.unwrap();
    assert_eq!(summary.ended_early, None);
    assert_eq!(counts(&summary), (REQUESTS, 0, 0));
    assert!(summary.retries > 0);
}

#[tokio::test]
async fn a_service_that_stays_away_ends_the_import_with_a_clear_word() {
    let service = Service::start(&Arc::new(Shop::default()));
    let url = service.url();
    service.vanish().await;
    let (_csv, mut options) = options(ROWS, &url);
    options.sending.patience.give_up_after = Duration::from_millis(300);
    let begun = Instant::now();
    let summary = retail(&options, CancellationToken::new()).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(300));
    let ending = summary.ended_early.clone().unwrap();
    assert!(matches!(ending, Ending::ServerLost { .. }));
    assert!(ending.to_string().contains("run the same command again"), "{ending}");
    assert_eq!(counts(&summary), (0, 0, 0));
    assert!(serde_json::to_value(&summary).unwrap()["endedEarly"].is_string());
}

#[tokio::test]
async fn another_kind_of_service_is_told_at_once() {
    for fault in [Fault::Foreign, Fault::TurnAway(ErrorCode::RouteNotFound)] {
        let shop = Shop::failing(move |_, _, _| Some(fault));
        let summary = import(ROWS, &Service::start(&shop)).await;
        assert!(matches!(summary.ended_early, Some(Ending::OtherService { .. })), "{fault:?}");
    }
    let (_csv, options) = options(ROWS, "localhost:8080");
    let error = retail(&options, CancellationToken::new()).await.unwrap_err();
    assert!(matches!(error, ImportError::Client(_)), "{error}");
}

#[tokio::test]
async fn a_stop_finishes_what_is_in_flight_and_a_second_run_the_rest() {
    let shop = Shop::gated();
    let service = Service::start(&shop);
    let (_csv, options) = options(ROWS, &service.url());
    let stop = CancellationToken::new();
    let importing = tokio::spawn({
        let (options, stop) = (options.clone(), stop.clone());
        async move { retail(&options, stop).await.unwrap() }
    });
    soon(async {
        while shop.most_under_way() < options.sending.concurrency {
            shop.arrived.notified().await;
        }
    })
    .await;
    stop.cancel();
    let gate = shop.gate.as_ref().unwrap();
    let stopped = open(gate, importing).await;
    assert_eq!(stopped.ended_early, Some(Ending::Interrupted));
    assert_eq!(counts(&stopped), (4, 0, 0));
    assert_eq!(shop.requests(), 4);

    let calm = Arc::new(Shop::default());
    import(ROWS, &Service::start(&calm)).await;
    let rest = tokio::spawn(async move { retail(&options, CancellationToken::new()).await.unwrap() });
    assert_eq!(counts(&open(gate, rest).await), (REQUESTS - 4, 4, 0));
    assert_eq!(sorted(&shop), sorted(&calm));
    assert_eq!(shop.most_under_way(), 4, "as many at once as allowed, and no more");
}

#[tokio::test]
async fn a_malformed_row_is_in_the_summary_and_a_strict_import_sends_nothing() {
    let shop = Arc::new(Shop::default());
    let service = Service::start(&shop);
    let mut rows = ROWS.to_vec();
    rows.push("2,A,CUP,three,2010-12-02T08:26:00Z,2.55,,Eire");
    let (_csv, mut options) = options(&rows, &service.url());
    options.strictness = Strictness::Stop;
    let error = retail(&options, CancellationToken::new()).await.unwrap_err();
    assert!(error.to_string().starts_with("line 9, column 4 (quantity): "), "{error}");
    assert_eq!(shop.requests(), 0);

    options.strictness = Strictness::Skip;
    let summary = retail(&options, CancellationToken::new()).await.unwrap();
    assert_eq!((summary.file.malformed_rows, summary.file.skipped_documents), (1, 1));
    assert_eq!(summary.tally.kinds[&Kind::Orders].sent, 1);
    assert!(summary.to_string().starts_with("8 rows, 1 of them malformed: 1 documents skipped\n"));
    assert_eq!(serde_json::to_value(&summary).unwrap()["file"]["malformed"][0]["line"], 9);
}
