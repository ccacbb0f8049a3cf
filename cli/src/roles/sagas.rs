//! The sagas, and the page that shows which of them stand still.

use std::sync::{Arc, OnceLock};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use command_side::Commands;
use deadpool_postgres::Pool;
use domain::ShopEvent;
use engine::{EngineError, Projection};
use event_store::EventStore;
use process_managers::Desk;
use process_managers::gateway::{PaymentGateway, ShippingGateway};
use serde::Serialize;
use serde_json::json;
use tokio_postgres::error::SqlState;

use crate::config::Config;
use crate::failure::Failure;

/// The most rows of each saga that are shown.
const SHOWN_MAX: usize = 100;

/// Every saga, with the gateways of the configuration.
///
/// # Errors
/// The address of a gateway cannot be one.
pub fn all(
    config: &Config,
    commands: Commands,
    log: EventStore,
) -> Result<Vec<Projection<ShopEvent>>, Failure> {
    Ok(process_managers::all(Desk {
        commands,
        log,
        payment: PaymentGateway::new(config.payment_gateway()?),
        shipping: ShippingGateway::new(config.shipping_gateway()?),
    }))
}

/// A piece of work that stands still until somebody helps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StuckSaga {
    /// Which saga.
    pub saga: &'static str,
    /// The order, or the return.
    pub id: String,
    /// Where it stands.
    pub step: String,
    /// Why.
    pub reason: String,
    /// The position of the last event that changed it.
    pub position: u64,
}

/// What stands still, those that moved longest ago first within each saga, and at most [`SHOWN_MAX`] of each. None
/// when no saga has started yet.
///
/// # Errors
/// The database cannot be asked.
pub async fn stuck(pool: &Pool) -> Result<Vec<StuckSaga>, EngineError> {
    let mut found = Vec::new();
    for (saga, table, version) in process_managers::tables() {
        let rows = match engine::stuck(pool, table, version, SHOWN_MAX).await {
            Err(EngineError::Postgres(error)) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => continue,
            rows => rows?,
        };
        found.extend(rows.into_iter().map(|row| StuckSaga {
            saga,
            id: row.saga_id.to_string(),
            step: row.step,
            reason: row.reason,
            position: row.updated_position.0,
        }));
    }
    Ok(found)
}

/// The admin server's page of what stands still. It is there from the start, and the database a little later.
#[derive(Clone, Default)]
pub struct StuckPage(Arc<OnceLock<Pool>>);

impl StuckPage {
    /// `GET /sagas`.
    pub fn routes(&self) -> Router {
        Router::new().route("/sagas", get(show)).with_state(self.clone())
    }

    /// Where to look from now on.
    ///
    /// # Errors
    /// The URL cannot be read.
    pub fn look_into(&self, database_url: &str) -> Result<(), Failure> {
        let pool = read_model::reader_pool(database_url, 1).map_err(|error| Failure::of(&error))?;
        // Told once; the first one stands.
        let _ = self.0.set(pool);
        Ok(())
    }
}

async fn show(State(page): State<StuckPage>) -> Response {
    let unavailable = |message: &str| {
        let error = json!({ "error": { "code": "UNAVAILABLE", "message": message } });
        (StatusCode::SERVICE_UNAVAILABLE, Json(error)).into_response()
    };
    let Some(pool) = page.0.get() else { return unavailable("the database is not there yet") };
    match stuck(pool).await {
        Ok(stuck) => Json(json!({ "stuck": stuck })).into_response(),
        Err(error) => {
            tracing::warn!(%error, "the sagas that stand still cannot be read");
            unavailable("the database cannot be asked")
        }
    }
}
