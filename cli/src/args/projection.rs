//! The flags of the commands for versions of projections.

use clap::Args;

use super::{Given, LogFlags, ShopFlags, StorageFlags, present};
use crate::config::Setting;

/// For `rebuild`.
#[derive(Debug, Clone, Default, Args)]
pub struct RebuildFlags {
    /// Which projections
    #[arg(value_name = "NAME", required_unless_present = "all", conflicts_with = "all")]
    pub names: Vec<String>,
    /// Every projection, one after the other
    #[arg(long)]
    pub all: bool,
    /// Do not wait
    #[arg(long)]
    pub detach: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Where the data is, and how to log.
    #[command(flatten)]
    pub storage: StorageFlags,
}

/// For `verify`.
#[derive(Debug, Clone, Default, Args)]
pub struct VerifyFlags {
    /// Which projections
    #[arg(value_name = "NAME", required_unless_present = "all", conflicts_with = "all")]
    pub names: Vec<String>,
    /// Every projection, one after the other
    #[arg(long)]
    pub all: bool,
    /// How the shop keeps its books.
    #[command(flatten)]
    pub shop: ShopFlags,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Which log, and where the data is.
    #[command(flatten)]
    pub log: LogFlags,
}

/// For `versions`.
#[derive(Debug, Clone, Default, Args)]
pub struct VersionsFlags {
    /// Which projection [default: all]
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Where the data is, and how to log.
    #[command(flatten)]
    pub storage: StorageFlags,
}

/// For `rollback`.
#[derive(Debug, Clone, Default, Args)]
pub struct ProjectionFlags {
    /// Which projection
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Where the data is, and how to log.
    #[command(flatten)]
    pub storage: StorageFlags,
}

/// For `accept` and `drop-version`.
#[derive(Debug, Clone, Default, Args)]
pub struct VersionFlags {
    /// Which projection
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Which version, as `headwater versions` shows it
    #[arg(value_name = "VERSION")]
    pub version: i32,
    /// Where the data is, and how to log.
    #[command(flatten)]
    pub storage: StorageFlags,
}

impl From<VerifyFlags> for Given {
    fn from(flags: VerifyFlags) -> Self {
        let mut given = Self::from(flags.log);
        given.settings.extend(present([(Setting::ShopTimezone, flags.shop.shop_timezone)]));
        given
    }
}
