//! The addresses of this service.

mod answer;
mod graphiql;
mod graphql;
mod request;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::get;
use contract::Currency;
use tokio::sync::Semaphore;

use crate::read::Reader;
use crate::schema::{self, Schema};

/// The request header with the position that an answer must have reached.
pub const MIN_POSITION_HEADER: &str = "headwater-min-position";

/// The largest body, bytes.
const MAX_BODY: usize = 1024 * 1024;

/// What answering needs.
struct Service {
    schema: Schema,
    reader: Arc<Reader>,
    /// A permit a request being answered.
    permits: Semaphore,
}

/// Every route.
pub(crate) fn routes(reader: Reader, currency: Currency, max_concurrent: usize) -> Router {
    let service = Service {
        schema: schema::build(currency),
        reader: Arc::new(reader),
        permits: Semaphore::new(max_concurrent),
    };
    Router::new()
        .route("/graphql", get(graphql::by_get).post(graphql::by_post))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(Arc::new(service))
        .merge(graphiql::routes())
}
