//! What `headwater bench` can be asked.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum Benchmark {
    /// From the first request of an import to its last order visible as delivered, every role running
    Import(BenchFlags),
    /// A start on the data of an import, from the command to ready
    Start(BenchFlags),
}

/// How to measure.
#[derive(Debug, Clone, Args)]
pub struct BenchFlags {
    /// The invoice lines to import; see `headwater import retail --help`
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// How often to measure
    #[arg(long, value_name = "NUMBER", default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=50))]
    pub runs: u8,
    /// A folder to measure in; its disk is what is measured, so none in memory [default: the temporary folder]
    #[arg(long, value_name = "DIRECTORY")]
    pub dir: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
