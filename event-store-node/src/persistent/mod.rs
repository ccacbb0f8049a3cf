//! Persistent subscriptions: groups of competing consumers whose progress the node keeps (protocol sheet, 5.6).
//!
//! What a group does is decided in `consumer_group`; here it meets the log. Each group has one task of its own, which
//! reads what the group follows, as any reader does, so a slow consumer holds up neither writers nor other groups.
//! Everything that must outlive the process is in the log, in system streams:
//!
//! | stream | what it holds |
//! |---|---|
//! | `$persistentSubscriptionConfig` | the definitions of all groups, as a whole at every change |
//! | `$persistentsubscription-<what it follows>::<group>-checkpoint` | how far the group has come |
//! | `$persistentsubscription-<what it follows>::<group>-parked` | links to its parked events, with the reason |

mod command;
mod config;
mod definition;
mod error;
mod held;
mod info;
mod parked;
mod reader;
mod registry;
mod system_streams;
mod worker;
mod writes;

pub(crate) use command::{Answer, Answers, Connection, Peer};
pub(crate) use definition::{FilterDefinition, FilterSubject, GroupKey, Settings, Source, StartFrom};
pub(crate) use error::GroupError;
pub(crate) use held::Event;
pub(crate) use info::{ConnectionInfo, Info};
pub(crate) use registry::Subscriptions;
pub(crate) use system_streams::is_hidden_from_all;
