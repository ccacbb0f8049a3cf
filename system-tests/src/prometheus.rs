//! A Prometheus of the test's own, `promtool`, and the exporter that tells it about PostgreSQL.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::eventually;

/// The folder of the programs, when they are not on the `PATH`; `./hw test` sets it.
const FOLDER: &str = "HEADWATER_PROMETHEUS_BIN";

/// The exporter's program, when it is not on the `PATH` under the name that Debian gives it; `./hw test` sets it.
const EXPORTER: &str = "HEADWATER_POSTGRES_EXPORTER";

/// How long a start may take.
const START: Duration = Duration::from_secs(30);

/// Where a program of Prometheus is.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    std::env::var_os(FOLDER).map_or_else(|| PathBuf::from(name), |folder| Path::new(&folder).join(name))
}

/// Runs `promtool` and gives what it said.
///
/// # Errors
/// It is not there, or it found something wrong: then with what it said.
pub fn promtool(arguments: &[&str], input: Option<&str>) -> Result<String> {
    use std::io::Write as _;

    let mut tool = std::process::Command::new(program("promtool"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("promtool is not there; `./hw test` fetches it, or set {FOLDER}"))?;
    if let (Some(mut stdin), Some(input)) = (tool.stdin.take(), input) {
        stdin.write_all(input.as_bytes())?;
    }
    let output = tool.wait_with_output()?;
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("promtool {}: {said}", arguments.join(" "));
    }
    Ok(said)
}

/// A sample of an answer: its labels and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The labels, as an object.
    pub labels: Value,
    /// The value.
    pub value: f64,
}

impl Sample {
    /// A label's value; empty when there is no such label.
    #[must_use]
    pub fn label(&self, name: &str) -> &str {
        self.labels[name].as_str().unwrap_or_default()
    }
}

/// A running Prometheus. It ends with its drop.
#[derive(Debug)]
pub struct Prometheus {
    _process: Child,
    url: String,
    http: reqwest::Client,
}

impl Prometheus {
    /// Starts it on a configuration, with its data beside that.
    ///
    /// # Errors
    /// It is not there, or does not start.
    pub async fn start(config: &Path, listen: SocketAddr) -> Result<Self> {
        let folder = config.parent().context("a folder")?;
        let log = std::fs::File::create(folder.join("prometheus.log"))?;
        let process = Command::new(program("prometheus"))
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("tsdb").display()))
            .arg(format!("--web.listen-address={listen}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("prometheus is not there; `./hw test` fetches it, or set {FOLDER}"))?;
        let started =
            Self { _process: process, url: format!("http://{listen}"), http: reqwest::Client::new() };
        eventually("Prometheus is ready", START, async || {
            let answer = started.http.get(format!("{}/-/ready", started.url)).send().await;
            Ok(answer.is_ok_and(|answer| answer.status().is_success()).then_some(()))
        })
        .await?;
        Ok(started)
    }

    /// Carries a query out, as of now.
    ///
    /// # Errors
    /// Prometheus refuses it.
    pub async fn query(&self, expr: &str) -> Result<Vec<Sample>> {
        let request = self.http.get(format!("{}/api/v1/query", self.url)).query(&[("query", expr)]);
        let answer: Value = request.send().await?.json().await?;
        if answer["status"] != "success" {
            bail!("{expr}: {}", answer["error"]);
        }
        let result = answer["data"]["result"].as_array().context("a vector")?;
        let sample = |sample: &Value| {
            let value = sample["value"][1].as_str()?.parse().ok()?;
            Some(Sample { labels: sample["metric"].clone(), value })
        };
        result.iter().map(|one| sample(one).context("a sample")).collect()
    }

    /// The alerts that fire, each with its name.
    ///
    /// # Errors
    /// Prometheus does not answer.
    pub async fn firing(&self) -> Result<Vec<Sample>> {
        self.query(r#"ALERTS{alertstate="firing"}"#).await
    }
}

/// A running `postgres_exporter`. It ends with its drop.
#[derive(Debug)]
pub struct PostgresExporter {
    _process: Child,
}

impl PostgresExporter {
    /// Starts it on a database of this machine, and waits until it can ask that.
    ///
    /// # Errors
    /// It is not there, or cannot reach PostgreSQL.
    pub async fn start(database_url: &str, listen: SocketAddr, log: &Path) -> Result<Self> {
        let program =
            std::env::var_os(EXPORTER).map_or_else(|| "prometheus-postgres-exporter".into(), PathBuf::from);
        // Unlike other clients it wants TLS unless told otherwise, also on this machine.
        let sign = if database_url.contains('?') { '&' } else { '?' };
        let process = Command::new(program)
            .arg(format!("--web.listen-address={listen}"))
            .env("DATA_SOURCE_NAME", format!("{database_url}{sign}sslmode=disable"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(log)?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| {
                format!("postgres_exporter is not there; `./hw test` fetches it, or set {EXPORTER}")
            })?;
        let started = Self { _process: process };
        eventually("the exporter reaches PostgreSQL", START, async || {
            let Ok(answer) = reqwest::get(format!("http://{listen}/metrics")).await else { return Ok(None) };
            let text = answer.text().await?;
            Ok(text.lines().any(|line| line == "pg_up 1").then_some(()))
        })
        .await?;
        Ok(started)
    }
}
