//! What `headwater bench` can be asked.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum Benchmark {
    /// Measure an import: from its first request until its last order is visible as delivered, with every role running
    Import(BenchFlags),
    /// Measure a start on the data of an import: from the command until it is ready
    Start(BenchFlags),
}

/// How to measure.
#[derive(Debug, Clone, Args)]
pub struct BenchFlags {
    /// The invoice lines to import; see `headwater import retail --help`
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// How often to measure, 1 to 50
    #[arg(long, value_name = "NUMBER", default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=50))]
    pub runs: u8,
    /// A folder on the disk to measure, which must not be in memory [default: the temporary folder]
    #[arg(long, value_name = "DIRECTORY")]
    pub dir: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
