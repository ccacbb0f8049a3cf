//! The command side: REST over the log.

use command_side::{CommandDeps, Commands};
use event_store::EventStore;
use vault::Vault;

/// What carries commands out; routes and sagas of a process share it.
pub fn executors(store: EventStore, vault: Vault) -> Commands {
    Commands::new(CommandDeps::new(store, vault))
}
