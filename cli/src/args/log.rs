//! The flags of commands that look into the event log.

use clap::Args;

use super::{Given, StorageFlags, present};
use crate::config::Setting;

/// Which log, and where the data is.
#[derive(Debug, Clone, Default, Args)]
pub struct LogFlags {
    /// Address of the event log's node [env: HEADWATER_NODE_LISTEN] [default: 127.0.0.1:2113]
    #[arg(long, value_name = "ADDRESS")]
    pub node_listen: Option<String>,
    /// An EventStoreDB or KurrentDB instead of the node of our own, such as esdb://host:2113?tls=false
    /// [env: HEADWATER_EVENTSTORE]
    #[arg(long, value_name = "URL")]
    pub eventstore: Option<String>,
    /// Where the data is, and how to log.
    #[command(flatten)]
    pub storage: StorageFlags,
}

/// For commands that do nothing but look or say what became of it: `log check`, `node stats`, `parked retry`.
#[derive(Debug, Clone, Default, Args)]
pub struct LogReportFlags {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Which log, and where the data is.
    #[command(flatten)]
    pub log: LogFlags,
}

impl From<LogFlags> for Given {
    fn from(flags: LogFlags) -> Self {
        let mut given = Self::from(flags.storage);
        let settings = [(Setting::NodeListen, flags.node_listen), (Setting::EventStore, flags.eventstore)];
        given.settings.extend(present(settings));
        given
    }
}
