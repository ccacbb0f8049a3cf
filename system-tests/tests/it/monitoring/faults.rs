//! Faults as they happen, and the alerts that must follow: those of the fault, and none of another cause.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use system_tests::prometheus::Prometheus;
use system_tests::{Client, Headwater, Options, eventually, free_addresses};
use tempfile::TempDir;
use uuid::Uuid;

use super::live::configure;
use crate::parked::{append_unreadable_order, headwater};
use crate::{database, home};

/// For a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Alerts on how quick everything is and how full the disk: unless a test is about them, they tell of the machine that it
/// runs on.
const OF_THE_MACHINE: &[&str] = &[
    "CommandLatencyBurn",
    "QueryLatencyBurn",
    "FreshnessBurn",
    "LogSyncSlow",
    "DiskFilling",
    "DiskFullWithinADay",
];

/// A shop that Prometheus watches, with the rules' windows a sixtieth of what they are.
struct Watched {
    running: Option<Headwater>,
    prometheus: Prometheus,
    data_dir: PathBuf,
    /// Everything that has fired.
    fired: BTreeSet<String>,
    _home: TempDir,
}

impl Watched {
    async fn start(variables: &[(&str, &str)]) -> Result<Self> {
        let home = home()?;
        let data_dir = home.path().join("data");
        Self::start_in(home, &data_dir, variables).await
    }

    async fn start_in(home: TempDir, data_dir: &Path, variables: &[(&str, &str)]) -> Result<Self> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let options = Options { variables: variables.collect(), ..Options::at(data_dir) };
        let running = Headwater::start(&options).await?;
        let folder = home.path().join("prometheus");
        std::fs::create_dir(&folder)?;
        let [listen, ..] = free_addresses()?;
        let prometheus =
            Prometheus::start(&configure(&folder, &[("headwater", running.admin)])?, listen).await?;
        let mut watched = Self {
            running: Some(running),
            prometheus,
            data_dir: data_dir.to_owned(),
            fired: BTreeSet::new(),
            _home: home,
        };
        eventually("the first scrapes", PATIENCE, async || {
            let scraped = watched
                .prometheus
                .query("count_over_time(projection_heartbeat_timestamp_seconds[1m]) > 3")
                .await?;
            Ok((!scraped.is_empty()).then_some(()))
        })
        .await?;
        watched.look().await?;
        let others = watched.others(&BTreeSet::new());
        ensure!(others.is_empty(), "fires in a sound shop: {others:?}");
        Ok(watched)
    }

    fn client(&self) -> Result<Client> {
        Ok(self.running.as_ref().context("it runs")?.client())
    }

    async fn look(&mut self) -> Result<()> {
        let firing = self.prometheus.firing().await?;
        let names = firing.iter().map(|alert| alert.label("alertname").to_owned());
        self.fired.extend(names);
        Ok(())
    }

    /// What has fired beside the expected, and is not of the machine.
    fn others(&self, expected: &BTreeSet<String>) -> Vec<&String> {
        let is_other = |name: &&String| !expected.contains(*name) && !OF_THE_MACHINE.contains(&name.as_str());
        self.fired.iter().filter(is_other).collect()
    }

    /// Waits until these fire, doing something meanwhile, and sees that nothing else does.
    async fn fires(
        &mut self,
        expected: &[&str],
        mut meanwhile: impl AsyncFnMut() -> Result<()>,
    ) -> Result<()> {
        let expected: BTreeSet<_> = expected.iter().map(|name| (*name).to_owned()).collect();
        let fired = eventually("the alerts", PATIENCE, async || {
            meanwhile().await?;
            self.look().await?;
            Ok(self.fired.is_superset(&expected).then_some(()))
        })
        .await;
        fired.with_context(|| format!("expected {expected:?}, fired {:?}", self.fired))?;
        let others = self.others(&expected);
        ensure!(others.is_empty(), "expected {expected:?}, and {others:?} fired too");
        Ok(())
    }
}

