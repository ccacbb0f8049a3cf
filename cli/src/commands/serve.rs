//! `headwater serve ROLE`: one role as a process of its own.

use crate::args::{Given, Role, SandboxFlags};
use crate::config::{Config, Setting};
use crate::data_dir::DataDir;
use crate::failure::Failure;
use crate::{listeners, roles};

/// Which role.
#[derive(Debug, Clone, Copy)]
pub enum Which {
    /// REST.
    Commands,
    /// The workers.
    Projections,
    /// The sagas.
    Sagas,
    /// GraphQL.
    Queries,
    /// The log.
    Node,
    /// Payment and shipping to try out.
    Sandbox {
        /// Whether `up` started it.
        child: bool,
    },
}

/// Takes the role and its flags apart.
pub fn split(role: Role) -> (Which, Given) {
    match role {
        Role::Commands(flags) => (Which::Commands, flags.into()),
        Role::Projections(flags) => (Which::Projections, flags.into()),
        Role::Sagas(flags) => (Which::Sagas, flags.into()),
        Role::Queries(flags) => (Which::Queries, flags.into()),
        Role::Node(flags) => (Which::Node, flags.into()),
        Role::Sandbox(SandboxFlags { child, all }) => (Which::Sandbox { child }, all.into()),
    }
}

/// Runs until it is asked to stop.
///
/// # Errors
/// What kept it from starting, or the part that failed.
pub async fn run(role: Which, config: &Config) -> Result<(), Failure> {
    match role {
        Which::Commands => commands(config).await,
        Which::Projections => projections(config).await,
        Which::Sagas => sagas(config).await,
        Which::Queries => queries(config).await,
        Which::Node => node(config).await,
        Which::Sandbox { child } => sandbox(config, child).await,
    }
}

async fn commands(config: &Config) -> Result<(), Failure> {
    let data = DataDir::open(&config.data_dir)?;
    roles::process(config, "headwater-commands", async |parts, readiness| {
        let public = listeners::bind(Setting::Listen, config.listen).await?;
        let store = roles::connect_to_log(&config.eventstore_url(), readiness)?;
        let commands = roles::commands::executors(store, roles::open_vault(&data)?);
        roles::serve_public(parts, public, command_side::router_of(commands, &config.contexts));
        Ok(())
    })
    .await
}

async fn projections(config: &Config) -> Result<(), Failure> {
    let data = DataDir::open(&config.data_dir)?;
    let database_url = database_url(config, "projections")?;
    let parked = roles::parked::ParkedPage::default();
    roles::process_with(config, "headwater-projections", Some(parked.routes()), async |parts, readiness| {
        let store = roles::connect_to_log(&config.eventstore_url(), readiness)?;
        parked.look_into(database_url, &store)?;
        let vault = roles::open_vault(&data)?;
        let views = roles::projections::views(config);
        roles::projections::start(parts, store, vault, views, (database_url, config.history), readiness)
            .await
            .map(drop)
    })
    .await
}

async fn sagas(config: &Config) -> Result<(), Failure> {
    let data = DataDir::open(&config.data_dir)?;
    let database_url = database_url(config, "sagas")?;
    let (stuck, parked) = (roles::sagas::StuckPage::default(), roles::parked::ParkedPage::default());
    let pages = stuck.routes().merge(parked.routes());
    roles::process_with(config, "headwater-sagas", Some(pages), async |parts, readiness| {
        let store = roles::connect_to_log(&config.eventstore_url(), readiness)?;
        let vault = roles::open_vault(&data)?;
        let commands = roles::commands::executors(store.clone(), vault.clone());
        let sagas = roles::sagas::all(config, commands, store.clone())?;
        stuck.look_into(database_url)?;
        parked.look_into(database_url, &store)?;
        roles::projections::start(parts, store, vault, sagas, (database_url, config.history), readiness)
            .await
            .map(drop)
    })
    .await
}

async fn sandbox(config: &Config, child: bool) -> Result<(), Failure> {
    let data = DataDir::open(&config.data_dir)?;
    let pages = (!child).then(axum::Router::new);
    roles::process_with(config, "headwater-sandbox", pages, async |parts, _readiness| {
        let listener = listeners::bind(Setting::SandboxListen, config.sandbox_listen).await?;
        roles::sandbox::serve(parts, &data, config, listener)?;
        if child {
            roles::sandbox::end_with_parent(parts)?;
        }
        Ok(())
    })
    .await
}

async fn queries(config: &Config) -> Result<(), Failure> {
    let data = DataDir::open(&config.data_dir)?;
    let database_url = database_url(config, "queries")?;
    roles::process(config, "headwater-queries", async |parts, readiness| {
        let public = listeners::bind(Setting::Listen, config.listen).await?;
        roles::queries::wait_for_views(database_url, readiness)?;
        let indexes = roles::search::start(parts, &data, database_url, None, readiness)?;
        roles::serve_public(parts, public, roles::queries::routes(database_url, indexes)?);
        Ok(())
    })
    .await
}

async fn node(config: &Config) -> Result<(), Failure> {
    let data = DataDir::open(&config.data_dir)?;
    let _lock = data.lock()?;
    roles::process(config, "headwater-node", async |parts, _readiness| {
        roles::node::start(parts, &data, config).await.map(drop)
    })
    .await
}

/// Only `up` has a database of its own: roles in processes of their own share one that somebody else runs.
fn database_url<'a>(config: &'a Config, role: &str) -> Result<&'a str, Failure> {
    config.database_url.as_deref().ok_or_else(|| {
        Failure::usage(format!("`headwater serve {role}` needs a PostgreSQL database")).hint(format!(
            "set {} or --{}; only `headwater up` runs a database of its own",
            Setting::DatabaseUrl.variable(),
            Setting::DatabaseUrl.name()
        ))
    })
}
