//! The server as a child process: run it, wait until it answers, make our database, stop it.

use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio_postgres::NoTls;

use crate::account::Account;
use crate::cluster::{Layout, Lock};
use crate::leftover::{FAST_SHUTDOWN, IMMEDIATE_SHUTDOWN, POLL, stop_leftover};
use crate::programs::Programs;
use crate::{Config, Error};

/// The database that a start makes when it is missing.
pub const DATABASE: &str = "headwater";

/// The role that owns it all.
pub const USER: &str = "headwater";

/// A start replays what a crash left in the write-ahead log; more than this is not a start any more.
const START_DEADLINE: Duration = Duration::from_secs(120);

/// How often [`PrivatePostgres::exited`] looks.
const POLL_EXIT: Duration = Duration::from_millis(100);

/// Before a start after a crash replays anything, all files of the cluster are brought to the disk. One by one that is
/// seconds, even for a small cluster; only Linux has a call for all of them.
const RECOVERY_SYNC: &str = if cfg!(target_os = "linux") { "syncfs" } else { "fsync" };

/// A running private server. Dropping it without [`stop`](Self::stop) ends it at once; the next start then replays the
/// write-ahead log, and nothing that was committed is lost.
#[derive(Debug)]
pub struct PrivatePostgres {
    child: Option<Child>,
    socket_dir: PathBuf,
    log: PathBuf,
    /// Held for as long as the server is ours.
    _lock: Lock,
}

impl PrivatePostgres {
    /// Starts a server on a data directory, after making the cluster if there is none and stopping a server that a
    /// killed parent left there, and returns once it answers and has the database [`DATABASE`].
    ///
    /// # Errors
    /// Programs, directory or server are not fit to use; each error says what to do.
    pub async fn start(config: Config) -> Result<Self, Error> {
        let layout = Layout::open(&config.data_dir)?;
        let lock = layout.lock()?;
        let account = Account::choose(&layout.cluster)?;
        account.check_reach(layout.root()).await?;
        let made_by = layout.made_by()?;
        let programs = Programs::find(&layout.cluster, made_by).await?;
        if made_by.is_none() {
            layout.init(&programs, &account, &config).await?;
        }
        let socket_dir = layout.socket_dir(&account)?;
        stop_leftover(&layout.cluster, &socket_dir).await?;
        let launch = Launch { layout: &layout, programs, account, config, socket_dir: &socket_dir };
        let child = launch.run().await?;
        let server = Self { child: Some(child), log: layout.log, socket_dir, _lock: lock };
        server.make_database(DATABASE).await?;
        tracing::info!(socket = %server.socket_dir.display(), "PostgreSQL is up");
        Ok(server)
    }

    /// The connection URL of the database [`DATABASE`].
    #[must_use]
    pub fn url(&self) -> String {
        url(&self.socket_dir, DATABASE)
    }

    /// The server's log.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// Returns when the server has ended by itself, which it does only when something is wrong.
    pub async fn exited(&mut self) -> ExitStatus {
        loop {
            if let Some(Ok(Some(status))) = self.child.as_mut().map(Child::try_wait) {
                return status;
            }
            tokio::time::sleep(POLL_EXIT).await;
        }
    }

    /// Ends all sessions, writes a checkpoint and stops the server.
    ///
    /// # Errors
    /// The process could not be waited for.
    pub async fn stop(mut self) -> Result<(), Error> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        for (signal, patience) in [(Signal::INT, FAST_SHUTDOWN), (Signal::QUIT, IMMEDIATE_SHUTDOWN)] {
            send(&child, signal);
            if exit_within(&mut child, patience).await?.is_some() {
                return Ok(());
            }
        }
        child.kill().and_then(|()| child.wait()).map(drop).map_err(Error::at(Path::new("postgres")))
    }

    /// The URL of another database of this server.
    pub(crate) fn url_of(&self, database: &str) -> String {
        url(&self.socket_dir, database)
    }

    /// Makes a database unless it exists.
    pub(crate) async fn make_database(&self, name: &str) -> Result<(), Error> {
        let (client, connection) = tokio_postgres::connect(&self.url_of("postgres"), NoTls).await?;
        let connection = tokio::spawn(connection);
        let exists =
            client.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&name]).await?.is_some();
        if !exists {
            client.batch_execute(&format!("CREATE DATABASE {name}")).await?;
        }
        drop(client);
        // Its end says nothing that the statements did not say.
        let _ = connection.await;
        Ok(())
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            send(&child, Signal::QUIT);
            // Waited for elsewhere, so that neither the caller is held up nor a zombie stays.
            std::thread::spawn(move || child.wait());
        }
    }
}

/// All that a server process is started from.
struct Launch<'a> {
    layout: &'a Layout,
    programs: Programs,
    account: Account,
    config: Config,
    socket_dir: &'a Path,
}

