//! The flags of `headwater health`.

use clap::Args;

use super::{Given, StorageFlags, present};
use crate::config::Setting;

/// For `health`.
#[derive(Debug, Clone, Default, Args)]
pub struct HealthFlags {
    /// Address of the process's metrics, health and log level [env: HEADWATER_ADMIN_LISTEN] [default: 127.0.0.1:9464]
    #[arg(long, value_name = "ADDRESS")]
    pub admin_listen: Option<String>,
    /// Where the data is, and how to log.
    #[command(flatten)]
    pub storage: StorageFlags,
}

impl From<HealthFlags> for Given {
    fn from(flags: HealthFlags) -> Self {
        let mut given = Self::from(flags.storage);
        given.settings.extend(present([(Setting::AdminListen, flags.admin_listen)]));
        given
    }
}
