//! The sandbox as a child of `up`. It is told to stop with its parent, and ends by itself when the parent was killed;
//! one that is still there at the next start, which holds the lock of the data directory, is stopped first.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::config::{Config, Setting, reachable};
use crate::data_dir::DataDir;
use crate::failure::Failure;
use crate::listeners;
use crate::shutdown::Parts;

/// Whose child it was, in the sandbox's folder.
const PID_FILE: &str = "sandbox.pid";

/// How long a sandbox may take to read its ledger and answer.
const START_DEADLINE: Duration = Duration::from_secs(30);

/// How long it may take to stop, before it is killed.
const STOP_DEADLINE: Duration = Duration::from_secs(8);

/// How often a process is looked at.
const POLL: Duration = Duration::from_millis(10);

/// Starts the sandbox and waits until it answers.
///
/// # Errors
/// The address is taken, or the process does not start; what it says stands on standard error.
pub async fn start(parts: &mut Parts, data: &DataDir, config: &Config) -> Result<SocketAddr, Failure> {
    let folder = data.sandbox();
    let at = |error: std::io::Error| {
        Failure::run(format!("the sandbox's folder {} cannot be used: {error}", folder.display()))
    };
    fs::create_dir_all(&folder).map_err(at)?;
    let folder = folder.canonicalize().map_err(at)?;
    stop_leftover(&folder).await?;
    // Here the error names the flag; the child would say it too, but this process would only see that it ended.
    drop(listeners::bind(Setting::SandboxListen, config.sandbox_listen).await?);
    let mut child = spawn(&folder, data, config)?;
    if let Some(pid) = child.id() {
        fs::write(folder.join(PID_FILE), pid.to_string()).map_err(at)?;
    }
    wait_until_it_answers(&mut child, reachable(config.sandbox_listen)).await?;
    let pid_file = folder.join(PID_FILE);
    // Held here, because waiting for the child would close it, and the child ends when it is closed.
    let held = child.stdin.take();
    parts.start("the sandbox", |stop| async move {
        tokio::select! {
            status = child.wait() => {
                let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
                return Err(Failure::run(format!("the sandbox ended by itself with {how}")));
            }
            () = stop.cancelled() => {}
        }
        end(&mut child).await?;
        drop(held);
        fs::remove_file(&pid_file).map_err(|error| Failure::of(&error))
    });
    Ok(config.sandbox_listen)
}

fn spawn(folder: &Path, data: &DataDir, config: &Config) -> Result<Child, Failure> {
    let program = std::env::current_exe().map_err(|error| Failure::of(&error))?;
    let mut command = Command::new(program);
    command.args(["serve", "sandbox", "--child", "--data-dir"]).arg(data.path());
    // What is in force here is in force there: a flag outranks whatever else the child may find.
    let shared =
        [Setting::SandboxListen, Setting::SandboxDeliveryDelay, Setting::LogFormat, Setting::LogFilter];
    for in_force in config.in_force.iter().filter(|found| shared.contains(&found.setting)) {
        if let Some(value) = &in_force.value {
            command.arg(format!("--{}={value}", in_force.setting.name()));
        }
    }
    if config.allow_unauthenticated_network {
        command.arg(format!("--{}", Setting::AllowUnauthenticatedNetwork.name()));
    }
    // The folder is what it is known by; a group of its own, because Ctrl-C in the terminal is for us.
    command.current_dir(folder).process_group(0).stdin(Stdio::piped()).kill_on_drop(true);
    command.spawn().map_err(|error| Failure::run(format!("the sandbox cannot be started: {error}")))
}

async fn wait_until_it_answers(child: &mut Child, address: SocketAddr) -> Result<(), Failure> {
    let deadline = Instant::now() + START_DEADLINE;
    while tokio::net::TcpStream::connect(address).await.is_err() {
        match child.try_wait() {
            Ok(None) => {}
            Ok(Some(status)) => {
                return Err(Failure::run(format!("the sandbox did not start and ended with {status}"))
                    .hint("what it says stands above"));
            }
            Err(error) => return Err(Failure::of(&error)),
        }
        if Instant::now() > deadline {
            return Err(Failure::run("the sandbox did not answer in time"));
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// Asks the child to stop, and kills it when it does not.
async fn end(child: &mut Child) -> Result<(), Failure> {
    if let Some(pid) = child.id().and_then(pid_of) {
        // It may have ended by itself, which is what we want.
        let _ = kill_process(pid, Signal::TERM);
    }
    match tokio::time::timeout(STOP_DEADLINE, child.wait()).await {
        Ok(ended) => ended.map(drop).map_err(|error| Failure::of(&error)),
        Err(_) => child.kill().await.map_err(|error| Failure::of(&error)),
    }
}

/// Stops the sandbox that a killed parent left behind, if it has not ended by itself. The number alone says nothing:
/// it may be anybody's by now. Ours runs in its folder, under this program's name.
async fn stop_leftover(folder: &Path) -> Result<(), Failure> {
    let Ok(text) = fs::read_to_string(folder.join(PID_FILE)) else { return Ok(()) };
    let Some(pid) = text.trim().parse().ok().and_then(pid_of) else { return Ok(()) };
    for (signal, patience) in [(Signal::TERM, STOP_DEADLINE), (Signal::KILL, STOP_DEADLINE)] {
        if !is_ours(pid, folder) {
            return Ok(());
        }
        tracing::info!("stopping the sandbox that an earlier run left behind");
        let _ = kill_process(pid, signal);
        let deadline = Instant::now() + patience;
        while is_ours(pid, folder) && Instant::now() < deadline {
            tokio::time::sleep(POLL).await;
        }
    }
    match is_ours(pid, folder) {
        true => Err(Failure::run(format!("the sandbox of an earlier run, process {pid:?}, does not stop"))),
        false => Ok(()),
    }
}

/// Whether the process is a sandbox of this folder. Where `/proc` does not show it, it is not: there, the end of its
/// standard input has to be enough.
fn is_ours(pid: Pid, folder: &Path) -> bool {
    let process = Path::new("/proc").join(pid.as_raw_nonzero().to_string());
    let is_at_home = fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == folder);
    let arguments = fs::read(process.join("cmdline")).unwrap_or_default();
    let mut arguments = arguments.split(|byte| *byte == 0).skip(1);
    is_at_home && arguments.next() == Some(b"serve") && arguments.next() == Some(b"sandbox")
}

fn pid_of(number: u32) -> Option<Pid> {
    i32::try_from(number).ok().and_then(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_process_that_is_somebody_elses_by_now_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let mut other = Command::new("sleep").arg("60").current_dir(&folder).spawn().unwrap();
        fs::write(folder.join(PID_FILE), other.id().unwrap().to_string()).unwrap();
        stop_leftover(&folder).await.unwrap();
        assert!(other.try_wait().unwrap().is_none(), "it was stopped");
        other.kill().await.unwrap();
    }

    #[tokio::test]
    async fn a_sandbox_that_was_left_behind_is_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        // Its arguments are what a sandbox's are.
        let script = folder.join("serve");
        fs::write(&script, "read line").unwrap();
        let mut left = Command::new("sh");
        left.args(["serve", "sandbox"]).current_dir(&folder).stdin(Stdio::piped()).kill_on_drop(true);
        let mut left = left.spawn().unwrap();
        fs::write(folder.join(PID_FILE), left.id().unwrap().to_string()).unwrap();
        stop_leftover(&folder).await.unwrap();
        assert!(left.wait().await.is_ok_and(|status| !status.success()));
    }
}
