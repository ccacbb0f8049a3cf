//! The `headwater` command: [`args`] say what can be asked, [`config`] works out the settings in force, `commands`
//! carries out one command a file, `roles` puts the crates together, `shutdown` takes them apart.

pub mod args;
mod bar;
mod bench;
mod commands;
pub mod config;
mod data_dir;
mod database;
mod event_log;
mod failure;
mod http;
mod import;
mod listeners;
mod ops;
mod roles;
mod sample;
mod scrape;
mod shutdown;
mod table;
pub mod telemetry;
mod welcome;

use std::io::Write as _;

pub use commands::run;
pub use failure::Failure;

/// Prints what was asked for to standard output.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Whoever reads it has seen enough, as `head` has.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::of(&error)),
        _ => Ok(()),
    }
}
