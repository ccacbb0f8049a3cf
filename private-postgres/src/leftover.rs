//! A server outlives a parent that was killed with SIGKILL. The next start, which holds the lock of the directory and
//! so knows that nobody uses it, stops it and starts one with its own settings.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::Error;
use crate::cluster::SOCKET_FILE;

/// How long a server gets for an orderly shutdown, with a checkpoint, before it is told to stop at once.
pub(crate) const FAST_SHUTDOWN: Duration = Duration::from_secs(30);

/// How long it then gets to stop at once.
pub(crate) const IMMEDIATE_SHUTDOWN: Duration = Duration::from_secs(10);

/// How often a process is looked at.
pub(crate) const POLL: Duration = Duration::from_millis(10);

/// Stops what still runs on a cluster, and removes the files by which a killed server would keep the next one from
/// starting. PostgreSQL clears them away itself unless it sees a process of that number, which may be a zombie or
/// anybody's; we look at what really runs on the cluster.
pub(crate) async fn stop_leftover(cluster: &Path, socket_dir: &Path) -> Result<(), Error> {
    let pid_file = cluster.join("postmaster.pid");
    let Ok(text) = fs::read_to_string(&pid_file) else { return Ok(()) };
    let postmaster = text.lines().next().and_then(|line| Pid::from_raw(line.trim().parse().ok()?));
    let Some(linux) = processes_on(cluster) else {
        // Elsewhere the number is believed, and PostgreSQL's own checks decide about its files.
        return match postmaster {
            Some(pid) => {
                end(cluster, || test_kill_process(pid).ok().map(|()| pid).into_iter().collect()).await
            }
            None => Ok(()),
        };
    };
    if !linux.is_empty() {
        tracing::info!("stopping the PostgreSQL server that an earlier run left behind");
        end(cluster, || {
            let mut running = processes_on(cluster).unwrap_or_default();
            running.sort_by_key(|pid| Some(*pid) != postmaster);
            running
        })
        .await?;
    }
    for stale in [pid_file, socket_dir.join(SOCKET_FILE), socket_dir.join(format!("{SOCKET_FILE}.lock"))] {
        match fs::remove_file(&stale) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::at(&stale)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Ends processes, the first of which leads the others: it is asked for an orderly shutdown, then all are told to quit.
async fn end(cluster: &Path, running: impl Fn() -> Vec<Pid>) -> Result<(), Error> {
    for (signal, patience) in [(Signal::INT, FAST_SHUTDOWN), (Signal::QUIT, IMMEDIATE_SHUTDOWN)] {
        let addressed = if signal == Signal::INT { 1 } else { usize::MAX };
        for pid in running().into_iter().take(addressed) {
            // It may end by itself at any moment, which is what we want.
            let _ = kill_process(pid, signal);
        }
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if running().is_empty() {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
    }
    match running().first() {
        Some(pid) => Err(Error::LeftoverStays { pid: pid.as_raw_nonzero().get(), dir: cluster.to_owned() }),
        None => Ok(()),
    }
}

/// PostgreSQL's processes that run on a cluster, which is their working directory; none where `/proc` does not show it.
/// The dead that nobody waits for have no working directory any more.
fn processes_on(cluster: &Path) -> Option<Vec<Pid>> {
    fs::read_link("/proc/self/cwd").ok()?;
    let processes = fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| {
        let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
        let name = fs::read_to_string(entry.path().join("comm")).ok()?;
        let at_home = fs::read_link(entry.path().join("cwd")).ok()? == cluster;
        (at_home && matches!(name.trim(), "postgres" | "postmaster")).then_some(pid)
    });
    Some(processes.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pid_that_is_somebody_elses_by_now_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mut other =
            std::process::Command::new("sleep").arg("60").current_dir(dir.path()).spawn().unwrap();
        let file = dir.path().join("postmaster.pid");
        fs::write(&file, format!("{}\n{}\n", other.id(), dir.path().display())).unwrap();
        stop_leftover(dir.path(), dir.path()).await.unwrap();
        assert!(other.try_wait().unwrap().is_none(), "it was stopped");
        assert!(!file.exists(), "a file that names no server keeps the next one from starting");
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
