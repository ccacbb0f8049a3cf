//! From the first request of an import to the last order visible as delivered.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::flags::BenchFlags;
use super::limits;
use super::place::Place;
use super::report::{Figure, Report, Unit};
use super::system::{ROLES, System};
use crate::failure::Failure;
use crate::import::client::Patience;
use crate::import::reader::Strictness;
use crate::import::request::Kind;
use crate::import::run::{Options, Sending, retail};

/// The same as the default of `headwater import retail`.
const CONCURRENCY: usize = 32;

/// An order that is not delivered by then is not on its way.
const DELIVERED_WITHIN: Duration = Duration::from_secs(600);

/// One import into a new system.
#[derive(Debug)]
pub(super) struct Imported {
    pub(super) requests: u64,
    orders: u64,
    pub(super) answered_seconds: f64,
    delivered_seconds: f64,
}

impl Imported {
    /// In the order they are shown.
    fn figures(&self) -> Vec<Figure> {
        let answered = self.answered_seconds;
        vec![
            Figure::new("requests", "requests", Unit::Count, self.requests as f64),
            Figure::new("orders", "orders", Unit::Count, self.orders as f64),
            Figure::new("answeredSeconds", "first request to last answer", Unit::Seconds, answered),
            Figure::new(
                "deliveredSeconds",
                "first request to last order delivered",
                Unit::Seconds,
                self.delivered_seconds,
            ),
        ]
    }
}

/// Measures and prints.
///
/// # Errors
/// The system does not start, or does not do what it is there for.
pub async fn import(flags: &BenchFlags) -> Result<(), Failure> {
    let place = Place::make(flags.dir.as_deref())?;
    let limits = limits::of_disk_and_database(place.path()).await?;
    let mut runs = Vec::new();
    for number in 1..=flags.runs {
        let data = place.path().join(format!("run-{number}"));
        eprintln!("run {number} of {}", flags.runs);
        let (system, _) = System::start(&data).await?;
        runs.push(fill(&system, &flags.file).await?.figures());
        system.stop().await?;
        std::fs::remove_dir_all(&data).map_err(|error| Failure::of(&error))?;
    }
    Report { name: "import", roles: ROLES, limits, runs }.print(flags.json)
}

/// Imports the file and waits until every order of it is delivered.
pub(super) async fn fill(system: &System, file: &Path) -> Result<Imported, Failure> {
    let options = Options {
        file: file.to_owned(),
        strictness: Strictness::Stop,
        sending: Sending { url: system.url(), concurrency: CONCURRENCY, patience: Patience::default() },
    };
    let summary = retail(&options, CancellationToken::new()).await.map_err(|error| Failure::of(&error))?;
    let answered = Instant::now();
    if let Some(ending) = &summary.ended_early {
        return Err(Failure::of(ending));
    }
    let orders = summary.tally.kinds.get(&Kind::Orders).map_or(0, |counts| counts.sent);
    system.delivered(orders, DELIVERED_WITHIN).await?;
    let answered_seconds = summary.elapsed_seconds;
    let delivered_seconds = answered_seconds + answered.elapsed().as_secs_f64();
    Ok(Imported { requests: summary.requests, orders, answered_seconds, delivered_seconds })
}

/// Imports the file into a new system and gives it, every order delivered.
pub(super) async fn filled(data: &Path, file: &Path) -> Result<System, Failure> {
    let (system, _) = System::start(data).await?;
    fill(&system, file).await?;
    Ok(system)
}
