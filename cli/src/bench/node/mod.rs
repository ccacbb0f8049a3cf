//! The node alone, through the official client as anyone uses it, with nothing of ours in between.

mod appends;
mod growth;
mod reads;
mod target;

use std::path::Path;
use std::time::Duration;

use self::appends::{Appends, Door};
use self::target::Target;
use super::flags::NodeBenchFlags;
use super::limits;
use super::place::Place;
use super::report::{Figure, Report, Unit};
use crate::failure::Failure;

/// How many append at once.
const WRITERS: [usize; 3] = [1, 16, 64];

/// Data of every event, bytes.
const EVENT_BYTES: usize = 256;

/// Measures and prints.
///
/// # Errors
/// The node does not start, or does not do what it is there for.
pub async fn node(flags: &NodeBenchFlags) -> Result<(), Failure> {
    let place = Place::make(flags.dir.as_deref())?;
    let mut runs = Vec::new();
    for number in 1..=flags.runs {
        eprintln!("run {number} of {}", flags.runs);
        let mut figures = vec![limits::of_disk(place.path()).await?];
        let disk = figures[0].value();
        appends(&place.path().join("appends"), flags, disk, &mut figures).await?;
        growth::measure(&place.path().join("growth"), flags, &mut figures).await?;
        runs.push(figures);
    }
    Report { name: "node", roles: &["node"], limits: Vec::new(), runs }.print(flags.json)
}

/// Appends of one event each, by both doors.
async fn appends(
    data: &Path,
    flags: &NodeBenchFlags,
    disk: f64,
    figures: &mut Vec<Figure>,
) -> Result<(), Failure> {
    let (target, _) = Target::start(data).await?;
    for door in [Door::Single, Door::Session] {
        for writers in WRITERS {
            eprintln!("  {} by {writers}", door.label());
            let appends =
                appends::measure(&target, door, writers, Duration::from_secs(flags.seconds.into())).await?;
            figures.extend(told(door, writers, &appends, disk));
        }
    }
    target.process.stop().await?;
    std::fs::remove_dir_all(data).map_err(|error| Failure::of(&error))
}

fn told(door: Door, writers: usize, appends: &Appends, disk: f64) -> [Figure; 5] {
    let key = |what: &str| format!("{}{writers}{what}", door.key());
    let label = |what: &str| format!("{} by {writers}: {what}", door.label());
    [
        Figure::new(key("PerSecond"), label("events"), Unit::PerSecond, appends.per_second),
        Figure::new(key("TimesFdatasync"), label("times fdatasync"), Unit::Ratio, appends.per_second / disk),
        Figure::new(key("PerSync"), label("events a sync"), Unit::Ratio, appends.per_sync),
        Figure::new(key("P50Seconds"), label("p50"), Unit::Milliseconds, appends.p50),
        Figure::new(key("P99Seconds"), label("p99"), Unit::Milliseconds, appends.p99),
    ]
}
