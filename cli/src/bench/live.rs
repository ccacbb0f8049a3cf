//! How soon what was written is read: commands at a steady rate, and after some of them a query at once that asks for
//! what they wrote.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::flags::LiveBenchFlags;
use super::limits;
use super::place::Place;
use super::report::{Figure, Report, Sorted, Unit};
use super::shop::{PRODUCTS, Read, Shop, sku};
use super::system::{ROLES, System};
use crate::bar;
use crate::failure::Failure;

/// Of so many commands one is followed by a query for its product.
const COMMANDS_PER_QUERY: u64 = 10;
/// Of so many commands one lists a product that is searched for.
const COMMANDS_PER_SEARCH: u64 = 100;

/// Commands under way at most, with what is asked after them; at the next one the rate is not kept, which is told.
const UNDER_WAY_MAX: usize = 512;

/// One that was measured.
#[derive(Debug)]
enum Timed {
    Command(Duration),
    Query(Duration),
    Search(Duration),
    Behind,
}

/// Measures and prints.
///
/// # Errors
/// The system does not start, or does not do what it is there for.
pub async fn live(flags: &LiveBenchFlags) -> Result<(), Failure> {
    let place = Place::make(flags.dir.as_deref())?;
    let limits = limits::of_disk_and_database(place.path()).await?;
    let (system, _) = System::start(&place.path().join("data")).await?;
    let shop = Shop::of(&system)?;
    let products = Arc::new(shop.fill().await?);
    let run = commands(&shop, &products, flags).await?;
    system.stop().await?;
    Report { name: "live", roles: ROLES, limits, runs: vec![run] }.print(flags.json)
}

/// Sends each command when its time has come, or once there is a place for it, until the time is over.
async fn commands(
    shop: &Shop,
    products: &Arc<Vec<Uuid>>,
    flags: &LiveBenchFlags,
) -> Result<Vec<Figure>, Failure> {
    let (rate, lasting) = (f64::from(flags.rate), Duration::from_secs(flags.seconds.into()));
    let bar = bar::count_bar(flags.seconds.into(), "commands and queries");
    let places = Arc::new(Semaphore::new(UNDER_WAY_MAX));
    let (mut under_way, mut ended) = (JoinSet::new(), Ended::default());
    let begun = Instant::now();
    for number in 0.. {
        let due = Duration::from_secs_f64(number as f64 / rate);
        if due.max(begun.elapsed()) >= lasting {
            break;
        }
        tokio::time::sleep_until((begun + due).into()).await;
        let place = Arc::clone(&places).acquire_owned().await.map_err(|error| Failure::of(&error))?;
        under_way.spawn(command(shop.clone(), Arc::clone(products), number, place));
        while let Some(one) = under_way.try_join_next() {
            ended.add(one.map_err(|error| Failure::of(&error))??);
        }
        bar.set_position(begun.elapsed().as_secs());
    }
    while let Some(one) = under_way.join_next().await {
        ended.add(one.map_err(|error| Failure::of(&error))??);
    }
    bar.finish_and_clear();
    Ok(ended.figures(begun.elapsed()))
}

/// One command, and what is asked after it.
async fn command(
    shop: Shop,
    products: Arc<Vec<Uuid>>,
    number: u64,
    _place: OwnedSemaphorePermit,
) -> Result<Vec<Timed>, Failure> {
    let sent = Instant::now();
    if number.is_multiple_of(COMMANDS_PER_SEARCH) {
        let sku = format!("FOUND-{number}");
        let written = shop.list(&sku).await?;
        let took = Timed::Command(written.answered - sent);
        return match shop.search(&sku, &written.token).await? {
            Read::Answered(true) => Ok(vec![took, Timed::Search(written.answered.elapsed())]),
            Read::Answered(false) => Err(Failure::run(format!("{sku} is not found at {}", written.token))),
            Read::Behind => Ok(vec![took, Timed::Behind]),
        };
    }
    let (product, pence) = (number % PRODUCTS, number + 1);
    let id = products.get(product as usize).ok_or_else(|| Failure::run("a product is missing"))?;
    let written = shop.price(*id, pence).await?;
    let took = Timed::Command(written.answered - sent);
    if number % COMMANDS_PER_QUERY != 1 {
        return Ok(vec![took]);
    }
    match shop.product(&sku(product), Some(&written.token)).await? {
        // The next command for this product comes a thousand later, so what is read is this price or a later one.
        Read::Answered(Some(read)) if read < pence => {
            Err(Failure::run(format!("{} is read as it was before {}", sku(product), written.token)))
        }
        Read::Answered(Some(_)) => Ok(vec![took, Timed::Query(written.answered.elapsed())]),
        Read::Answered(None) => Err(Failure::run(format!("{} is not there", sku(product)))),
        Read::Behind => Ok(vec![took, Timed::Behind]),
    }
}

#[derive(Debug, Default)]
struct Ended {
    commands: Vec<Duration>,
    queries: Vec<Duration>,
    searches: Vec<Duration>,
    behind: u64,
}

impl Ended {
    fn add(&mut self, timed: Vec<Timed>) {
        for one in timed {
            match one {
                Timed::Command(took) => self.commands.push(took),
                Timed::Query(took) => self.queries.push(took),
                Timed::Search(took) => self.searches.push(took),
                Timed::Behind => self.behind += 1,
            }
        }
    }

    /// In the order they are shown.
    fn figures(self, elapsed: Duration) -> Vec<Figure> {
        let rate = self.commands.len() as f64 / elapsed.as_secs_f64();
        let mut figures = vec![Figure::new("commandsPerSecond", "commands", Unit::PerSecond, rate)];
        for (key, label, times) in [
            ("command", "a command, to its answer", self.commands),
            ("query", "its answer to that of a query for it", self.queries),
            ("search", "its answer to that of a search for it", self.searches),
        ] {
            let times = Sorted::of(times);
            for (name, share) in [("P50", 0.5), ("P99", 0.99), ("Max", 1.0)] {
                let (key, label) =
                    (format!("{key}{name}Seconds"), format!("{label}, {}", name.to_lowercase()));
                figures.push(Figure::new(key, label, Unit::Milliseconds, times.at(share)));
            }
        }
        figures.push(Figure::new("behind", "refused as too far behind", Unit::Count, self.behind as f64));
        figures
    }
}
