//! How long a switch from one version of a projection to another holds those who read it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool_postgres::Pool;
use engine::versions;
use read_model::catalogue::CATALOGUE;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::flags::SwitchesBenchFlags;
use super::limits;
use super::place::Place;
use super::process::LOOK_EVERY;
use super::report::{Figure, Report, Sorted, Unit};
use super::shop::{PRODUCTS, Read, Shop, sku};
use super::system::{ROLES, System};
use crate::bar;
use crate::data_dir::DataDir;
use crate::failure::Failure;

/// How many ask one query after the other.
const READERS: u64 = 4;
/// Prices are changed meanwhile, one this often.
const PRICED_EVERY: Duration = Duration::from_millis(10);
/// A switch that takes longer does not come.
const SWITCHED_WITHIN: Duration = Duration::from_secs(60);

/// A query, from when until when.
type Span = (Instant, Instant);

/// Measures and prints.
///
/// # Errors
/// The system does not start, or does not do what it is there for.
pub async fn switches(flags: &SwitchesBenchFlags) -> Result<(), Failure> {
    let place = Place::make(flags.dir.as_deref())?;
    let limits = vec![limits::of_disk(place.path()).await?];
    let data = place.path().join("data");
    let (system, _) = System::start(&data).await?;
    let shop = Shop::of(&system)?;
    let products = Arc::new(shop.fill().await?);
    let url = DataDir::existing(&data)?.published_database_url();
    let url = url.ok_or_else(|| Failure::run("the system that was started has no database"))?;
    let pool = read_model::pool(&url, 1).map_err(|error| Failure::of(&error))?;
    let second = versions::rebuild(&pool, CATALOGUE.name).await.map_err(|error| Failure::of(&error))?;
    until_active(&pool, second).await?;

    let stop = CancellationToken::new();
    let mut readers = JoinSet::new();
    for reader in 0..READERS {
        readers.spawn(read(shop.clone(), reader, stop.clone()));
    }
    let pricing = tokio::spawn(price(shop.clone(), Arc::clone(&products), stop.clone()));
    let switched = switch(&pool, flags.switches).await;
    stop.cancel();
    let switched = switched?;
    let priced = pricing.await.map_err(|error| Failure::of(&error))??;
    let mut queries = Vec::new();
    while let Some(reader) = readers.join_next().await {
        queries.extend(reader.map_err(|error| Failure::of(&error))??);
    }
    drop(pool);
    system.stop().await?;
    let runs = vec![figures(&switched, &queries, priced)];
    Report { name: "switches", roles: ROLES, limits, runs }.print(flags.json)
}

/// Goes back to the version before, again and again.
async fn switch(pool: &Pool, times: u16) -> Result<Vec<Span>, Failure> {
    let bar = bar::count_bar(times.into(), "switches");
    let mut switched = Vec::new();
    for _ in 0..times {
        let begun = Instant::now();
        let version = versions::rollback(pool, CATALOGUE.name).await.map_err(|error| Failure::of(&error))?;
        until_active(pool, version).await?;
        switched.push((begun, Instant::now()));
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(switched)
}

async fn until_active(pool: &Pool, number: i32) -> Result<(), Failure> {
    let begun = Instant::now();
    loop {
        let all =
            versions::versions(pool, Some(CATALOGUE.name)).await.map_err(|error| Failure::of(&error))?;
        if all.iter().any(|version| version.version == number && version.is_active) {
            return Ok(());
        }
        if begun.elapsed() > SWITCHED_WITHIN {
            return Err(Failure::run(format!("version {number} is not taken into use: {all:?}")));
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Asks for one product after the other.
async fn read(shop: Shop, reader: u64, stop: CancellationToken) -> Result<Vec<Span>, Failure> {
    let (mut spans, mut product) = (Vec::new(), reader * PRODUCTS / READERS);
    while !stop.is_cancelled() {
        let begun = Instant::now();
        match shop.product(&sku(product % PRODUCTS), None).await? {
            Read::Answered(Some(_)) => spans.push((begun, Instant::now())),
            Read::Answered(None) | Read::Behind => {
                return Err(Failure::run(format!("{} is not answered", sku(product % PRODUCTS))));
            }
        }
        product += 1;
    }
    Ok(spans)
}

/// Changes one price after the other; gives how many.
async fn price(shop: Shop, products: Arc<Vec<Uuid>>, stop: CancellationToken) -> Result<u64, Failure> {
    for (pence, product) in (1..).zip(products.iter().cycle()) {
        if stop.run_until_cancelled(sleep(PRICED_EVERY)).await.is_none() {
            return Ok(pence - 1);
        }
        shop.price(*product, pence).await?;
    }
    Ok(0)
}

/// In the order they are shown.
fn figures(switched: &[Span], queries: &[Span], priced: u64) -> Vec<Figure> {
    let took = |(begun, ended): &Span| *ended - *begun;
    let longest = |switch: &Span| {
        let at_once = queries.iter().filter(|query| query.0 <= switch.1 && query.1 >= switch.0);
        at_once.map(took).max().unwrap_or_default()
    };
    let all = Sorted::of(queries.iter().map(took).collect());
    let switches = Sorted::of(switched.iter().map(took).collect());
    let held = Sorted::of(switched.iter().map(longest).collect());
    vec![
        Figure::new("switches", "switches", Unit::Count, switches.count()),
        Figure::new("queries", "queries meanwhile", Unit::Count, all.count()),
        Figure::new("commands", "commands meanwhile", Unit::Count, priced as f64),
        Figure::new("queryP50Seconds", "a query, p50", Unit::Milliseconds, all.at(0.5)),
        Figure::new("queryP99Seconds", "a query, p99", Unit::Milliseconds, all.at(0.99)),
        Figure::new(
            "switchP50Seconds",
            "from the request to the switch, p50",
            Unit::Milliseconds,
            switches.at(0.5),
        ),
        Figure::new("heldP50Seconds", "the longest query of a switch, p50", Unit::Milliseconds, held.at(0.5)),
        Figure::new(
            "heldP99Seconds",
            "the longest query of a switch, p99",
            Unit::Milliseconds,
            held.at(0.99),
        ),
        Figure::new("heldMaxSeconds", "the longest query of all switches", Unit::Milliseconds, held.at(1.0)),
    ]
}
