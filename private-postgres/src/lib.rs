//! A private PostgreSQL server as a child process: for `up`, which needs a database without asking anyone to install
//! one by hand, and for tests ([`test_database`]).
//!
//! Flow of a start: `account` (as whom) -> `programs` (which binaries) -> `cluster` (data directory, `initdb`)
//! -> `leftover` (stop what a killed parent left running) -> `server` (run, wait until it answers, stop).

mod account;
mod cluster;
mod error;
mod leftover;
mod programs;
mod server;
mod testing;

use std::path::PathBuf;

pub use error::Error;
pub use server::{DATABASE, PrivatePostgres, USER};
pub use testing::{TestDatabase, test_database};

/// How to run a private server.
#[derive(Debug, Clone)]
pub struct Config {
    /// A directory of this server's own: the cluster, its socket, its lock and `postgres.log` stand in it. Made when
    /// it is missing.
    pub data_dir: PathBuf,
    /// How many clients may be connected at once.
    pub max_connections: u32,
    /// Whether a commit reaches the disk. `false` loses data when the machine fails and is for tests only.
    pub fsync: bool,
    /// Further settings by name, which win over ours.
    pub settings: Vec<(String, String)>,
}

impl Config {
    /// The settings for a small machine: 64 connections, every commit on disk.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self { data_dir: data_dir.into(), max_connections: 64, fsync: true, settings: Vec::new() }
    }
}
