//! A `headwater up` of this very binary, as a process of its own.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::failure::Failure;

const READY_WITHIN: Duration = Duration::from_secs(120);
const STOPPED_WITHIN: Duration = Duration::from_secs(30);

/// How often is looked; what is measured is known no better than this.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The running system.
#[derive(Debug)]
pub struct System {
    child: Child,
    http: reqwest::Client,
    public: SocketAddr,
    admin: SocketAddr,
}

impl System {
    /// Starts it on free ports with its data in `data`, and says how long it took to be ready.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(data: &Path) -> Result<(Self, Duration), Failure> {
        let [public, admin, node, sandbox] = free_addresses().map_err(|error| Failure::of(&error))?;
        let program = std::env::current_exe().map_err(|error| Failure::of(&error))?;
        let log = data.with_extension("log");
        let output = File::create(&log).map_err(|error| Failure::of(&error))?;
        let mut command = Command::new(program);
        command.arg("up").arg("--data-dir").arg(data).args(["--no-sample", "--log-filter", "warn"]);
        for (flag, address) in [
            ("--listen", public),
            ("--admin-listen", admin),
            ("--node-listen", node),
            ("--sandbox-listen", sandbox),
        ] {
            command.arg(flag).arg(address.to_string());
        }
        command.env_remove("DATABASE_URL").env_remove("HEADWATER_EVENTSTORE");
        let errors = output.try_clone().map_err(|error| Failure::of(&error))?;
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let begun = Instant::now();
        let child = command.spawn().map_err(|error| Failure::of(&error))?;
        let http = reqwest::Client::builder().no_proxy().build().map_err(|error| Failure::of(&error))?;
        let mut system = Self { child, http, public, admin };
        while !system.is_ready().await {
            let ended = system.child.try_wait().map_err(|error| Failure::of(&error))?;
            if ended.is_some() || begun.elapsed() > READY_WITHIN {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                return Err(Failure::run(format!("the system did not start: {said}")));
            }
            sleep(LOOK_EVERY).await;
        }
        Ok((system, begun.elapsed()))
    }

    async fn is_ready(&self) -> bool {
        let answer = self.http.get(format!("http://{}/ready", self.admin)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
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
            let answer = self.http.post(format!("{}/graphql", self.url())).json(&question).send().await;
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
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
    }

    /// Asks it to stop and waits for the end.
    ///
    /// # Errors
    /// It does not end in time.
    pub async fn stop(mut self) -> Result<(), Failure> {
        self.ask_to_stop();
        let begun = Instant::now();
        while self.child.try_wait().map_err(|error| Failure::of(&error))?.is_none() {
            if begun.elapsed() > STOPPED_WITHIN {
                return Err(Failure::run("the system does not stop"));
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    fn ask_to_stop(&self) {
        // An error says that it has ended.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
    }
}

/// One that is not stopped in order is still given the time to take its children with it.
impl Drop for System {
    fn drop(&mut self) {
        let begun = Instant::now();
        self.ask_to_stop();
        while matches!(self.child.try_wait(), Ok(None)) {
            if begun.elapsed() > STOPPED_WITHIN {
                let _ = self.child.kill();
                let _ = self.child.wait();
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// Ports that were free a moment ago.
fn free_addresses() -> std::io::Result<[SocketAddr; 4]> {
    let bind = || TcpListener::bind("127.0.0.1:0");
    let listeners = [bind()?, bind()?, bind()?, bind()?];
    let [a, b, c, d] = &listeners;
    Ok([a.local_addr()?, b.local_addr()?, c.local_addr()?, d.local_addr()?])
}
