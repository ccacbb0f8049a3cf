//! Databases for tests: one server a test process, one database a call.
//!
//! The server must not outlive the process, however it ends. A small shell waits at the end of a pipe whose other end
//! this process holds: the kernel closes it with the process, the shell stops the server by its number and removes
//! its directory.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::OnceCell;

use crate::{Config, PrivatePostgres};

/// Waits for the end of its input, then ends the server of the directory `$1` and removes the directory.
const WATCH: &str = r#"trap '' HUP INT TERM
cat >/dev/null
if pid=$(head -n 1 "$1/cluster/postmaster.pid" 2>/dev/null); then
    kill -QUIT "$pid"
    tries=0
    while kill -0 "$pid" 2>/dev/null && [ $tries -lt 200 ]; do tries=$((tries + 1)); sleep 0.05; done
fi
rm -rf -- "$1""#;

/// Connections of all databases of one test process together.
const MAX_CONNECTIONS: u32 = 200;

static SERVER: OnceCell<TestServer> = OnceCell::const_new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

struct TestServer {
    postgres: PrivatePostgres,
    /// Its input is the pipe; held, never read.
    _watch: Child,
}

/// An empty database of its own on this process's server. It goes when the process ends.
#[derive(Debug, Clone)]
pub struct TestDatabase {
    url: String,
    name: String,
    log: PathBuf,
}

impl TestDatabase {
    /// Its connection URL; the user may do anything.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its name, which no other database of the process has.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server's log; each line begins with its time, process and database.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        &self.log
    }
}

/// Gives a new, empty database; the first call of a process starts the server.
///
/// # Panics
/// No server can be started here; the message says why. It is for tests, where that is the end.
#[must_use = "the database is found through its URL"]
#[expect(clippy::panic, reason = "only tests call this, and a test without its database has failed")]
pub async fn test_database() -> TestDatabase {
    let server = match SERVER.get_or_try_init(TestServer::start).await {
        Ok(server) => server,
        Err(error) => panic!("no PostgreSQL for this test: {error}"),
    };
    let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    if let Err(error) = server.postgres.make_database(&name).await {
        panic!("no database for this test: {error}");
    }
    TestDatabase { url: server.postgres.url_of(&name), log: server.postgres.log_path().to_owned(), name }
}

impl TestServer {
    async fn start() -> Result<Self, crate::Error> {
        let dir = std::env::temp_dir().join(format!("headwater-test-{}", std::process::id()));
        if dir.exists() {
            // A process of the same number that was ended together with its shell.
            std::fs::remove_dir_all(&dir).map_err(crate::Error::at(&dir))?;
        }
        let mut config = Config::new(&dir);
        config.fsync = false;
        config.max_connections = MAX_CONNECTIONS;
        config.settings = vec![("log_line_prefix".into(), "%m [%p] %d ".into())];
        let watch = watch(&dir).map_err(crate::Error::at(Path::new("/bin/sh")))?;
        let postgres = PrivatePostgres::start(config).await?;
        Ok(Self { postgres, _watch: watch })
    }
}

fn watch(dir: &Path) -> io::Result<Child> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", WATCH, "sh"]).arg(dir);
    // Not of our group: Ctrl-C ends the tests, not the one who tidies up after them.
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}
