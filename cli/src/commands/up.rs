//! `headwater up`: every role in one process, with a private database and a log of its own.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use command_side::Contexts;
use observability::Readiness;
use read_model::catalogue::CATALOGUE;
use tokio::time::{MissedTickBehavior, interval};

use crate::config::{Config, Setting, node_url};
use crate::data_dir::DataDir;
use crate::database;
use crate::failure::Failure;
use crate::listeners;
use crate::roles;
use crate::sample::Sample;
use crate::shutdown::Parts;
use crate::welcome::Welcome;

/// How often people are told what a long start waits for.
const PROGRESS: Duration = Duration::from_secs(5);

/// Runs until it is asked to stop.
///
/// # Errors
/// What kept it from starting, or the part that failed.
pub async fn run(config: &Config) -> Result<(), Failure> {
    let began = Instant::now();
    listeners::check_distinct(&listening(config))?;
    if let Some(url) = &config.database_url {
        database::must_answer(url).await?;
    }
    let data = DataDir::open(&config.data_dir)?;
    let _lock = data.lock()?;
    let (stuck, parked) = (roles::sagas::StuckPage::default(), roles::parked::ParkedPage::default());
    let pages = stuck.routes().merge(parked.routes());
    roles::process_with(config, "headwater", Some(pages), async |parts, readiness| {
        let public = listeners::bind(Setting::Listen, config.listen).await?;
        let address = public.local_addr().map_err(|error| Failure::of(&error))?;
        let sample = Sample::of(&data, config)?;
        let node = match &config.eventstore {
            Some(_) => None,
            None => Some(roles::node::start(parts, &data, config).await?),
        };
        let log_url = node.map_or_else(|| config.eventstore_url(), node_url);
        let database_url = match &config.database_url {
            Some(url) => url.clone(),
            None => roles::postgres::start(parts, &data).await?,
        };
        let sandbox = match config.needs_sandbox() {
            true => Some(roles::sandbox::start_child(parts, &data, config).await?),
            false => None,
        };
        let vault = roles::open_vault(&data)?;
        let store = roles::connect_to_log(&log_url, readiness)?;
        let commands = roles::commands::executors(store.clone(), vault.clone());
        let mut folds = roles::projections::views(config);
        folds.extend(roles::sagas::all(config, commands.clone(), store.clone())?);
        stuck.look_into(&database_url)?;
        parked.look_into(&database_url, &store)?;
        let folded =
            roles::projections::start(parts, store, vault, folds, (&database_url, config.history), readiness)
                .await?;
        let texts = folded.into_iter().find(|folded| folded.projection() == CATALOGUE.name);
        let indexes = roles::search::start(parts, &data, &database_url, texts, readiness)?;
        let queries = roles::queries::routes(&database_url, indexes)?;
        let routes = command_side::router_of(commands, &Contexts::all()).merge(queries);
        roles::serve_public(parts, public, routes);
        let welcome = Welcome {
            data_dir: data.path().to_owned(),
            public: address,
            admin: config.admin_listen,
            sandbox,
            log_url,
            database_url,
        };
        announce(parts, readiness.clone(), began, welcome, sample);
        Ok(())
    })
    .await
}

/// Every address that is listened on.
fn listening(config: &Config) -> Vec<(Setting, SocketAddr)> {
    let mut all = vec![(Setting::Listen, config.listen), (Setting::AdminListen, config.admin_listen)];
    if config.eventstore.is_none() {
        all.push((Setting::NodeListen, config.node_listen));
    }
    if config.needs_sandbox() {
        all.push((Setting::SandboxListen, config.sandbox_listen));
    }
    all
}

/// Prints the addresses once everything is there, and until then now and again what is missing. A new shop gets its
/// sample first.
fn announce(parts: &mut Parts, readiness: Readiness, began: Instant, welcome: Welcome, sample: Sample) {
    parts.start("the welcome", |stop| async move {
        let mut progress = interval(PROGRESS);
        progress.set_missed_tick_behavior(MissedTickBehavior::Delay);
        progress.tick().await;
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = readiness.ready() => break,
                _ = progress.tick() => {
                    tracing::info!(waiting_for = readiness.waiting_for().join(", "), "still starting");
                }
            }
        }
        let took = began.elapsed();
        let has_sample = sample.load(&welcome.url(), stop.clone()).await;
        if !stop.is_cancelled() {
            welcome.print(took, has_sample);
        }
        stop.cancelled().await;
        Ok(())
    });
}
