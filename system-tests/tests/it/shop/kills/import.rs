//! The import that goes on through it all, as an operator starts it.

use std::path::Path;
use std::process::{Output, Stdio};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use system_tests::binary;
use tokio::process::Command;
use tokio::task::JoinHandle;

use super::machine::Up;
use crate::shop::total;

pub struct Import {
    pid: Pid,
    running: Option<JoinHandle<std::io::Result<Output>>>,
    is_paused: bool,
    /// What it told in the end.
    summary: Value,
}

impl Import {
    /// Starts it; dropped, it is killed.
    pub fn start(up: &Up, file: &Path) -> Result<Self> {
        let mut command = Command::new(binary()?);
        let url = format!("http://{}", up.running.public);
        command.args(["import", "retail", "--json", "--url", &url]).arg(file);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let child = command.spawn()?;
        let pid = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)).context("a process")?;
        let running = Some(tokio::spawn(child.wait_with_output()));
        Ok(Self { pid, running, is_paused: false, summary: Value::Null })
    }

    /// Whether it has come to its end; an error when that is not a good one.
    pub async fn is_through(&mut self) -> Result<bool> {
        if self.running.as_ref().is_some_and(JoinHandle::is_finished) {
            self.end().await?;
        }
        Ok(self.running.is_none())
    }

    /// Holds it where it is.
    pub async fn pause(&mut self) -> Result<()> {
        if !self.is_through().await? {
            kill_process(self.pid, Signal::STOP)?;
            self.is_paused = true;
        }
        Ok(())
    }

    /// Lets it go on, if it was held.
    pub fn go_on(&mut self) -> Result<()> {
        if std::mem::take(&mut self.is_paused) {
            kill_process(self.pid, Signal::CONT)?;
        }
        Ok(())
    }

    /// Waits for its end; while it was at it, answers were lost of what had been done.
    pub async fn ends_well(&mut self) -> Result<()> {
        self.end().await?;
        let summary = &self.summary;
        ensure!(total(summary, "rejected") == 0, "{summary}");
        ensure!(summary["retries"].as_u64() > Some(0), "no request was ever without an answer: {summary}");
        ensure!(total(summary, "alreadyThere") > 0, "no answer was lost of what had been done: {summary}");
        Ok(())
    }

    async fn end(&mut self) -> Result<()> {
        let Some(running) = self.running.take() else { return Ok(()) };
        let output = running.await??;
        let printed = String::from_utf8_lossy(&output.stdout);
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "the import failed: {printed}\n{said}");
        self.summary = serde_json::from_str(&printed).with_context(|| printed.into_owned())?;
        Ok(())
    }
}
