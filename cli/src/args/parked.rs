//! The flags of `headwater parked`.

use clap::{Args, Subcommand};

use super::{LogReportFlags, StorageFlags};

/// What to do about what is parked.
#[derive(Debug, Subcommand)]
pub enum ParkedCommand {
    /// Show what is parked, the earliest first
    List(ParkedListFlags),
    /// Show one of them, with the events that wait there
    Show(ParkedShowFlags),
    /// Fold again what waits there
    ///
    /// For use when what was wrong is mended, such as by a new binary. What still cannot be folded stays parked.
    Retry(ParkedRetryFlags),
    /// Leave out for good the event that cannot be folded, and fold the others that wait there
    ///
    /// The decision is an event of the log: a rebuild leaves the same event out. An event that can be folded now is folded
    /// all the same.
    Skip(ParkedSkipFlags),
}

/// For `parked list`.
#[derive(Debug, Clone, Default, Args)]
pub struct ParkedListFlags {
    /// Which projection or saga [default: all]
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Where the data is, and how to log.
    #[command(flatten)]
    pub storage: StorageFlags,
}

/// For `parked show`.
#[derive(Debug, Clone, Default, Args)]
pub struct ParkedShowFlags {
    /// Which projection or saga
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Which row or stream, as `headwater parked list` shows it
    #[arg(value_name = "PLACE")]
    pub place: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Where the data is, and how to log.
    #[command(flatten)]
    pub storage: StorageFlags,
}

/// For `parked retry`.
#[derive(Debug, Clone, Default, Args)]
pub struct ParkedRetryFlags {
    /// Which projection or saga
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Which rows or streams, as `headwater parked list` shows them
    #[arg(value_name = "PLACE", required_unless_present = "all", conflicts_with = "all")]
    pub places: Vec<String>,
    /// Everything that is parked there, one after the other
    #[arg(long)]
    pub all: bool,
    /// Which log, and where the data is.
    #[command(flatten)]
    pub report: LogReportFlags,
}

/// For `parked skip`.
#[derive(Debug, Clone, Default, Args)]
pub struct ParkedSkipFlags {
    /// Which projection or saga
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Which row or stream, as `headwater parked list` shows it
    #[arg(value_name = "PLACE")]
    pub place: String,
    /// Which log, and where the data is.
    #[command(flatten)]
    pub report: LogReportFlags,
}
