//! A `headwater up` of this very binary, as a process of its own.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;

use super::process::{LOOK_EVERY, Process, Setup, free_addresses};
use crate::failure::Failure;

/// What runs in it.
pub const ROLES: &[&str] =
    &["commands", "sagas", "projections", "queries", "node", "sandbox", "private PostgreSQL"];

/// The running system.
#[derive(Debug)]
pub struct System {
    process: Process,
    public: SocketAddr,
}

impl System {
    /// Starts it on free ports with its data in `data`, and says how long it took to be ready.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(data: &Path) -> Result<(Self, Duration), Failure> {
        Self::start_with(data, &Setup::default()).await
    }

    /// The same in another way.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start_with(data: &Path, setup: &Setup) -> Result<(Self, Duration), Failure> {
        let [public, admin, node, sandbox] = free_addresses().map_err(|error| Failure::of(&error))?;
        let mut arguments: Vec<OsString> =
            vec!["up".into(), "--no-sample".into(), "--data-dir".into(), data.into()];
        for (flag, address) in [("--listen", public), ("--node-listen", node), ("--sandbox-listen", sandbox)]
        {
            arguments.extend([flag.into(), address.to_string().into()]);
        }
        let log = data.with_extension("log");
        let (process, took) = Process::start(arguments, admin, &log, setup).await?;
        Ok((Self { process, public }, took))
    }

    /// Where REST and GraphQL are.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.public)
    }

    /// Waits until GraphQL shows so many orders as delivered.
    ///
    /// # Errors
    /// There is no such answer within `patience`.
    pub async fn delivered(&self, orders: u64, patience: Duration) -> Result<(), Failure> {
        let question =
            json!({ "query": "{ orders(filter: { status: DELIVERED }, first: 1) { totalCount } }" });
        let begun = Instant::now();
        let mut shown = 0;
        while begun.elapsed() < patience {
            let url = format!("{}/graphql", self.url());
            let answer = self.process.http().post(url).json(&question).send().await;
            let body: Value = answer
                .map_err(|error| Failure::of(&error))?
                .json()
                .await
                .map_err(|error| Failure::of(&error))?;
            shown = body["data"]["orders"]["totalCount"].as_u64().unwrap_or_default();
            if shown >= orders {
                return Ok(());
            }
            sleep(LOOK_EVERY).await;
        }
        Err(Failure::run(format!("after {patience:?} {shown} of {orders} orders are delivered")))
    }

    /// The memory that the process itself has in use, bytes; none where the kernel does not say.
    #[must_use]
    pub fn resident_bytes(&self) -> Option<u64> {
        self.process.resident_bytes()
    }

    /// Asks it to stop and waits for the end.
    ///
    /// # Errors
    /// It does not end in time.
    pub async fn stop(self) -> Result<(), Failure> {
        self.process.stop().await
    }
}