async fn nothing() -> Result<()> {
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_folded() -> Result<()> {
    let mut watched = Watched::start(&[]).await?;
    append_unreadable_order(watched.running.as_ref().context("it runs")?).await?;
    watched.fires(&["RowsParked"], nothing).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_with_its_workers() -> Result<()> {
    let mut watched = Watched::start(&[]).await?;
    watched.running.take().context("it runs")?.kill().await?;
    watched.fires(&["TargetDown", "ProjectionWithoutWorker"], nothing).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_gateway_that_does_not_answer() -> Result<()> {
    let [nobody, ..] = free_addresses()?;
    let gateway = format!("http://{nobody}");
    let mut watched = Watched::start(&[("HEADWATER_PAYMENT_GATEWAY", &gateway)]).await?;
    let client = watched.client()?;
    let mug = json!({ "sku": "MUG-1", "price": { "amount": "4.50", "currency": "GBP" } });
    let listed = client.post("/v1/products", &[], &mug).await?;
    let id = listed.body["id"].as_str().context("an id")?;
    let received =
        client.post(&format!("/v1/stock/{id}/receive"), &[], &json!({ "quantity": 1_000 })).await?;
    ensure!(received.status == 200, "{received:?}");
    watched
        .fires(&["PaymentsFailing"], async || {
            let order = json!({ "number": Uuid::new_v4().to_string(), "country": "France", "currency": "GBP",
                "lines": [{ "sku": "MUG-1", "quantity": 1 }] });
            let placed = client.post("/v1/orders", &[], &order).await?;
            ensure!(placed.status == 201, "{placed:?}");
            Ok(())
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_in_which_a_worker_is_held_up() -> Result<()> {
    let mut watched = Watched::start(&[]).await?;
    let mut database = database(&watched.data_dir).await?;
    // Its row in our hands: each of its transactions waits for us.
    let held = database.transaction().await?;
    let row = "SELECT FROM headwater.projection_version WHERE name = 'customers' FOR UPDATE";
    ensure!(held.execute(row, &[]).await? > 0);
    watched.fires(&["ProjectionWithoutWorker"], nothing).await?;
    held.rollback().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_whose_rows_are_not_those_of_the_log() -> Result<()> {
    let mut watched = Watched::start(&[]).await?;
    let user = json!({ "customerNumber": "17", "name": "Ada", "country": "France" });
    let registered = watched.client()?.post("/v1/users", &[], &user).await?;
    ensure!(registered.status == 201, "{registered:?}");
    let (client, asked) = (watched.client()?, "{ customers(first: 1) { totalCount } }");
    let seen = client.query(asked, &json!({}), Some(registered.position())).await?;
    ensure!(seen.body["data"]["customers"]["totalCount"] == 1, "{seen:?}");
    let database = database(&watched.data_dir).await?;
    // As if a row had been lost: what the engine counted no longer fits what the log says.
    let counted =
        "UPDATE headwater.projection_checksum SET row_count = row_count + 1 WHERE view = 'customers'";
    ensure!(database.execute(counted, &[]).await? > 0);
    let rebuilt = headwater(&watched.data_dir, &["rebuild", "customers"]).await?;
    ensure!(!rebuilt.status.success(), "{rebuilt:?}");
    watched.fires(&["RebuildNeedsDecision"], nothing).await
}

/// A file system in memory, as long as it lives.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// None, with a word about it, where file systems cannot be mounted.
    fn mount(megabytes: u32) -> Result<Option<Self>> {
        let folder = home()?;
        let options = format!("size={megabytes}m,mode=755");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder.path()).status();
        if mounted.is_ok_and(|status| status.success()) {
            return Ok(Some(Self(folder)));
        }
        eprintln!("skipped: no file system can be mounted here");
        Ok(None)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills() -> Result<()> {
    let Some(disk) = SmallDisk::mount(1_024)? else { return Ok(()) };
    let data_dir = disk.0.path().join("data");
    let mut watched = Watched::start_in(home()?, &data_dir, &[]).await?;
    let there = rustix::fs::statvfs(disk.0.path())?;
    let leave = there.f_blocks * there.f_frsize / 12;
    let filler = std::fs::File::create(disk.0.path().join("filler"))?;
    let size = (there.f_bavail * there.f_frsize).checked_sub(leave).context("room on the disk")?;
    rustix::fs::fallocate(&filler, rustix::fs::FallocateFlags::empty(), 0, size)?;
    watched.fires(&["DiskFilling"], nothing).await?;
    if let Some(running) = watched.running.take() {
        ensure!(running.stop().await?.success());
    }
    Ok(())
}
