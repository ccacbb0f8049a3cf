//! `headwater bench`: measures the system as it is shipped. A run starts this very binary as a process of its own, in a
//! folder of its own, and is its client. Beside the figures stand what the disk and the database can do in the same
//! run, because machines differ and are shared.

pub mod flags;
mod import;
mod limits;
mod live;
mod node;
mod place;
mod process;
mod projections;
mod report;
mod shop;
mod sink;
mod start;
mod switches;
mod system;
mod telemetry;

pub use import::import;
pub use live::live;
pub use node::node;
pub use projections::projections;
pub use start::start;
pub use switches::switches;
pub use telemetry::telemetry;
