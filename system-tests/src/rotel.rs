//! Rotel, a collector of OpenTelemetry that others wrote: it takes what the services send and passes it on.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::{eventually, free_addresses};

/// Its program, when it is not on the `PATH`; `./hw test --long` sets it.
const PROGRAM: &str = "HEADWATER_ROTEL";

/// How long a start or an end may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running Rotel. It ends with its drop.
#[derive(Debug)]
pub struct Rotel {
    process: Child,
    log: PathBuf,
    /// Where it takes OTLP over gRPC.
    pub address: SocketAddr,
}

impl Rotel {
    /// Starts it with its files in a folder; it passes all that it takes on to another collector, by OTLP over HTTP.
    ///
    /// # Errors
    /// It is not there, or does not start.
    pub async fn start(folder: &Path, to: SocketAddr) -> Result<Self> {
        let [address, http, ..] = free_addresses()?;
        let log = folder.join("rotel.log");
        let program = std::env::var_os(PROGRAM).map_or_else(|| PathBuf::from("rotel"), PathBuf::from);
        let mut process = Command::new(program)
            .args([
                "start",
                "--exporter=otlp",
                "--otlp-exporter-protocol=http",
                "--otlp-exporter-compression=gzip",
            ])
            .arg(format!("--otlp-exporter-endpoint=http://{to}"))
            .arg(format!("--otlp-grpc-endpoint={address}"))
            .arg(format!("--otlp-http-endpoint={http}"))
            .arg(format!("--pid-file={}", folder.join("rotel.pid").display()))
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(&log)?)
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| {
                format!("Rotel is not there; `./hw test --long` fetches it, or set {PROGRAM}")
            })?;
        eventually("Rotel takes connections", PATIENCE, async || {
            if let Some(status) = process.try_wait()? {
                bail!("Rotel ended, {status}: {}", std::fs::read_to_string(&log)?);
            }
            Ok(TcpStream::connect(address).await.ok().map(drop))
        })
        .await?;
        Ok(Self { process, log, address })
    }

    /// Tells it to end, which it does once all is passed on.
    ///
    /// # Errors
    /// It does not end, or could not pass everything on.
    pub async fn stop(mut self) -> Result<()> {
        let id = self.process.id().context("Rotel has ended by itself")?;
        kill_process(Pid::from_raw(id.try_into()?).context("a process id")?, Signal::TERM)?;
        let status = tokio::time::timeout(PATIENCE, self.process.wait()).await??;
        let told = std::fs::read_to_string(&self.log)?;
        ensure!(status.success() && !told.contains("ERROR"), "Rotel ended, {status}: {told}");
        Ok(())
    }
}
