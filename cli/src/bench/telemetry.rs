//! What telemetry costs: the same import with all of it off and with all of it on, by turns.

use std::path::Path;

use super::flags::BenchFlags;
use super::import::fill;
use super::limits;
use super::place::Place;
use super::process::Setup;
use super::report::{Figure, Report, Unit};
use super::sink::Sink;
use super::system::{ROLES, System};
use crate::failure::Failure;

/// The share of the traces that is exported when telemetry is on.
const SAMPLED: &str = "0.1";

/// Nothing is remembered, exported or said.
fn off() -> Setup {
    Setup { variables: vec![("HEADWATER_OPS_MEMORY".to_owned(), "0".to_owned())], ..Setup::default() }
}

/// A line for every request, as JSON and by OTLP; traces in memory as `up` keeps them, and one in ten by OTLP.
fn on(sink: &Sink) -> Setup {
    let variables = [
        ("HEADWATER_LOG_FORMAT", "json".to_owned()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", sink.address)),
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio".to_owned()),
        ("OTEL_TRACES_SAMPLER_ARG", SAMPLED.to_owned()),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value)).to_vec();
    Setup { log_filter: observability::DEFAULT_LOG_FILTER, variables, ..Setup::default() }
}

/// Measures and prints.
///
/// # Errors
/// The system does not start, or does not do what it is there for.
pub async fn telemetry(flags: &BenchFlags) -> Result<(), Failure> {
    let place = Place::make(flags.dir.as_deref())?;
    let limits = limits::of_disk_and_database(place.path()).await?;
    let mut runs = Vec::new();
    for number in 1..=flags.runs {
        eprintln!("run {number} of {}", flags.runs);
        let sink = Sink::start().await?;
        let data = place.path().join(format!("run-{number}"));
        // By turns, so that what warms up or tires does not count for one of them.
        let (quiet, telling) = if number % 2 == 1 {
            let quiet = commands_per_second(&data, &flags.file, &off()).await?;
            (quiet, commands_per_second(&data, &flags.file, &on(&sink)).await?)
        } else {
            let telling = commands_per_second(&data, &flags.file, &on(&sink)).await?;
            (commands_per_second(&data, &flags.file, &off()).await?, telling)
        };
        runs.push(vec![
            Figure::new("offPerSecond", "commands, telemetry off", Unit::PerSecond, quiet),
            Figure::new("onPerSecond", "commands, telemetry on", Unit::PerSecond, telling),
            Figure::new("onOfOff", "on of off", Unit::Ratio, telling / quiet),
            Figure::new("spans", "spans exported", Unit::Count, sink.spans() as f64),
            Figure::new("lines", "log lines exported", Unit::Count, sink.lines() as f64),
        ]);
    }
    Report { name: "telemetry", roles: ROLES, limits, runs }.print(flags.json)
}

/// How many commands of the import are answered a second, in a new system.
async fn commands_per_second(data: &Path, file: &Path, setup: &Setup) -> Result<f64, Failure> {
    let (system, _) = System::start_with(data, setup).await?;
    let imported = fill(&system, file).await?;
    system.stop().await?;
    std::fs::remove_dir_all(data).map_err(|error| Failure::of(&error))?;
    Ok(imported.requests as f64 / imported.answered_seconds)
}
