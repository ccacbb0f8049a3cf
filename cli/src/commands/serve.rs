//! `headwater serve ROLE`: one role as a process of its own.

use crate::args::{AllFlags, Role};
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
    /// GraphQL.
    Queries,
    /// The log.
    Node,
}

/// Takes the role and its flags apart.
pub fn split(role: Role) -> (Which, AllFlags) {
    match role {
        Role::Commands(flags) => (Which::Commands, flags),
        Role::Projections(flags) => (Which::Projections, flags),
        Role::Queries(flags) => (Which::Queries, flags),
        Role::Node(flags) => (Which::Node, flags),
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
        Which::Queries => queries(config).await,
        Which::Node => node(config).await,
    }
}

async fn commands(config: &Config) -> Result<(), Failure> {
    let data = DataDir::open(&config.data_dir)?;
    roles::process(config, "headwater-commands", async |parts, readiness| {
        let public = listeners::bind(Setting::Listen, config.listen).await?;
        let store = roles::connect_to_log(&config.eventstore_url(), readiness)?;
        let routes = roles::commands::routes(store, roles::open_vault(&data)?);
        roles::serve_public(parts, public, routes);
        Ok(())
    })
    .await
}

async fn projections(config: &Config) -> Result<(), Failure> {
    let data = DataDir::open(&config.data_dir)?;
    let database_url = database_url(config, "projections")?;
    roles::process(config, "headwater-projections", async |parts, readiness| {
        let store = roles::connect_to_log(&config.eventstore_url(), readiness)?;
        let vault = roles::open_vault(&data)?;
        roles::projections::start(parts, store, vault, config, database_url, readiness).await
    })
    .await
}

async fn queries(config: &Config) -> Result<(), Failure> {
    let database_url = database_url(config, "queries")?;
    roles::process(config, "headwater-queries", async |parts, readiness| {
        let public = listeners::bind(Setting::Listen, config.listen).await?;
        roles::queries::wait_for_views(database_url, readiness)?;
        roles::serve_public(parts, public, roles::queries::routes(database_url)?);
        Ok(())
    })
    .await
}

async fn node(config: &Config) -> Result<(), Failure> {
    let data = DataDir::open(&config.data_dir)?;
    let _lock = data.lock()?;
    roles::process(config, "headwater-node", async |parts, _readiness| {
        roles::node::start(parts, &data, config.node_listen).await.map(drop)
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
