//! The machine that is killed: one `headwater up` after the other on one data directory, at one address.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use event_store::EventStore;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rustix::process::{Pid, Signal, kill_process};
use system_tests::{Client, Headwater, Options, eventually};
use tokio_postgres::NoTls;

/// A start replays what a kill left behind, and the machine may be busy; the import waits a minute for each request.
const ANSWERS_WITHIN: Duration = Duration::from_secs(45);

/// Below the ports that the system gives to whoever asks for any: between an end and the next start nobody gets ours.
const PORTS: std::ops::Range<u16> = 12_000..30_000;

/// How much goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// The process.
    Process,
    /// The process and its private PostgreSQL.
    ProcessAndPostgres,
    /// The process, and all that it keeps in PostgreSQL is gone.
    ProcessAndDatabase,
}

/// Where it all stands.
pub struct Machine {
    options: Options,
}

/// What runs until the next blow.
pub struct Up {
    pub running: Headwater,
    pub client: Client,
    pub log: EventStore,
    pub database: tokio_postgres::Client,
}

impl Machine {
    /// An empty one in this folder.
    pub fn new(data_dir: &Path) -> Result<Self> {
        let mut random = StdRng::seed_from_u64(u64::from(std::process::id()));
        let (public, sandbox) = (free_address(&mut random)?, free_address(&mut random)?);
        Ok(Self {
            options: Options { public: Some(public), sandbox: Some(sandbox), ..Options::at(data_dir) },
        })
    }

    /// Starts, and returns once commands are taken, which is before the sagas have caught up.
    pub async fn start(&self) -> Result<Up> {
        let mut running = Headwater::spawn(&self.options)?;
        let client = running.client();
        let answers = eventually("an answer after a start", ANSWERS_WITHIN, async || {
            if let Some(status) = running.status()? {
                bail!("it ended with {status}");
            }
            Ok(client.get("/openapi.json").await.ok().filter(|answer| answer.status == 200).map(drop))
        })
        .await;
        answers.with_context(|| running.output())?;
        let log = EventStore::connect(&format!("esdb://{}?tls=false", running.node))?;
        let database = connect(&self.database_url()?).await?;
        Ok(Up { running, client, log, database })
    }

    /// Strikes, and gives the database as it was left, where it still runs.
    pub async fn strike(&self, up: Up, blow: Blow) -> Result<Option<tokio_postgres::Client>> {
        let postgres = match blow {
            Blow::ProcessAndPostgres => self.postgres_processes()?,
            Blow::Process | Blow::ProcessAndDatabase => Vec::new(),
        };
        let Up { running, database, .. } = up;
        let and_postgres = async {
            for pid in &postgres {
                // The children may have gone with their parent already.
                let _ = kill_process(*pid, Signal::KILL);
            }
        };
        let (ended, ()) = futures::join!(running.kill(), and_postgres);
        ended?;
        match blow {
            Blow::Process => Ok(Some(database)),
            Blow::ProcessAndPostgres => Ok(None),
            Blow::ProcessAndDatabase => {
                drop(database);
                let server = connect(&self.database_url()?.replacen("/headwater?", "/postgres?", 1)).await?;
                server.batch_execute("DROP DATABASE headwater WITH (FORCE)").await?;
                Ok(None)
            }
        }
    }

    /// How long the sandbox's ledger is, bytes; nothing before its first call.
    pub fn ledger_length(&self) -> u64 {
        std::fs::metadata(self.ledger()).map_or(0, |ledger| ledger.len())
    }

    /// How many calls the ledger holds from this byte on, those on their way to the disk included.
    pub fn calls_from(&self, byte: u64) -> Result<usize> {
        let mut ledger = File::open(self.ledger())?;
        ledger.seek(SeekFrom::Start(byte))?;
        let mut lines = Vec::new();
        ledger.read_to_end(&mut lines)?;
        Ok(lines.iter().filter(|byte| **byte == b'\n').count())
    }

    fn ledger(&self) -> PathBuf {
        self.options.data_dir.join("sandbox/ledger.jsonl")
    }

    fn database_url(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.options.data_dir.join("database-url"))?)
    }

    /// Whatever runs in the folder of the private cluster, and nothing else does.
    fn postgres_processes(&self) -> Result<Vec<Pid>> {
        let cluster = self.options.data_dir.join("postgres/cluster").canonicalize()?;
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc")?.flatten() {
            let pid = entry.file_name().to_str().and_then(|name| Pid::from_raw(name.parse().ok()?));
            let cwd = std::fs::read_link(entry.path().join("cwd")).unwrap_or_else(|_| PathBuf::new());
            found.extend(pid.filter(|_| cwd == cluster));
        }
        if found.is_empty() {
            bail!("no PostgreSQL runs in {}", cluster.display());
        }
        Ok(found)
    }
}

async fn connect(url: &str) -> Result<tokio_postgres::Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.context("no database")?;
    // Its end says nothing that the statements do not say.
    tokio::spawn(connection);
    Ok(client)
}

fn free_address(random: &mut StdRng) -> Result<SocketAddr> {
    for _ in 0..100 {
        let address = SocketAddr::from(([127, 0, 0, 1], random.random_range(PORTS)));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("none of a hundred ports is free")
}
