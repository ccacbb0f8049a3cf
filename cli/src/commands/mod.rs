//! One file a command.

mod bench;
mod config;
mod health;
mod import;
mod lag;
mod log_check;
mod node_backup;
mod node_folder;
mod node_scavenge;
mod node_stats;
mod node_verify;
mod parked;
mod projection;
mod rebuild;
mod reset_views;
mod sagas;
mod serve;
mod switch;
mod up;
mod verify;
mod versions;

use std::future::Future;
use std::time::Duration;

use crate::args::{Cli, Command, Given, LogCommand, NodeCommand, ParkedCommand};
use crate::config::{Config, Environment, resolve};
use crate::failure::Failure;
use crate::import::flags::ImportSource;

/// How long what still runs in the background may take once a command is done.
const BACKGROUND_END: Duration = Duration::from_secs(1);

/// Carries out what the command line asks for.
///
/// # Errors
/// Whatever keeps the command from its good end.
pub fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Up(flags) => block_on(up::run(&resolved(flags)?)),
        Command::Serve(role) => {
            let (role, flags) = serve::split(role);
            block_on(serve::run(role, &resolved(flags)?))
        }
        Command::Lag(flags) => block_on(lag::run(&resolved(flags.storage)?, flags.json)),
        Command::Log(LogCommand::Check(flags)) => block_on(log_check::run(&resolved(flags.log)?, flags.json)),
        Command::Rebuild(flags) => block_on(rebuild::run(&resolved(flags.storage.clone())?, &flags)),
        Command::Versions(flags) => block_on(versions::run(&resolved(flags.storage.clone())?, &flags)),
        Command::Verify(flags) => block_on(verify::run(&resolved(flags.clone())?, &flags)),
        Command::Rollback(flags) => block_on(switch::rollback(&resolved(flags.storage.clone())?, &flags)),
        Command::Accept(flags) => block_on(switch::accept(&resolved(flags.storage.clone())?, &flags)),
        Command::DropVersion(flags) => {
            block_on(switch::drop_version(&resolved(flags.storage.clone())?, &flags))
        }
        Command::Parked(ParkedCommand::List(flags)) => {
            block_on(parked::list(&resolved(flags.storage.clone())?, &flags))
        }
        Command::Parked(ParkedCommand::Show(flags)) => {
            block_on(parked::show(&resolved(flags.storage.clone())?, &flags))
        }
        Command::Parked(ParkedCommand::Retry(flags)) => {
            block_on(parked::retry(&resolved(flags.report.log.clone())?, &flags))
        }
        Command::Parked(ParkedCommand::Skip(flags)) => {
            block_on(parked::skip(&resolved(flags.report.log.clone())?, &flags))
        }
        Command::Node(NodeCommand::Verify(flags)) => node_verify::run(&flags),
        Command::Node(NodeCommand::Backup(flags)) => node_backup::run(&flags),
        Command::Node(NodeCommand::Scavenge(flags)) => {
            block_on(node_scavenge::run(&resolved(flags.log.log.clone())?, &flags))
        }
        Command::Node(NodeCommand::Stats(flags)) => {
            block_on(node_stats::run(&resolved(flags.log)?, flags.json))
        }
        Command::Sagas(flags) => block_on(sagas::run(&resolved(flags.storage)?, flags.json)),
        Command::Import(ImportSource::Retail(flags)) => block_on(import::run(flags)),
        Command::Bench(benchmark) => block_on(bench::run(benchmark)),
        Command::ResetViews(flags) => block_on(reset_views::run(&resolved(flags)?)),
        Command::Health(flags) => block_on(health::run(&resolved(flags)?)),
        Command::Config(flags) => config::run(&resolved(flags.all)?, flags.json),
    }
}

fn resolved(flags: impl Into<Given>) -> Result<Config, Failure> {
    let variable = |name: &str| std::env::var(name).ok();
    let is_root = rustix::process::geteuid().is_root();
    resolve(&flags.into(), &Environment { variable: &variable, is_root })
}

fn block_on(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::of(&error))?;
    let outcome = runtime.block_on(command);
    runtime.shutdown_timeout(BACKGROUND_END);
    outcome
}
