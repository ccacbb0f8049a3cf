//! The benchmarks of what is read live: short, for what they print and not for how fast it is.

use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use serde_json::Value;
use system_tests::binary;

use crate::home;

/// Runs one in a folder of its own, which it leaves empty, and gives what it measured.
async fn measured(words: &'static [&'static str]) -> Result<Value> {
    let home = home()?;
    let mut process = Command::new(binary()?);
    process.arg("bench").args(words).arg("--json").arg("--dir").arg(home.path()).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || process.output()).await??;
    ensure!(output.status.success(), "{words:?}: {output:?}");
    ensure!(std::fs::read_dir(home.path())?.next().is_none(), "{words:?} leaves something behind");
    Ok(serde_json::from_slice::<Value>(&output.stdout)?["median"].take())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_live_and_over_switches_is_measured() -> Result<()> {
    if std::env::var_os("HEADWATER_LONG_TESTS").is_none() {
        return Ok(());
    }
    let live = measured(&["live", "--rate", "100", "--seconds", "3"]).await?;
    for figure in ["commandP99Seconds", "queryP50Seconds", "queryP99Seconds", "searchP99Seconds"] {
        ensure!(live[figure].as_f64().is_some_and(|seconds| seconds > 0.0), "{figure}: {live}");
    }
    let switches = measured(&["switches", "--switches", "5"]).await?;
    ensure!(switches["switches"] == 5 && switches["commands"].as_u64() > Some(0), "{switches}");
    for figure in ["queryP99Seconds", "switchP50Seconds", "heldP50Seconds", "heldMaxSeconds"] {
        ensure!(switches[figure].as_f64().is_some_and(|seconds| seconds > 0.0), "{figure}: {switches}");
    }
    Ok(())
}
