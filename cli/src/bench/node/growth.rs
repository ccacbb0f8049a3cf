//! How the node does as its log grows: the rate of appends, memory, disk, and a start, also after SIGKILL.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use eventstore::{BatchAppendOptions, ExpectedRevision};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use indicatif::{ProgressBar, ProgressStyle};

use super::appends::{self, Door};
use super::target::{Target, event, failed};
use super::{EVENT_BYTES, reads};
use crate::bench::flags::NodeBenchFlags;
use crate::bench::report::{Figure, Unit};
use crate::failure::Failure;

/// The log is small when it has so many events.
const SMALL: u64 = 100_000;

/// Events of a batch, and batches under way at once in the one session.
const BATCH_EVENTS: u64 = 500;
const BATCHES_AT_ONCE: usize = 8;

/// Who append when small and large are compared.
const WRITERS: usize = 64;

/// How often a file system counts a block (stat(2)).
const BLOCK_BYTES: u64 = 512;

/// Measures it all in a log of its own.
///
/// # Errors
/// The node does not do what it is there for.
pub async fn measure(data: &Path, flags: &NodeBenchFlags, figures: &mut Vec<Figure>) -> Result<(), Failure> {
    let lasting = Duration::from_secs(flags.seconds.into());
    let (target, _) = Target::start(data).await?;
    eprintln!("  growing to {} events", flags.events);
    load(&target, 0, SMALL).await?;
    let small = appends::measure(&target, Door::Single, WRITERS, lasting).await?;
    let per_second = load(&target, SMALL, flags.events).await?;
    let large = appends::measure(&target, Door::Single, WRITERS, lasting).await?;
    let ratio = large.per_second / small.per_second;
    figures.extend([
        Figure::new("batchEventsPerSecond", "batches of 500: events", Unit::PerSecond, per_second),
        Figure::new("largeToSmall", "append rate, large log to one of 100,000", Unit::Ratio, ratio),
    ]);
    eprintln!("  reading");
    let streams = reads::streams(&target, lasting).await?;
    let (events, read) = reads::everything(&target).await?;
    figures.extend([
        Figure::new("events", "events in the log", Unit::Count, events as f64),
        Figure::new("readAllPerSecond", "$all read forwards: events", Unit::PerSecond, read),
        Figure::new("streamReadsPerSecond", "streams of 50 read by 16", Unit::PerSecond, streams),
    ]);
    restarts(target, data, events, figures).await?;
    fs::remove_dir_all(data).map_err(|error| Failure::of(&error))
}

/// Stops and starts, kills and starts; everything must be there.
async fn restarts(
    target: Target,
    data: &Path,
    events: u64,
    figures: &mut Vec<Figure>,
) -> Result<(), Failure> {
    eprintln!("  starting again");
    let resident = |target: &Target| target.process.resident_bytes().map_or(f64::NAN, |bytes| bytes as f64);
    let loaded = resident(&target);
    target.process.stop().await?;
    let (target, stopped) = Target::start(data).await?;
    // So that the kill finds work that no orderly stop has put away.
    load(&target, 0, SMALL).await?;
    target.process.kill()?;
    let (target, killed) = Target::start(data).await?;
    let started = resident(&target);
    let (found, _) = reads::everything(&target).await?;
    if found != events + SMALL {
        return Err(Failure::run(format!("{found} events are there of {}", events + SMALL)));
    }
    target.process.stop().await?;
    let used = allocated(data).map_err(|error| Failure::of(&error))?;
    let payload = found * EVENT_BYTES as u64;
    figures.extend([
        Figure::new("startSeconds", "start", Unit::Seconds, stopped.as_secs_f64()),
        Figure::new("startAfterKillSeconds", "start after SIGKILL", Unit::Seconds, killed.as_secs_f64()),
        Figure::new("residentBytes", "memory after all this", Unit::Mebibytes, loaded),
        Figure::new("residentAtStartBytes", "memory after a start", Unit::Mebibytes, started),
        Figure::new("diskToPayload", "disk used to payload", Unit::Ratio, used as f64 / payload as f64),
    ]);
    Ok(())
}

/// Appends batches until so many events more are there; gives how many a second.
async fn load(target: &Target, from: u64, until: u64) -> Result<f64, Failure> {
    let options = BatchAppendOptions::default();
    let session = Arc::new(target.client.batch_append(&options).await.map_err(|error| failed(&error))?);
    let style = ProgressStyle::with_template("  {wide_bar} {pos}/{len} events  {per_sec}  {eta} left")
        .expect("the template is well formed");
    let bar = ProgressBar::new(until - from).with_style(style);
    let begun = Instant::now();
    stream::iter(0..(until - from) / BATCH_EVENTS)
        .map(|batch| {
            let (session, bar) = (Arc::clone(&session), bar.clone());
            async move {
                let events = (0..BATCH_EVENTS).map(|_| event()).collect();
                let name = format!("load-{}", batch % BATCHES_AT_ONCE as u64);
                session.append_to_stream(name, ExpectedRevision::Any, events).await?;
                bar.inc(BATCH_EVENTS);
                Ok::<_, eventstore::Error>(())
            }
        })
        .buffer_unordered(BATCHES_AT_ONCE)
        .try_collect::<()>()
        .await
        .map_err(|error| failed(&error))?;
    bar.finish_and_clear();
    Ok((until - from) as f64 / begun.elapsed().as_secs_f64())
}

/// What the files of a folder take of the disk, bytes.
fn allocated(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { allocated(&entry.path())? } else { metadata.blocks() * BLOCK_BYTES };
    }
    Ok(bytes)
}
