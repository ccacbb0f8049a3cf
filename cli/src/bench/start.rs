//! A start on the data of an import.

use std::time::Duration;

use super::flags::BenchFlags;
use super::limits;
use super::place::Place;
use super::report::{Figure, Report, Unit};
use super::system::{ROLES, System};
use crate::failure::Failure;

/// How long the process is left alone before its memory is read.
const AT_REST_AFTER: Duration = Duration::from_secs(2);

/// One start.
#[derive(Debug)]
struct Started {
    ready_seconds: f64,
    resident_bytes: Option<u64>,
}

impl Started {
    /// In the order they are shown.
    fn figures(&self) -> Vec<Figure> {
        let resident = self.resident_bytes.map_or(f64::NAN, |bytes| bytes as f64);
        let memory = "memory at rest, without PostgreSQL and sandbox";
        vec![
            Figure::new("readySeconds", "from the command to ready", Unit::Seconds, self.ready_seconds),
            Figure::new("residentBytes", memory, Unit::Mebibytes, resident),
        ]
    }
}

/// Measures and prints.
///
/// # Errors
/// The system does not start, or does not do what it is there for.
pub async fn start(flags: &BenchFlags) -> Result<(), Failure> {
    let place = Place::make(flags.dir.as_deref())?;
    let limits = limits::of_disk_and_database(place.path()).await?;
    let data = place.path().join("data");
    super::import::filled(&data, &flags.file).await?.stop().await?;
    let mut runs = Vec::new();
    for number in 1..=flags.runs {
        eprintln!("start {number} of {}", flags.runs);
        let (system, took) = System::start(&data).await?;
        tokio::time::sleep(AT_REST_AFTER).await;
        let started = Started { ready_seconds: took.as_secs_f64(), resident_bytes: system.resident_bytes() };
        runs.push(started.figures());
        system.stop().await?;
    }
    Report { name: "start", roles: ROLES, limits, runs }.print(flags.json)
}
