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
    ended: JoinHandle<std::io::Result<Output>>,
    is_paused: bool,
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
        Ok(Self { pid, ended: tokio::spawn(child.wait_with_output()), is_paused: false })
    }

    /// Whether it has come to its end.
    pub fn is_through(&self) -> bool {
        self.ended.is_finished()
    }

    /// Holds it where it is.
    pub fn pause(&mut self) -> Result<()> {
        if !self.is_through() {
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

    /// It has come to its end by itself; while it was at it, answers were lost of what had been done.
    pub async fn ended_well(&mut self) -> Result<()> {
        let output = (&mut self.ended).await??;
        let printed = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
        let summary: Value = serde_json::from_str(&printed).with_context(|| printed.clone().into_owned())?;
        ensure!(total(&summary, "rejected") == 0, "{summary}");
        ensure!(summary["retries"].as_u64() > Some(0), "no request was ever without an answer: {summary}");
        ensure!(total(&summary, "alreadyThere") > 0, "no answer was lost of what had been done: {summary}");
        Ok(())
    }
}
