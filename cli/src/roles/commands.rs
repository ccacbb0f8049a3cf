//! The command side: REST over the log.

use axum::Router;
use command_side::CommandDeps;
use event_store::EventStore;
use vault::Vault;

/// Its routes.
pub fn routes(store: EventStore, vault: Vault) -> Router {
    command_side::router(CommandDeps::new(store, vault))
}
