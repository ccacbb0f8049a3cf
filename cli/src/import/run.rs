//! Sends a plan in its order: customers and products, then opening stock, then the documents by date.
//!
//! Within a phase, requests are started in order and a bounded number is on its way at once. They may overtake each
//! other, which is harmless: orders stand alone, and what returns and adjustments do to a stock adds up the same in
//! any order, because the opening covers everything that leaves.

use std::path::PathBuf;
use std::pin::pin;
use std::time::Instant;

use futures::{StreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use super::client::{Client, ClientError, Ending, Patience};
use super::plan::{Document, Plan};
use super::progress::Progress;
use super::reader::{self, MALFORMED_LISTED_MAX, ReadError, Strictness};
use super::request::{self, Kind, Request};
use super::summary::{FileSummary, Summary, Tally};

/// What is wanted.
#[derive(Debug, Clone)]
pub struct Options {
    /// The file, plain or gzip.
    pub file: PathBuf,
    /// What to do about a malformed row.
    pub strictness: Strictness,
    /// Where the rows go, and how.
    pub sending: Sending,
}

/// Where requests go, and how.
#[derive(Debug, Clone)]
pub struct Sending {
    /// Where the command service is.
    pub url: String,
    /// How many requests may be on their way at once, at least 1.
    pub concurrency: usize,
    /// How long to go on trying.
    pub patience: Patience,
}

/// Why an import could not begin.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be imported.
    #[error(transparent)]
    File(#[from] ReadError),
    /// The server cannot be spoken to.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// Imports a file; nothing is sent before all of it has been read. When `stop` is cancelled no further request is
/// started, and those in flight are waited for.
///
/// # Errors
/// It could not begin. What ends it later stands in the summary.
pub async fn retail(options: &Options, stop: CancellationToken) -> Result<Summary, ImportError> {
    let (path, strictness) = (options.file.clone(), options.strictness);
    let contents = tokio::task::spawn_blocking(move || reader::read(&path, strictness))
        .await
        .expect("reading does not panic and is not cancelled")?;
    let file = FileSummary::from(&contents);
    report(&file);
    Ok(bring_in(file, &Plan::from_rows(contents.rows), &options.sending, Progress::begin, stop).await?)
}

/// Sends what a file comes to, and shows the progress that `progress` begins for so many requests.
///
/// # Errors
/// The server cannot be spoken to. What ends it later stands in the summary.
pub async fn bring_in(
    file: FileSummary,
    plan: &Plan,
    sending: &Sending,
    progress: fn(u64) -> Progress,
    stop: CancellationToken,
) -> Result<Summary, ClientError> {
    let mut tally = planned(plan);
    let client = Client::new(&sending.url, sending.patience, stop, progress(tally.planned()))?;
    let begun = Instant::now();
    let ended = send(plan, &file.digest, &client, sending.concurrency, &mut tally).await;
    let elapsed = begun.elapsed();
    client.progress.end();
    Ok(Summary::new(file, tally, &client.traffic, elapsed, ended.err()))
}

/// Tells of malformed rows before anything is sent.
fn report(file: &FileSummary) {
    for malformed in &file.malformed {
        eprintln!("{malformed}");
    }
    if file.malformed_rows > MALFORMED_LISTED_MAX as u64 {
        eprintln!("and {} more malformed rows", file.malformed_rows - MALFORMED_LISTED_MAX as u64);
    }
    if file.malformed_rows > 0 {
        eprintln!("{} documents with malformed rows are skipped", file.skipped_documents);
    }
}

/// How many requests of each kind a plan comes to.
#[must_use]
pub fn planned(plan: &Plan) -> Tally {
    let mut tally = Tally::default();
    for kind in Kind::ALL {
        let documents =
            |is: fn(&Document) -> bool| plan.documents.iter().filter(|document| is(document)).count();
        tally.plan(
            kind,
            match kind {
                Kind::Customers => plan.customers.len(),
                Kind::Products => plan.products.len(),
                Kind::OpeningStock => plan.products.iter().filter(|product| product.opening > 0).count(),
                Kind::Orders => documents(|document| matches!(document, Document::Order(_))),
                Kind::Returns => documents(|document| matches!(document, Document::Return(_))),
                Kind::Adjustments => documents(|document| matches!(document, Document::Adjustment(_))),
            },
        );
    }
    tally
}

/// Sends everything, phase by phase.
///
/// # Errors
/// What ended it before its time.
pub async fn send(
    plan: &Plan,
    digest: &str,
    client: &Client,
    concurrency: usize,
    tally: &mut Tally,
) -> Result<(), Ending> {
    let customers = plan.customers.iter().map(request::register);
    let products = plan.products.iter().map(request::list);
    let openings = plan.products.iter().filter_map(|product| request::receive_opening(product, digest));
    let documents = plan.documents.iter().map(request::bring_in);
    phase("customers and products", Box::new(customers.chain(products)), client, concurrency, tally).await?;
    phase("opening stock", Box::new(openings), client, concurrency, tally).await?;
    phase("orders and returns", Box::new(documents), client, concurrency, tally).await
}

/// Boxed, because a task of its own cannot hold the iterators' closures: the compiler takes their lifetimes for one.
type Requests<'a> = Box<dyn Iterator<Item = Request> + Send + 'a>;

async fn phase(
    name: &'static str,
    requests: Requests<'_>,
    client: &Client,
    concurrency: usize,
    tally: &mut Tally,
) -> Result<(), Ending> {
    client.progress.phase(name);
    let answers = stream::iter(requests)
        .take_until(client.stop().cancelled())
        .map(async |request| (client.send(&request).await, request))
        .buffer_unordered(concurrency.max(1));
    let mut answers = pin!(answers);
    while let Some((outcome, request)) = answers.next().await {
        match outcome {
            Ok(outcome) => {
                tally.note(&request, outcome);
                client.progress.answered();
            }
            // The others in flight are still waited for.
            Err(Ending::Interrupted) => {}
            Err(ending) => return Err(ending),
        }
    }
    // Whoever asks for the end after the last answer is late.
    if client.stop().is_cancelled() && tally.unanswered() > 0 { Err(Ending::Interrupted) } else { Ok(()) }
}