impl Launch<'_> {
    /// Starts the process and waits until it answers.
    async fn run(&self) -> Result<Child, Error> {
        let (mut child, log_start) = self.spawn()?;
        let not_started = |reason| Error::NotStarted { reason, log: self.layout.log.clone() };
        match self.wait_until_it_answers(&mut child).await? {
            Answer::Yes => Ok(child),
            Answer::TooLate => {
                send(&child, Signal::QUIT);
                exit_within(&mut child, IMMEDIATE_SHUTDOWN).await?;
                Err(not_started("it did not answer in time".into()))
            }
            Answer::Ended(status) => {
                Err(not_started(format!("it ended with {status}:\n{}", self.layout.log_from(log_start))))
            }
        }
    }

    fn spawn(&self) -> Result<(Child, u64), Error> {
        let log = self.layout.open_log()?;
        let log_start = log.metadata().map_err(Error::at(&self.layout.log))?.len();
        let errors = log.try_clone().map_err(Error::at(&self.layout.log))?;
        let postgres = self.programs.postgres();
        let mut command = self.account.command(&postgres, self.layout.root()).into_std();
        command.arg("-D").arg(&self.layout.cluster);
        for (name, value) in self.settings() {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        // A group of its own: Ctrl-C in the terminal is for us, and we stop the server last.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child =
            command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn().map_err(Error::at(&postgres))?;
        Ok((child, log_start))
    }

    fn settings(&self) -> Vec<(String, String)> {
        let on_off = |on| if on { "on" } else { "off" };
        let ours = [
            ("listen_addresses", String::new()),
            ("port", "5432".into()),
            ("unix_socket_directories", format!("\"{}\"", self.socket_dir.display())),
            ("unix_socket_permissions", "0700".into()),
            ("max_connections", self.config.max_connections.to_string()),
            ("shared_buffers", "128MB".into()),
            ("fsync", on_off(self.config.fsync).into()),
            ("full_page_writes", on_off(self.config.fsync).into()),
            // Nobody replicates from here, so bulk loads into new tables may leave the write-ahead log alone.
            ("wal_level", "minimal".into()),
            ("max_wal_senders", "0".into()),
            // Our statements are short; compiling them costs more than it gives.
            ("jit", "off".into()),
            ("timezone", "UTC".into()),
            ("log_timezone", "UTC".into()),
            ("log_checkpoints", "off".into()),
            ("logging_collector", "off".into()),
            ("recovery_init_sync_method", RECOVERY_SYNC.into()),
            ("log_destination", "stderr".into()),
        ];
        let ours = ours.into_iter().map(|(name, value)| (name.to_owned(), value));
        ours.chain(self.config.settings.iter().cloned()).collect()
    }

    async fn wait_until_it_answers(&self, child: &mut Child) -> Result<Answer, Error> {
        let url = url(self.socket_dir, "postgres");
        let deadline = Instant::now() + START_DEADLINE;
        while Instant::now() < deadline {
            if let Some(status) = child.try_wait().map_err(Error::at(Path::new("postgres")))? {
                return Ok(Answer::Ended(status));
            }
            // Until it listens and has replayed its log, a connection is refused; the socket says no more than that.
            if let Ok((client, connection)) = tokio_postgres::connect(&url, NoTls).await {
                drop(client);
                let _ = connection.await;
                return Ok(Answer::Yes);
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(Answer::TooLate)
    }
}

/// What became of a server process that was started.
enum Answer {
    Yes,
    Ended(ExitStatus),
    TooLate,
}

async fn exit_within(child: &mut Child, patience: Duration) -> Result<Option<ExitStatus>, Error> {
    let deadline = Instant::now() + patience;
    loop {
        let status = child.try_wait().map_err(Error::at(Path::new("postgres")))?;
        if status.is_some() || Instant::now() > deadline {
            return Ok(status);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Signals a child of ours. It has not been waited for, so the number is still its own.
fn send(child: &Child, signal: Signal) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It may have ended by itself, which is what we want.
        let _ = kill_process(pid, signal);
    }
}

/// A URL that libpq and tokio-postgres understand; the socket's folder is escaped byte by byte.
fn url(socket_dir: &Path, database: &str) -> String {
    let host: String = socket_dir
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => {
                char::from(*byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect();
    format!("postgresql:///{database}?host={host}&user={USER}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_escapes_what_a_path_may_hold() {
        let url = url(Path::new("/tmp/a b&c%d"), "headwater");
        assert_eq!(url, "postgresql:///headwater?host=/tmp/a%20b%26c%25d&user=headwater");
        let config: tokio_postgres::Config = url.parse().unwrap();
        assert_eq!(config.get_hosts(), [tokio_postgres::config::Host::Unix("/tmp/a b&c%d".into())]);
        assert_eq!((config.get_user(), config.get_dbname()), (Some("headwater"), Some("headwater")));
    }
}
