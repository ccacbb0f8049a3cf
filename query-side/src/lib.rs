//! GraphQL over the read models and the search index. Knows tables and status rows, and neither the domain nor the log.
//!
//! A request's way: `http` (body, headers, limits) -> `document` and `as_of` (what the document asks for) -> `schema` (one
//! file a resource) -> `search` (what a text finds) and `read` (wait for the position asked for, one snapshot an answer)
//! -> `in_order` (fields as the document asks for them). Errors of every step leave through `error`.

mod as_of;
mod document;
mod error;
mod http;
mod in_order;
pub mod metrics;
mod read;
mod schema;
mod search;
mod trace;

use std::time::Duration;

use axum::Router;
use contract::Currency;
use read_model::search::SearchIndexes;

pub use http::MIN_POSITION_HEADER;
pub use schema::sdl;

/// How the service reads and what it bears.
#[derive(Debug, Clone)]
pub struct QueryConfig {
    /// Where the read models are.
    pub database_url: String,
    /// Connections for answers; one more listens for notifications.
    pub connections: usize,
    /// Requests answered at once; the next is refused with `TOO_MANY_REQUESTS`.
    pub max_concurrent: usize,
    /// The shop's one currency, which sums of sales are in.
    pub currency: Currency,
    /// How long a request waits for the position it asks for.
    pub position_wait: Duration,
    /// The search indexes, kept by somebody in this process. While there are none, there is no search.
    pub search_indexes: SearchIndexes,
}

impl QueryConfig {
    /// The defaults for one database: 16 connections, 256 requests at once, two seconds of waiting; pounds
    /// sterling, as on the command side; no search index.
    #[must_use]
    pub fn new(database_url: impl Into<String>) -> Self {
        Self {
            database_url: database_url.into(),
            connections: 16,
            max_concurrent: 256,
            currency: Currency::GBP,
            position_wait: Duration::from_secs(2),
            search_indexes: SearchIndexes::default(),
        }
    }
}

/// The service cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SetupError(#[from] read_model::PoolError);

/// `/graphql` and `/graphiql`. Needs a Tokio runtime: a task listens for notifications of the projections until the
/// router and all its copies are dropped. Does not connect yet; the database may come later.
///
/// # Errors
/// The database URL cannot be read.
pub fn router(config: &QueryConfig) -> Result<Router, SetupError> {
    let reader = read::Reader::new(config)?;
    Ok(http::routes(reader, config.currency, config.max_concurrent))
}
