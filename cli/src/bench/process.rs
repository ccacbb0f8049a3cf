//! A process of this very binary that is measured.

use std::ffi::OsString;
use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;

use crate::failure::Failure;
use crate::scrape::Scrape;

const READY_WITHIN: Duration = Duration::from_secs(120);
const STOPPED_WITHIN: Duration = Duration::from_secs(30);

/// How often is looked; what is measured is known no better than this.
pub const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How it is started.
#[derive(Debug, Clone)]
pub struct Setup {
    /// How long it may take to be ready.
    pub patience: Duration,
    /// What it logs.
    pub log_filter: &'static str,
    /// Variables of its environment.
    pub variables: Vec<(String, String)>,
}

impl Default for Setup {
    /// It logs trouble only, so that what is measured is not its log.
    fn default() -> Self {
        Self { patience: READY_WITHIN, log_filter: "warn", variables: Vec::new() }
    }
}

/// The running process.
#[derive(Debug)]
pub struct Process {
    child: Child,
    http: reqwest::Client,
    admin: SocketAddr,
}

impl Process {
    /// Starts it with these arguments and its admin server on `admin`, its output going into the file `log`, and says
    /// how long it took to be ready.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(
        arguments: impl IntoIterator<Item = OsString>,
        admin: SocketAddr,
        log: &Path,
        setup: &Setup,
    ) -> Result<(Self, Duration), Failure> {
        let program = std::env::current_exe().map_err(|error| Failure::of(&error))?;
        let output = File::create(log).map_err(|error| Failure::of(&error))?;
        let errors = output.try_clone().map_err(|error| Failure::of(&error))?;
        let mut command = Command::new(program);
        command.args(arguments).arg("--admin-listen").arg(admin.to_string());
        command.args(["--log-filter", setup.log_filter]);
        for foreign in ["DATABASE_URL", "HEADWATER_EVENTSTORE", "OTEL_EXPORTER_OTLP_ENDPOINT"] {
            command.env_remove(foreign);
        }
        command.envs(setup.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let http = reqwest::Client::builder().no_proxy().build().map_err(|error| Failure::of(&error))?;
        let begun = Instant::now();
        let child = command.spawn().map_err(|error| Failure::of(&error))?;
        let mut process = Self { child, http, admin };
        while !process.is_ready().await {
            let ended = process.child.try_wait().map_err(|error| Failure::of(&error))?;
            if ended.is_some() || begun.elapsed() > setup.patience {
                let said = std::fs::read_to_string(log).unwrap_or_default();
                return Err(Failure::run(format!("the system did not start: {said}")));
            }
            sleep(LOOK_EVERY).await;
        }
        Ok((process, begun.elapsed()))
    }

    async fn is_ready(&self) -> bool {
        let answer = self.http.get(format!("http://{}/ready", self.admin)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// A client for whatever it serves.
    #[must_use]
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// What stands in its metrics under a name, the series of all labels added up; 0 when there is nothing.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn metric(&self, name: &str) -> Result<f64, Failure> {
        let answer = self.http.get(format!("http://{}/metrics", self.admin)).send().await;
        let text =
            answer.map_err(|error| Failure::of(&error))?.text().await.map_err(|error| Failure::of(&error))?;
        Ok(Scrape::read(&text).sum(name, &[]).unwrap_or_default())
    }

    /// The memory that the process itself has in use, bytes; none where the kernel does not say.
    #[must_use]
    pub fn resident_bytes(&self) -> Option<u64> {
        self.status_bytes("VmRSS:")
    }

    /// The most memory that it has had in use, bytes; none where the kernel does not say.
    #[must_use]
    pub fn peak_bytes(&self) -> Option<u64> {
        self.status_bytes("VmHWM:")
    }

    fn status_bytes(&self, field: &str) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
    }

    /// Asks it to stop and waits for the end.
    ///
    /// # Errors
    /// It does not end in time.
    pub async fn stop(mut self) -> Result<(), Failure> {
        self.signal(Signal::TERM);
        let begun = Instant::now();
        while self.child.try_wait().map_err(|error| Failure::of(&error))?.is_none() {
            if begun.elapsed() > STOPPED_WITHIN {
                return Err(Failure::run("the system does not stop"));
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Ends it with SIGKILL.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn kill(mut self) -> Result<(), Failure> {
        self.signal(Signal::KILL);
        self.child.wait().map(drop).map_err(|error| Failure::of(&error))
    }

    fn signal(&self, signal: Signal) {
        // An error says that it has ended.
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }
}

/// One that is not stopped in order is still given the time to take its children with it.
impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        let begun = Instant::now();
        self.signal(Signal::TERM);
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
///
/// # Errors
/// There is none.
pub fn free_addresses<const N: usize>() -> std::io::Result<[SocketAddr; N]> {
    let mut addresses = [SocketAddr::from(([127, 0, 0, 1], 0)); N];
    // Held until all are found, so that no two are the same.
    let mut listeners = Vec::with_capacity(N);
    for address in &mut addresses {
        let listener = TcpListener::bind(*address)?;
        *address = listener.local_addr()?;
        listeners.push(listener);
    }
    Ok(addresses)
}
