//! The `headwater` command.

use std::process::ExitCode;

use clap::Parser as _;
use cli::args::Cli;
use tikv_jemallocator::Jemalloc;

/// Events and answers are made on one thread and dropped on another all the time, which glibc's allocator is slow at
/// (ADR 0011).
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    match cli::run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            failure.exit_code()
        }
    }
}
