//! A running `headwater up`, and the two ways it can end: asked to stop, or killed.

use std::fs::{File, Permissions};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{Client, eventually};

/// A start on an empty machine creates a database cluster first, and the machine may be busy.
const READY_WITHIN: Duration = Duration::from_secs(90);
const STOPPED_WITHIN: Duration = Duration::from_secs(30);

/// The shipped binary: the one that `HEADWATER_BINARY` names, as `./hw test` does after building it, else one that is
/// built now.
///
/// # Errors
/// It is not there, or does not build.
pub fn binary() -> Result<&'static Path> {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    if let Some(path) = BINARY.get() {
        return Ok(path);
    }
    let path = match std::env::var_os("HEADWATER_BINARY") {
        Some(path) => PathBuf::from(path),
        None => build()?,
    };
    ensure!(path.is_file(), "there is no binary at {}", path.display());
    Ok(BINARY.get_or_init(|| path))
}

fn build() -> Result<PathBuf> {
    // Everything, as `./hw test` builds it: the binary alone would have other features of shared dependencies.
    let built = Command::new(env!("CARGO")).args(["build", "--workspace", "--bins", "--tests"]).status()?;
    ensure!(built.success(), "the headwater binary does not build");
    // This test binary stands in <target>/debug/deps.
    let here = std::env::current_exe()?;
    let profile = here.parent().and_then(Path::parent).context("the test binary has no target folder")?;
    Ok(profile.join("headwater"))
}

/// As whom the process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// Whoever runs the tests.
    Own,
    /// An ordinary user by number; needs root to become it.
    Ordinary(u32),
}

/// How to start.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the data is; kept over restarts.
    pub data_dir: PathBuf,
    /// Another binary than [`binary()`].
    pub program: Option<PathBuf>,
    /// As whom.
    pub account: Account,
    /// Where to serve REST and GraphQL; a free port when nothing is said.
    pub public: Option<SocketAddr>,
    /// Where the log's node listens; a free port when nothing is said.
    pub node: Option<SocketAddr>,
    /// Where the admin server listens; a free port when nothing is said.
    pub admin: Option<SocketAddr>,
    /// Where the sandbox listens; a free port when nothing is said.
    pub sandbox: Option<SocketAddr>,
    /// Whether a new shop gets the sample.
    pub sample: bool,
    /// Variables of the environment.
    pub variables: Vec<(String, String)>,
}

impl Options {
    /// The own account, free ports and an empty shop.
    #[must_use]
    pub fn at(data_dir: &Path) -> Self {
        Self {
            data_dir: data_dir.to_owned(),
            program: None,
            account: Account::Own,
            public: None,
            node: None,
            admin: None,
            sandbox: None,
            sample: false,
            variables: Vec::new(),
        }
    }
}

/// A running `headwater up`. Dropping it stops it.
#[derive(Debug)]
pub struct Headwater {
    child: Child,
    log: PathBuf,
    /// Another account may not be allowed into the target folder, so it runs a copy of the binary.
    _copy: Option<TempDir>,
    /// REST and GraphQL.
    pub public: SocketAddr,
    /// Metrics and readiness.
    pub admin: SocketAddr,
    /// The node's protocol.
    pub node: SocketAddr,
    /// The gateways to payment and shipping, and their ledger.
    pub sandbox: SocketAddr,
}

impl Headwater {
    /// Starts on free ports and waits until it is ready.
    ///
    /// # Errors
    /// It ended, or was not ready in time; the message holds what it printed.
    pub async fn start(options: &Options) -> Result<Self> {
        let mut running = Self::spawn(options)?;
        let admin = Client::new(&format!("http://{}", running.admin));
        let ready = eventually("ready", READY_WITHIN, async || {
            if let Some(status) = running.child.try_wait()? {
                bail!("it ended with {status}");
            }
            Ok(admin.get("/ready").await.ok().filter(|answer| answer.status == 200).map(|_| ()))
        })
        .await;
        ready.with_context(|| running.output())?;
        Ok(running)
    }

