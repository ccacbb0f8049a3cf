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
    /// Measure what telemetry costs: an import with all of it off and with all of it on, by turns
    ///
    /// On is: traces and lines in memory for /ops, one trace in ten exported to a collector in this process, a line for
    /// every request as JSON and to that collector.
    Telemetry(BenchFlags),
    /// Measure a rebuild of the shop's projection from a long history, beside COPY of the same rows
    ///
    /// The history is that of an import, its orders, payments, shipments and returns repeated under other ids until there
    /// are so many events.
    Projections(ProjectionsBenchFlags),
    /// Measure how soon what was written is read, at a steady rate of commands
    ///
    /// From the answer of a command to that of a GraphQL query with its token, asked for at once: for one command in ten
    /// the product whose price it changed, for one in a hundred a search for the product it listed.
    Live(LiveBenchFlags),
    /// Measure how long queries are held when readers switch from one version of a projection to another and back
    Switches(SwitchesBenchFlags),
    /// Measure the node alone through the official Rust client: appends, reads, and how it does as the log grows
    ///
    /// Every append is synced before it is answered, so the disk sets the limit: how often it syncs is measured at the
    /// beginning of each run, and appends are told as a multiple of that.
    Node(NodeBenchFlags),
}

/// How to measure rebuilds.
#[derive(Debug, Clone, Args)]
pub struct ProjectionsBenchFlags {
    /// The invoice lines to import; see `headwater import retail --help`
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// How many events there are to be for the projection, 1 to 100000000; 1 million take some 2 GB of disk
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000_000,
        value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub events: u64,
    /// How often to rebuild, 1 to 50
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=50))]
    pub runs: u8,
    /// A folder on the disk to measure, which must not be in memory [default: the temporary folder]
    #[arg(long, value_name = "DIRECTORY")]
    pub dir: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// How to measure what is read at once.
#[derive(Debug, Clone, Args)]
pub struct LiveBenchFlags {
    /// How many commands are sent a second, 1 to 100000, while no more than 512 are under way
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rate: u32,
    /// For how long, 1 to 3600
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub seconds: u16,
    /// A folder on the disk to measure, which must not be in memory [default: the temporary folder]
    #[arg(long, value_name = "DIRECTORY")]
    pub dir: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// How to measure switches.
#[derive(Debug, Clone, Args)]
pub struct SwitchesBenchFlags {
    /// How many, 1 to 10000
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub switches: u16,
    /// A folder on the disk to measure, which must not be in memory [default: the temporary folder]
    #[arg(long, value_name = "DIRECTORY")]
    pub dir: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// How to measure the node.
#[derive(Debug, Clone, Args)]
pub struct NodeBenchFlags {
    /// How many events the log grows to, 200000 to 100000000; 10 million take some 4 GB of disk
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000_000,
        value_parser = clap::value_parser!(u64).range(200_000..=100_000_000))]
    pub events: u64,
    /// How long each kind of append and read is measured, 1 to 60
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=60))]
    pub seconds: u8,
    /// How often to measure, 1 to 50
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=50))]
    pub runs: u8,
    /// A folder on the disk to measure, which must not be in memory [default: the temporary folder]
    #[arg(long, value_name = "DIRECTORY")]
    pub dir: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
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
