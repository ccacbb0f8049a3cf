//! The sandbox: served by a process of its own, and as a child of `up`.

mod child;

use std::io::Read as _;
use std::sync::Arc;

use process_managers::sandbox::{Ledger, routes};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::config::Config;
use crate::data_dir::DataDir;
use crate::failure::Failure;
use crate::http;
use crate::shutdown::Parts;

pub use child::start as start_child;

/// Serves the gateways and the ledger.
///
/// # Errors
/// The ledger cannot be used.
pub fn serve(
    parts: &mut Parts,
    data: &DataDir,
    config: &Config,
    listener: TcpListener,
) -> Result<(), Failure> {
    let ledger = Ledger::open(&data.sandbox(), config.delivery_delay).map_err(|error| Failure::of(&error))?;
    let routes = http::around(routes(Arc::new(ledger)));
    parts.start("the sandbox", |stop| http::serve(listener, routes, stop));
    Ok(())
}

/// Ends the process when its standard input does: the parent holds the other end, and lets go of it even when it is
/// killed.
///
/// # Errors
/// No thread can be started.
pub fn end_with_parent(parts: &mut Parts) -> Result<(), Failure> {
    let (ended, parent_ended) = oneshot::channel::<()>();
    // A thread of its own: a read that nobody answers would hold up the end of the runtime.
    let watch = move || {
        let mut nothing = [0; 64];
        while matches!(std::io::stdin().read(&mut nothing), Ok(1..)) {}
        drop(ended);
    };
    std::thread::Builder::new()
        .name("parent".to_owned())
        .spawn(watch)
        .map_err(|error| Failure::of(&error))?;
    parts.start("the parent", |stop| async move {
        tokio::select! {
            () = stop.cancelled() => Ok(()),
            _ = parent_ended => Err(Failure::run("the headwater that started this sandbox is gone")),
        }
    });
    Ok(())
}