    /// Starts and does not wait.
    ///
    /// # Errors
    /// The binary is not there or cannot be started.
    pub fn spawn(options: &Options) -> Result<Self> {
        let [public, admin, node, sandbox] = free_addresses()?;
        let log =
            std::env::temp_dir().join(format!("headwater-{}-{}.log", std::process::id(), public.port()));
        let public = options.public.unwrap_or(public);
        let admin = options.admin.unwrap_or(admin);
        let node = options.node.unwrap_or(node);
        let sandbox = options.sandbox.unwrap_or(sandbox);
        let output = File::create(&log)?;
        let copy = (options.account != Account::Own).then(readable_copy).transpose()?;
        let program = match (&options.program, &copy) {
            (Some(program), _) => program.clone(),
            (None, Some(copy)) => copy.path().join("headwater"),
            (None, None) => binary()?.to_owned(),
        };
        let mut command = Command::new(program);
        command.arg("up").arg("--data-dir").arg(&options.data_dir);
        if !options.sample {
            command.arg("--no-sample");
        }
        let listening = [
            ("--listen", public),
            ("--admin-listen", admin),
            ("--node-listen", node),
            ("--sandbox-listen", sandbox),
        ];
        for (flag, address) in listening {
            command.arg(flag).arg(address.to_string());
        }
        command.envs(options.variables.iter().map(|(name, value)| (name, value)));
        command.env_remove("DATABASE_URL").current_dir("/");
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        if let Account::Ordinary(id) = options.account {
            command.uid(id).gid(id).env("HOME", "/nonexistent");
        }
        let child = command.spawn().context("cannot start the binary")?;
        Ok(Self { child, log, _copy: copy, public, admin, node, sandbox })
    }

    /// A client of REST and GraphQL.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(&format!("http://{}", self.public))
    }

    /// A client of the sandbox.
    #[must_use]
    pub fn sandbox(&self) -> Client {
        Client::new(&format!("http://{}", self.sandbox))
    }

    /// A client of the admin server.
    #[must_use]
    pub fn operations(&self) -> Client {
        Client::new(&format!("http://{}", self.admin))
    }

    /// What the process has printed so far.
    #[must_use]
    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Asks it to stop, as Ctrl-C does, and waits for the end.
    ///
    /// # Errors
    /// It did not end in time.
    pub async fn stop(mut self) -> Result<ExitStatus> {
        self.signal(Signal::INT)?;
        self.ended().await
    }

    /// Asks it to stop, as a service manager does, and waits for the end.
    ///
    /// # Errors
    /// It did not end in time.
    pub async fn terminate(mut self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.ended().await
    }

    /// Kills the process, and only it: what it started is left as a crash leaves it.
    ///
    /// # Errors
    /// It could not be killed.
    pub async fn kill(mut self) -> Result<ExitStatus> {
        self.signal(Signal::KILL)?;
        self.ended().await
    }

    /// How it has ended, if it has by itself.
    ///
    /// # Errors
    /// The system does not say.
    pub fn status(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// It did not end in time.
    pub async fn ended(&mut self) -> Result<ExitStatus> {
        eventually("the end of the process", STOPPED_WITHIN, async || Ok(self.child.try_wait()?)).await
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_child(&self.child);
        Ok(kill_process(pid, signal)?)
    }
}

impl Drop for Headwater {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.signal(Signal::TERM);
            let give_up = std::time::Instant::now() + STOPPED_WITHIN;
            while matches!(self.child.try_wait(), Ok(None)) {
                if std::time::Instant::now() > give_up {
                    let _ = self.child.kill();
                    let _ = self.child.wait();
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        let _ = std::fs::remove_file(&self.log);
    }
}

/// A copy of the binary that every account may run.
fn readable_copy() -> Result<TempDir> {
    let folder = tempfile::Builder::new().permissions(Permissions::from_mode(0o755)).tempdir()?;
    std::fs::copy(binary()?, folder.path().join("headwater"))?;
    Ok(folder)
}

/// Four ports that were free a moment ago.
///
/// # Errors
/// No port is free.
pub fn free_addresses() -> Result<[SocketAddr; 4]> {
    let listeners = [(); 4].map(|()| TcpListener::bind("127.0.0.1:0"));
    let mut addresses = Vec::with_capacity(4);
    for listener in &listeners {
        addresses.push(listener.as_ref().map_err(|error| anyhow::anyhow!("{error}"))?.local_addr()?);
    }
    <[SocketAddr; 4]>::try_from(addresses).map_err(|_| anyhow::anyhow!("four listeners have four addresses"))
}
