//! `headwater bench`: measures the whole system as it is shipped. A run starts this very binary as a process of its
//! own, in a folder of its own, and speaks HTTP to it. Beside the figures stand what the disk and the database can do
//! in the same run, because machines differ and are shared.

pub mod flags;
mod import;
mod limits;
mod place;
mod report;
mod start;
mod system;

pub use import::import;
pub use start::start;
